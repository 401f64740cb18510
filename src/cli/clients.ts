import { readFile } from 'node:fs/promises';
import type { JsonObject } from '../lib/json.ts';
import { part } from './admin-client.ts';
import { type AdminOptions, act, adminCommand, type CommandHost, commandGroup } from './admin-command.ts';
import { confirmRemoval, Declined } from './ask.ts';
import { limitOption, onceOption, yesOption } from './option-values.ts';
import { cell, moreHint, renderFields, renderTable } from './table.ts';

interface CreateOptions extends AdminOptions {
  readonly id?: string;
  readonly grant?: readonly string[];
  readonly redirectUri?: readonly string[];
  readonly scope?: readonly string[];
  readonly authMethod?: string;
  readonly dpop?: true;
  readonly metadata?: string;
  readonly idempotencyKey?: string;
}

/** `sallyport clients …`: the OAuth clients of the embedded authorization server. */
export function registerClients(host: CommandHost): void {
  const group = commandGroup(host, 'clients', 'manage OAuth clients');

  const create = adminCommand(group, 'create', 'create a client and print its secret, once')
    .argument('<name>', 'shown to people who are asked to consent')
    .option('--id <client_id>', 'a client_id of your own; made up unless given')
    .option('--grant <type...>', 'authorization_code, refresh_token, client_credentials or the URN of the device grant')
    .option('--redirect-uri <uri...>', 'where people are sent back to')
    .option('--scope <scope...>', 'the scopes it may ask for; none unless given')
    .option('--auth-method <method>', 'how it proves who it is, such as client_secret_basic or private_key_jwt')
    .option('--dpop', 'only give it tokens that are bound to a key of its own')
    .option('--metadata <file>', 'a JSON file with further metadata by the names of RFC 7591')
    .addOption(onceOption());
  act<CreateOptions>(host, create, async ({ client, print }, options, [name = '']) => {
    const request = { ...(await metadataOf(options.metadata)), ...descriptionOf(name, options) };
    const { body, replayed } = await client.call('POST', '/clients', request, options);
    print(
      body,
      replayed
        ? [`The client ${cell(body['id'])} was made by an earlier command with this --idempotency-key.`]
        : shownOnce(body, `Created the client ${cell(body['name'])}.`),
    );
    return undefined;
  });

  const list = adminCommand(group, 'list', 'list clients').addOption(limitOption());
  act<AdminOptions & { readonly limit: number }>(host, list, async ({ client, print }, { limit }) => {
    const { items, more } = await client.list('/clients', {}, limit);
    print({ items, more }, [
      ...renderTable(columns, items, 'There is no client yet; make one with: sallyport clients create <name>'),
      ...moreHint(more, items.length),
    ]);
    return undefined;
  });

  const show = adminCommand(group, 'show', 'show a client').argument('<client>', 'its client_id');
  act(host, show, async ({ client, print }, _options, [id = '']) => {
    const { body } = await client.call('GET', `/clients/${part(id)}`);
    print(body, renderFields(body));
    return undefined;
  });

  const rotate = adminCommand(group, 'rotate-secret', 'give a client another secret; the old one ends at once')
    .argument('<client>', 'its client_id')
    .addOption(yesOption());
  act<AdminOptions & { readonly yes: boolean }>(host, rotate, async ({ client, print, facts }, { yes }, [id = '']) => {
    await confirmRemoval(`End the present secret of the client ${id}`, yes, facts);
    const { body } = await client.call('POST', `/clients/${part(id)}/rotate-secret`);
    print(body, shownOnce(body, `The client ${cell(body['name'])} has another secret.`));
    return undefined;
  });

  for (const { name, disabled, done } of switches) {
    const command = adminCommand(group, name, `${name} a client`).argument('<client>', 'its client_id');
    act(host, command, async ({ client, print }, _options, [id = '']) => {
      const { body } = await client.call('PATCH', `/clients/${part(id)}`, { disabled });
      print(body, [`The client ${cell(body['name'])} ${done}.`]);
      return undefined;
    });
  }

  const remove = adminCommand(group, 'remove', 'remove a client and revoke its tokens, for good')
    .argument('<client>', 'its client_id')
    .addOption(yesOption());
  act<AdminOptions & { readonly yes: boolean }>(host, remove, async ({ client, print, facts }, { yes }, [id = '']) => {
    await confirmRemoval(`Remove the client ${id} and revoke its tokens`, yes, facts);
    await client.call('DELETE', `/clients/${part(id)}`);
    print({ removed: id }, [`The client ${cell(id)} is gone, and so are its tokens.`]);
    return undefined;
  });
}

function descriptionOf(name: string, options: CreateOptions): object {
  const fields = {
    name,
    id: options.id,
    grant_types: options.grant,
    redirect_uris: options.redirectUri,
    scope: options.scope?.join(' '),
    token_endpoint_auth_method: options.authMethod,
    dpop_bound_access_tokens: options.dpop,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

async function metadataOf(file: string | undefined): Promise<object> {
  if (file === undefined) return {};
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw new Declined(`--metadata: ${file} cannot be read`);
  }
  throw new Declined(`--metadata: ${file} is no JSON object`);
}

function shownOnce(body: JsonObject, done: string): string[] {
  const secret = body['secret'];
  const lines = [done, '', `  client_id      ${cell(body['id'])}`];
  if (secret === undefined) return lines;
  return [
    ...lines,
    `  client_secret  ${cell(secret)}`,
    '',
    'Store the secret now: it is shown this once and kept nowhere.',
  ];
}

const switches = [
  { name: 'disable', disabled: true, done: 'is disabled, and its tokens are revoked' },
  { name: 'enable', disabled: false, done: 'is enabled' },
] as const;

const columns = [
  { title: 'CLIENT_ID', of: (row: JsonObject) => row['id'] },
  { title: 'NAME', of: (row: JsonObject) => row['name'] },
  { title: 'STATE', of: (row: JsonObject) => (row['disabled'] === true ? 'disabled' : 'enabled') },
  { title: 'FROM', of: (row: JsonObject) => row['source'] },
  { title: 'CREATED', of: (row: JsonObject) => row['createdAt'] },
];
