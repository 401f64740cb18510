import { Argument } from 'commander';
import type { JsonObject } from '../lib/json.ts';
import { act, adminCommand, type CommandHost, commandGroup } from './admin-command.ts';
import { renderTable } from './table.ts';

/** `sallyport signing-keys …`: what tokens are signed with. */
export function registerSigningKeys(host: CommandHost): void {
  const group = commandGroup(host, 'signing-keys', 'see and rotate the keys that tokens are signed with');

  const list = adminCommand(group, 'list', 'list signing keys and when each becomes what');
  act(host, list, async ({ client, print }) => {
    const { body } = await client.call('GET', '/signing-keys');
    print(body, tableOf(body));
    return undefined;
  });

  const rotate = adminCommand(
    group,
    'rotate',
    'have the next key made now; it signs once everybody may know it',
  ).addArgument(
    new Argument('<use>', 'tokens of the authorization server, or identities for upstreams').choices([
      'oauth',
      'identity',
    ]),
  );
  act(host, rotate, async ({ client, print }, _options, [use]) => {
    const { body } = await client.call('POST', '/signing-keys/rotate', { use });
    print(body, tableOf(body));
    return undefined;
  });
}

function tableOf(body: JsonObject): string[] {
  const { items } = body;
  const rows = Array.isArray(items) ? items.filter((row) => typeof row === 'object' && row !== null) : [];
  return renderTable(columns, rows, 'There is no signing key yet.');
}

const columns = [
  { title: 'KID', of: (row: JsonObject) => row['kid'] },
  { title: 'USE', of: (row: JsonObject) => row['use'] },
  { title: 'ALG', of: (row: JsonObject) => row['alg'] },
  { title: 'STATE', of: (row: JsonObject) => row['state'] },
  { title: 'SIGNS FROM', of: (row: JsonObject) => row['activeAt'] },
  { title: 'RETIRED', of: (row: JsonObject) => row['retiredAt'] },
  { title: 'REMOVED', of: (row: JsonObject) => row['removeAt'] },
];
