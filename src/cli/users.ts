import type { JsonObject } from '../lib/json.ts';
import { part } from './admin-client.ts';
import { type AdminOptions, act, adminCommand, type CommandHost, commandGroup } from './admin-command.ts';
import { confirmRemoval, readNewPassword } from './ask.ts';
import { jsonObject, limitOption, onceOption, yesOption } from './option-values.ts';
import { cell, moreHint, renderFields, renderTable } from './table.ts';

interface CreateOptions extends AdminOptions {
  readonly passwordStdin: boolean;
  readonly password: boolean;
  readonly claims?: object;
  readonly upstream?: string;
  readonly idempotencyKey?: string;
}

/** `sallyport users …`: local accounts. */
export function registerUsers(host: CommandHost): void {
  const group = commandGroup(host, 'users', 'manage local accounts');

  const create = adminCommand(group, 'create', 'create an account; its password is typed, or piped in')
    .argument('<username>', 'such as ada or ada@example.com')
    .option('--password-stdin', 'read the password from standard input', false)
    .option('--no-password', 'none: it signs in by passkey or at an upstream provider')
    .option('--claims <json>', 'claims by the names of OpenID Connect, such as {"name":"Ada"}', jsonObject)
    .option('--upstream <issuer|sub>', 'the account at an upstream provider it belongs to')
    .addOption(onceOption());
  act<CreateOptions>(host, create, async ({ client, print, facts }, options, [username]) => {
    const { claims, upstream } = options;
    const password = options.password ? await readNewPassword(options.passwordStdin, facts) : undefined;
    const { body, replayed } = await client.call('POST', '/users', { username, password, claims, upstream }, options);
    print(body, [
      `${replayed ? 'There already is' : 'Created'} the user ${cell(body['username'])}, ${cell(body['id'])}.`,
    ]);
    return undefined;
  });

  const list = adminCommand(group, 'list', 'list accounts').addOption(limitOption());
  act<AdminOptions & { readonly limit: number }>(host, list, async ({ client, print }, { limit }) => {
    const { items, more } = await client.list('/users', {}, limit);
    print({ items, more }, [
      ...renderTable(columns, items, 'There is no user yet; make one with: sallyport users create <username>'),
      ...moreHint(more, items.length),
    ]);
    return undefined;
  });

  const show = adminCommand(group, 'show', 'show an account').argument('<user>', 'its id or username');
  act(host, show, async ({ client, print }, _options, [user = '']) => {
    const { body } = await client.call('GET', `/users/${part(user)}`);
    print(body, renderFields(body));
    return undefined;
  });

  const setPassword = adminCommand(group, 'set-password', 'set a password and sign the user out everywhere')
    .argument('<user>', 'its id or username')
    .option('--password-stdin', 'read the password from standard input', false);
  act<AdminOptions & { readonly passwordStdin: boolean }>(
    host,
    setPassword,
    async ({ client, print, facts }, { passwordStdin }, [user = '']) => {
      const password = await readNewPassword(passwordStdin, facts);
      const { body } = await client.call('PUT', `/users/${part(user)}/password`, { password });
      print(body, [
        `The password of ${cell(body['username'])} is set; whoever was signed in with the old one is not any more.`,
      ]);
      return undefined;
    },
  );

  for (const { name, description, question, method, path, body: change, done } of changes) {
    const command = adminCommand(group, name, description)
      .argument('<user>', 'its id or username')
      .addOption(yesOption());
    act<AdminOptions & { readonly yes: boolean }>(
      host,
      command,
      async ({ client, print, facts }, { yes }, [user = '']) => {
        if (question !== undefined) await confirmRemoval(`${question} ${user}`, yes, facts);
        const { body } = await client.call(method, `/users/${part(user)}${path}`, change);
        print(method === 'DELETE' ? { removed: user } : body, [`The user ${cell(user)} ${done}.`]);
        return undefined;
      },
    );
  }
}

// biome-ignore format: aligned on purpose, one command a row
const changes = [
  { name: 'reset-factors', description: 'forget the second factors and passkeys of a user', question: 'Forget the second factors of', method: 'POST',   path: '/reset-factors', body: undefined,           done: 'has no second factor any more and is signed out' },
  { name: 'disable',       description: 'disable an account and end what it holds',         question: undefined,                      method: 'PATCH',  path: '',               body: { disabled: true },  done: 'is disabled and signed out' },
  { name: 'enable',        description: 'enable an account',                                question: undefined,                      method: 'PATCH',  path: '',               body: { disabled: false }, done: 'is enabled' },
  { name: 'remove',        description: 'remove an account, for good',                      question: 'Remove the user',              method: 'DELETE', path: '',               body: undefined,           done: 'is gone' },
] as const;

const columns = [
  { title: 'USERNAME', of: (row: JsonObject) => row['username'] },
  { title: 'ID', of: (row: JsonObject) => row['id'] },
  { title: 'STATE', of: (row: JsonObject) => (row['disabled'] === true ? 'disabled' : 'enabled') },
  { title: 'SIGNS IN BY', of: factorsOf },
  { title: 'CREATED', of: (row: JsonObject) => row['createdAt'] },
];

function factorsOf(row: JsonObject): string {
  const passkeys = row['passkeys'];
  return [
    row['password'] === true ? 'password' : undefined,
    row['totp'] === true ? 'one-time codes' : undefined,
    Array.isArray(passkeys) && passkeys.length > 0 ? `passkeys (${passkeys.length})` : undefined,
    row['upstream'] === undefined ? undefined : 'upstream',
  ]
    .filter((factor) => factor !== undefined)
    .join(', ');
}
