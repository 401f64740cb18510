import { z } from 'zod';
import type { JsonObject } from '../lib/json.ts';
import type { Consumer } from '../stores/stores.ts';
import { bodyAction, type Call, eventOf, plainAction, queryAction } from './action.ts';
import { type AdminReply, refuse, replyJson, replyNothing } from './admin-reply.ts';
import { defined, metadataField, nameField, shown, timeOf } from './fields.ts';
import { createOnce } from './idempotency.ts';
import { pageFields, replyPage } from './paging.ts';

const creation = z.strictObject({
  name: nameField(),
  metadata: metadataField().default({}),
  disabled: z.boolean().default(false),
});

export const createConsumer = bodyAction(creation, (call) =>
  createOnce(call, call.body, {
    prefix: 'con_',
    kind: 'consumer',
    find: (id) => call.services.records.consumers.find(id),
    show: showConsumer,
    async create(id) {
      const consumer: Consumer = { id, ...call.body, source: 'admin', createdAt: call.services.now() };
      const { name, disabled } = consumer;
      await call.services.records.consumers.create(consumer, [
        eventOf(call, 'consumer.created', `consumer:${id}`, { name, ...(disabled ? { disabled } : {}) }),
      ]);
      return { id, reply: replyJson(201, showConsumer(consumer), { Location: `consumers/${id}` }) };
    },
  }),
);

export const listConsumers = queryAction(z.strictObject(pageFields), async ({ services, query }) =>
  replyPage(await services.records.consumers.list(query), showConsumer, query),
);

export const showOneConsumer = plainAction(async (call) => {
  const consumer = await findConsumer(call, call.params['consumer']);
  return consumer === undefined ? noConsumer() : replyJson(200, showConsumer(consumer));
});

const change = z
  .strictObject({ name: nameField(), metadata: metadataField(), disabled: z.boolean() })
  .partial()
  .refine((fields) => Object.keys(fields).length > 0, {
    message: 'changes nothing',
    params: { hint: 'give name, metadata or disabled' },
  });

export const updateConsumer = bodyAction(change, async (call) => {
  const consumer = await findConsumer(call, call.params['consumer']);
  if (consumer === undefined) return noConsumer();
  if (consumer.source === 'config') return belongsToConfig('consumer', consumer.name);
  const { name, metadata, disabled } = call.body;
  const changed = await call.services.records.consumers.update(consumer.id, defined(call.body), [
    eventOf(call, 'consumer.updated', `consumer:${consumer.id}`, {
      changed: Object.keys(call.body),
      ...(name === undefined ? {} : { name }),
      ...(disabled === undefined ? {} : { disabled }),
    }),
  ]);
  if (!changed) return noConsumer();
  return replyJson(
    200,
    showConsumer({
      ...consumer,
      name: name ?? consumer.name,
      metadata: metadata ?? consumer.metadata,
      disabled: disabled ?? consumer.disabled,
    }),
  );
});

export const removeConsumer = plainAction(async (call) => {
  const consumer = await findConsumer(call, call.params['consumer']);
  if (consumer === undefined) return noConsumer();
  if (consumer.source === 'config') return belongsToConfig('consumer', consumer.name);
  const removed = await call.services.records.consumers.remove(consumer.id, [
    eventOf(call, 'consumer.removed', `consumer:${consumer.id}`, { name: consumer.name }),
  ]);
  return removed ? replyNothing() : noConsumer();
});

/** By id, else by name: no name looks like an id. */
export async function findConsumer({ services }: Call, idOrName: string | undefined): Promise<Consumer | undefined> {
  if (idOrName === undefined) return undefined;
  const { consumers } = services.records;
  return (await consumers.find(idOrName)) ?? (await consumers.findByName(idOrName));
}

export function noConsumer(): AdminReply {
  return refuse('not-found', 'There is no consumer with this id or name.');
}

/** The answer to a change of what is declared in the file: the next reload would undo it. */
export function belongsToConfig(kind: string, name: string): AdminReply {
  return refuse(
    'managed-by-config',
    `The ${kind} ${name} is declared in the configuration file; change it there and reload.`,
  );
}

function showConsumer({ id, name, metadata, disabled, source, createdAt }: Consumer): JsonObject {
  return shown({ id, name, metadata, disabled, source, createdAt: timeOf(createdAt) });
}
