import type { Json, JsonObject } from '../lib/json.ts';
import { part } from './admin-client.ts';
import { type AdminOptions, act, adminCommand, type CommandHost, commandGroup } from './admin-command.ts';
import { confirmRemoval } from './ask.ts';
import { registerKeyGenerate } from './keys-generate.ts';
import { registerKeyImport } from './keys-import.ts';
import { jsonObject, limitOption, onceOption, yesOption } from './option-values.ts';
import { cell, moreHint, renderFields, renderTable } from './table.ts';

/** What a new key may do, as flags. */
interface RightsOptions {
  readonly name?: string;
  readonly scope?: readonly string[];
  readonly api?: readonly string[];
  readonly cidr?: readonly string[];
  readonly expiresAt?: string;
  readonly expiresIn?: string;
  readonly metadata?: object;
}

/** `sallyport keys …`: the API keys of consumers. */
export function registerKeys(host: CommandHost): void {
  const group = commandGroup(host, 'keys', 'manage API keys');

  const create = rights(adminCommand(group, 'create', 'create a key and print it, once'))
    .argument('<consumer>', 'who will hold it, by id or name')
    .option('--environment <name>', 'such as live or test; it stands in the key (default: live)')
    .addOption(onceOption());
  act<AdminOptions & RightsOptions & { readonly environment?: string; readonly idempotencyKey?: string }>(
    host,
    create,
    async ({ client, print }, options, [consumer = '']) => {
      const { environment, idempotencyKey } = options;
      const request = { name: 'key', ...rightsOf(options), ...(environment === undefined ? {} : { environment }) };
      const path = `/consumers/${part(consumer)}/keys`;
      const { body, replayed } = await client.call('POST', path, request, { idempotencyKey });
      print(
        body,
        replayed ? madeBefore(body) : newKey(body, `Created the key ${cell(body['id'])} of ${cell(consumer)}.`),
      );
      return undefined;
    },
  );

  const list = adminCommand(group, 'list', 'list keys')
    .option('--consumer <consumer>', 'only those of one consumer, by id or name')
    .addOption(limitOption());
  act<AdminOptions & { readonly consumer?: string; readonly limit: number }>(
    host,
    list,
    async ({ client, print }, { consumer, limit }) => {
      const { items, more } = await client.list('/keys', { consumer }, limit);
      print({ items, more }, [
        ...renderTable(columns, items, 'There is no key yet; make one with: sallyport keys create <consumer>'),
        ...moreHint(more, items.length),
      ]);
      return undefined;
    },
  );

  const show = adminCommand(group, 'show', 'show what is known of a key').argument('<key>', 'its id');
  act(host, show, async ({ client, print }, _options, [key = '']) => {
    const { body } = await client.call('GET', `/keys/${part(idOf(key))}`);
    print(body, renderFields(body));
    return undefined;
  });

  const rotate = rights(adminCommand(group, 'rotate', 'replace a key; both work until the overlap is over'))
    .argument('<key>', 'the id of the old key')
    .option('--overlap <duration>', 'how long the old key stays good, such as 1h; 0s ends it at once (default: 1d)');
  act<AdminOptions & RightsOptions & { readonly overlap?: string }>(
    host,
    rotate,
    async ({ client, print }, options, [key = '']) => {
      const { overlap } = options;
      const request = { ...rightsOf(options), ...(overlap === undefined ? {} : { overlap }) };
      const { body } = await client.call('POST', `/keys/${part(idOf(key))}/rotate`, request);
      const until = fieldOf(body['replaces'], 'until');
      print(
        body,
        newKey(body, `The key ${cell(body['id'])} takes the place of ${cell(idOf(key))}, which ends ${cell(until)}.`),
      );
      return undefined;
    },
  );

  const revoke = adminCommand(group, 'revoke', 'end a key at once, on every gateway')
    .argument('<key>', 'its id')
    .addOption(yesOption());
  act<AdminOptions & { readonly yes: boolean }>(host, revoke, async (session, { yes }, [key = '']) => {
    const id = idOf(key);
    await confirmRemoval(`Revoke the key ${id}`, yes, session.facts);
    const { body } = await session.client.call('POST', `/keys/${part(id)}/revoke`);
    session.print(body, [`The key ${cell(id)} is revoked.`]);
    return undefined;
  });

  registerKeyImport(host, group);
  registerKeyGenerate(host, group);
}

function rights(command: ReturnType<typeof adminCommand>): ReturnType<typeof adminCommand> {
  return command
    .option('--name <text>', 'what it is for')
    .option('--scope <scope...>', 'what it may do')
    .option('--api <name...>', 'the APIs it opens; all that take keys unless given')
    .option('--cidr <block...>', 'where it may be used from; anywhere unless given')
    .option('--expires-at <time>', 'when it ends, such as 2031-01-31T12:00:00Z')
    .option('--expires-in <duration>', 'how long it lives, such as 90d')
    .option('--metadata <json>', 'notes for people, as a JSON object', jsonObject);
}

/** Names of flags into names of fields, without what was not given. */
function rightsOf({ name, scope, api, cidr, expiresAt, expiresIn, metadata }: RightsOptions): object {
  const fields = { name, scopes: scope, apis: api, cidrs: cidr, expiresAt, expiresIn, metadata };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** People paste the whole key: its id is taken out of it, so that the rest goes no further. */
function idOf(text: string): string {
  return /^sp_[a-z0-9]{1,12}_([0-9A-Za-z]{12})_/.exec(text)?.[1] ?? text;
}

function newKey(body: JsonObject, done: string): string[] {
  return [done, '', `  ${cell(body['key'])}`, '', 'Store it now: it is shown this once and kept nowhere.'];
}

function madeBefore(body: JsonObject): string[] {
  return [
    `The key ${cell(body['id'])} was made by an earlier command with this --idempotency-key; it cannot be shown again.`,
    `If nobody stored it: sallyport keys rotate ${cell(body['id'])} --overlap 0s`,
  ];
}

function stateOf(row: JsonObject): string {
  if (row['revokedAt'] !== undefined) return 'revoked';
  const expiresAt = row['expiresAt'];
  if (typeof expiresAt === 'string' && Date.parse(expiresAt) <= Date.now()) return 'expired';
  return row['replacedBy'] === undefined ? 'active' : 'overlap';
}

function fieldOf(value: Json | undefined, name: string): Json | undefined {
  return typeof value === 'object' && value !== null && name in value ? Reflect.get(value, name) : undefined;
}

const columns = [
  { title: 'ID', of: (row: JsonObject) => row['id'] },
  { title: 'NAME', of: (row: JsonObject) => row['name'] },
  { title: 'CONSUMER', of: (row: JsonObject) => row['consumer'] },
  { title: 'ENV', of: (row: JsonObject) => row['environment'] },
  { title: 'STATE', of: stateOf },
  { title: 'SCOPES', of: (row: JsonObject) => row['scopes'] },
  { title: 'EXPIRES', of: (row: JsonObject) => row['expiresAt'] },
  { title: 'USES', of: (row: JsonObject) => row['uses'] },
  { title: 'LAST USED', of: (row: JsonObject) => fieldOf(row['lastUsed'], 'at') },
];
