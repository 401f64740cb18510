import type { JsonObject } from '../lib/json.ts';
import { part } from './admin-client.ts';
import { type AdminOptions, act, adminCommand, type CommandHost, commandGroup } from './admin-command.ts';
import { confirmRemoval, Declined } from './ask.ts';
import { limitOption, yesOption } from './option-values.ts';
import { cell, moreHint, renderTable } from './table.ts';

interface EndOptions extends AdminOptions {
  readonly user?: string;
  readonly grant?: string;
  readonly yes: boolean;
}

/** `sallyport sessions …`: who is signed in, and what clients were allowed. */
export function registerSessions(host: CommandHost): void {
  const group = commandGroup(host, 'sessions', 'see who is signed in, and end it');

  const list = adminCommand(group, 'list', 'list sessions of browsers; with --grants what clients were allowed')
    .option('--user <id>', 'only those of one user, by its id (the sub of its tokens)')
    .option('--grants', 'list grants of the authorization server instead', false)
    .option('--client <client_id>', 'with --grants: only those of one client')
    .addOption(limitOption());
  act<
    AdminOptions & {
      readonly user?: string;
      readonly client?: string;
      readonly grants: boolean;
      readonly limit: number;
    }
  >(host, list, async ({ client, print }, options) => {
    const { user, limit, grants } = options;
    const { items, more } = grants
      ? await client.list('/grants', { user, client: options.client }, limit)
      : await client.list('/sessions', { subject: user }, limit);
    print({ items, more }, [
      ...(grants
        ? renderTable(grantColumns, items, 'No client was allowed anything.')
        : renderTable(sessionColumns, items, 'Nobody is signed in at a login of the gateway.')),
      ...moreHint(more, items.length),
    ]);
    return undefined;
  });

  const end = adminCommand(group, 'end', 'end a session, a grant, or everything of a user')
    .argument('[session]', 'the id of a session, as the list shows it')
    .option('--user <user>', 'sign this user out everywhere and revoke its tokens, by id or username')
    .option('--grant <id>', 'revoke this grant and its tokens')
    .addOption(yesOption());
  act<EndOptions>(host, end, async ({ client, print, facts }, { user, grant, yes }, args) => {
    const targets = [args[0], user, grant].filter((target) => target !== undefined);
    if (targets.length !== 1) throw new Declined('Name one thing to end: a session, --user or --grant.');
    const target = targets[0] ?? '';
    await confirmRemoval(endingOf(target, { user, grant }), yes, facts);
    if (user !== undefined) await client.call('POST', `/users/${part(user)}/end-sessions`);
    else await client.call('DELETE', grant === undefined ? `/sessions/${part(target)}` : `/grants/${part(target)}`);
    print({ ended: target }, [`${cell(target)} has ended.`]);
    return undefined;
  });
}

function endingOf(
  target: string,
  { user, grant }: { readonly user: string | undefined; readonly grant: string | undefined },
): string {
  if (user !== undefined) return `Sign ${target} out everywhere and revoke its tokens`;
  return grant === undefined ? `End the session ${target}` : `Revoke the grant ${target} and its tokens`;
}

const sessionColumns = [
  { title: 'SESSION', of: (row: JsonObject) => row['id'] },
  { title: 'LOGIN', of: (row: JsonObject) => row['login'] },
  { title: 'SUBJECT', of: (row: JsonObject) => row['subject'] },
  { title: 'SINCE', of: (row: JsonObject) => row['createdAt'] },
  { title: 'AT MOST UNTIL', of: (row: JsonObject) => row['expiresAt'] },
];

const grantColumns = [
  { title: 'GRANT', of: (row: JsonObject) => row['id'] },
  { title: 'USER', of: (row: JsonObject) => row['user'] },
  { title: 'CLIENT', of: (row: JsonObject) => row['client'] },
  { title: 'SCOPES', of: (row: JsonObject) => row['scopes'] },
  { title: 'UNTIL', of: (row: JsonObject) => row['expiresAt'] },
];
