import type { JsonObject } from '../lib/json.ts';
import { part } from './admin-client.ts';
import { type AdminOptions, act, adminCommand, type CommandHost, commandGroup } from './admin-command.ts';
import { confirmRemoval } from './ask.ts';
import { jsonObject, limitOption, onceOption, yesOption } from './option-values.ts';
import { cell, moreHint, renderFields, renderTable } from './table.ts';

/** `sallyport consumers …`: who holds API keys. */
export function registerConsumers(host: CommandHost): void {
  const group = commandGroup(host, 'consumers', 'manage the holders of API keys: applications, partners, teams');

  const create = adminCommand(group, 'create', 'create a consumer')
    .argument('<name>', 'such as partner-app')
    .option('--metadata <json>', 'notes for people, as a JSON object', jsonObject)
    .addOption(onceOption());
  act<AdminOptions & { readonly metadata?: object; readonly idempotencyKey?: string }>(
    host,
    create,
    async ({ client, print }, { metadata, idempotencyKey }, [name]) => {
      const fields = { name, ...(metadata === undefined ? {} : { metadata }) };
      const { body, replayed } = await client.call('POST', '/consumers', fields, { idempotencyKey });
      print(body, [
        `${replayed ? 'There already is' : 'Created'} the consumer ${cell(body['name'])}, ${cell(body['id'])}.`,
        `A key for it: sallyport keys create ${cell(body['name'])} --name <name>`,
      ]);
      return undefined;
    },
  );

  const list = adminCommand(group, 'list', 'list consumers').addOption(limitOption());
  act<AdminOptions & { readonly limit: number }>(host, list, async ({ client, print }, { limit }) => {
    const { items, more } = await client.list('/consumers', {}, limit);
    print({ items, more }, [
      ...renderTable(columns, items, 'There is no consumer yet; make one with: sallyport consumers create <name>'),
      ...moreHint(more, items.length),
    ]);
    return undefined;
  });

  const show = adminCommand(group, 'show', 'show a consumer').argument('<consumer>', 'its id or name');
  act(host, show, async ({ client, print }, _options, [consumer = '']) => {
    const { body } = await client.call('GET', `/consumers/${part(consumer)}`);
    print(body, renderFields(body));
    return undefined;
  });

  for (const { name, disabled, done } of switches) {
    const command = adminCommand(group, name, `${name} a consumer and all its keys`).argument(
      '<consumer>',
      'its id or name',
    );
    act(host, command, async ({ client, print }, _options, [consumer = '']) => {
      const { body } = await client.call('PATCH', `/consumers/${part(consumer)}`, { disabled });
      print(body, [`The consumer ${cell(body['name'])} ${done}.`]);
      return undefined;
    });
  }

  const remove = adminCommand(group, 'remove', 'remove a consumer and its keys, for good')
    .argument('<consumer>', 'its id or name')
    .addOption(yesOption());
  act<AdminOptions & { readonly yes: boolean }>(host, remove, async (session, { yes }, [consumer = '']) => {
    await confirmRemoval(`Remove the consumer ${consumer} and all its keys`, yes, session.facts);
    await session.client.call('DELETE', `/consumers/${part(consumer)}`);
    session.print({ removed: consumer }, [`The consumer ${cell(consumer)} and its keys are gone.`]);
    return undefined;
  });
}

const switches = [
  { name: 'disable', disabled: true, done: 'is disabled: none of its keys opens anything' },
  { name: 'enable', disabled: false, done: 'is enabled: its keys open what they opened before' },
] as const;

const columns = [
  { title: 'NAME', of: (row: JsonObject) => row['name'] },
  { title: 'ID', of: (row: JsonObject) => row['id'] },
  { title: 'STATE', of: (row: JsonObject) => (row['disabled'] === true ? 'disabled' : 'enabled') },
  { title: 'FROM', of: (row: JsonObject) => row['source'] },
  { title: 'CREATED', of: (row: JsonObject) => row['createdAt'] },
];
