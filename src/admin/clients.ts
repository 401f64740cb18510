import { z } from 'zod';
import {
  clientMetadata,
  hashClientSecret,
  makeClientSecret,
  needsSecret,
  newClient,
  readClientRequest,
} from '../identity/client-keeper.ts';
import { clientRequest } from '../identity/client-request.ts';
import type { JsonObject } from '../lib/json.ts';
import type { Client, ClientChange } from '../stores/stores.ts';
import { bodyAction, type Call, eventOf, plainAction, queryAction, refuseFaults } from './action.ts';
import { type AdminReply, refuse, replyJson, replyNothing } from './admin-reply.ts';
import { belongsToConfig } from './consumers.ts';
import { defined, shown, timeOf } from './fields.ts';
import { createOnce } from './idempotency.ts';
import { pageFields, replyPage } from './paging.ts';
import { pointerTo } from './request-faults.ts';
import { endEverythingOf } from './revoke.ts';

export const createClient = bodyAction(clientRequest, (call) => {
  const own = call.body.id;
  return createOnce(call, call.body, {
    kind: 'client',
    prefix: own === undefined ? '' : undefined,
    find: (id) => call.services.records.clients.find(id),
    show: showClient,
    async create(derived) {
      const id = own ?? derived;
      const { client, secret } = newClient({ ...call.body, id }, { source: 'admin', at: call.services.now() });
      await call.services.records.clients.create(client, [
        eventOf(call, 'client.created', `client:${id}`, { name: client.name }),
      ]);
      return { id, reply: replyJson(201, withSecret(client, secret), { Location: `clients/${id}` }) };
    },
  });
});

export const listClients = queryAction(z.strictObject(pageFields), async ({ services, query }) =>
  replyPage(await services.records.clients.list(query), showClient, query),
);

export const showOneClient = plainAction(async (call) => {
  const client = await findClient(call);
  return client === undefined ? noClient() : replyJson(200, showClient(client));
});

/** Fields of the description, each replaced whole; null takes one away. */
const change = z.record(z.string(), z.json()).refine((fields) => Object.keys(fields).length > 0, {
  message: 'changes nothing',
  params: { hint: 'give disabled, name or a field of the metadata' },
});

export const updateClient = bodyAction(change, async (call) => {
  const client = await findClient(call);
  if (client === undefined) return noClient();
  if (client.source === 'config') return belongsToConfig('client', client.id);
  const { disabled, ...fields } = call.body;
  if (disabled !== undefined && typeof disabled !== 'boolean')
    return refuseFaults([{ pointer: '#/disabled', message: 'must be true or false' }]);
  const updatedAt = call.services.now();
  let reply = noClient();
  // What was read above may be old by now: another may have disabled the client, or changed other fields of it.
  const describe = (present: Client): ClientChange | undefined => {
    const described = describeAnew(present, fields);
    if ('status' in described) {
      reply = described;
      return undefined;
    }
    const changes = { ...described, ...defined({ disabled }), updatedAt };
    reply = replyJson(200, showClient({ ...present, ...changes }));
    return changes;
  };
  const updated = await call.services.records.clients.update(client.id, describe, [
    eventOf(call, 'client.updated', `client:${client.id}`, {
      changed: Object.keys(call.body),
      ...defined({ disabled }),
    }),
  ]);
  if (updated && disabled === true) await endEverythingOf(call, { client: client.id });
  return reply;
});

/** The old secret is worth nothing from now on; tokens that were given out stay good. */
export const rotateClientSecret = plainAction(async (call) => {
  const client = await findClient(call);
  if (client === undefined) return noClient();
  if (client.source === 'config') return belongsToConfig('client', client.id);
  const method = client.metadata['token_endpoint_auth_method'];
  if (typeof method === 'string' && !needsSecret(method))
    return refuse('conflict', `The client authenticates by ${method}, which uses no secret; nothing was changed.`);
  const secret = makeClientSecret();
  const fields = { secretHash: hashClientSecret(secret), updatedAt: call.services.now() };
  const updated = await call.services.records.clients.update(client.id, fields, [
    eventOf(call, 'client.updated', `client:${client.id}`, { changed: ['secret'] }),
  ]);
  return updated ? replyJson(200, withSecret({ ...client, ...fields }, secret)) : noClient();
});

/** As with a user: what it holds ends while it is still there, so that a removal that failed half-way can be sent again. */
export const removeClient = plainAction(async (call) => {
  const client = await findClient(call);
  if (client === undefined) return noClient();
  if (client.source === 'config') return belongsToConfig('client', client.id);
  const change = { disabled: true, updatedAt: call.services.now() };
  const disabled = await call.services.records.clients.update(client.id, change, [
    eventOf(call, 'client.updated', `client:${client.id}`, { changed: ['disabled'], disabled: true }),
  ]);
  if (!disabled) return noClient();
  await endEverythingOf(call, { client: client.id });
  const removed = await call.services.records.clients.remove(client.id, [
    eventOf(call, 'client.removed', `client:${client.id}`, { name: client.name }),
  ]);
  return removed ? replyNothing() : noClient();
});

/** The description with some fields exchanged, judged as a whole: fields depend on each other. */
function describeAnew(
  client: Client,
  fields: Readonly<Record<string, JsonObject[string]>>,
): Partial<Pick<Client, 'name' | 'metadata'>> | AdminReply {
  if (Object.keys(fields).length === 0) return {};
  const fixed = ['id', 'secret'].filter((name) => Object.hasOwn(fields, name));
  if (fixed.length > 0)
    return refuseFaults(
      fixed.map((name) => ({
        pointer: pointerTo([name]),
        message: 'cannot be changed',
        hint: name === 'id' ? 'create another client' : 'POST to rotate-secret',
      })),
    );
  const { client_name: _name, response_types: _types, ...metadata } = client.metadata;
  const merged = Object.entries({ name: client.name, ...metadata, ...fields }).filter(([, value]) => value !== null);
  const read = readClientRequest(Object.fromEntries(merged));
  if ('faults' in read)
    return refuseFaults(read.faults.map(({ path, message }) => ({ pointer: pointerTo(path), message })));
  const { id: _id, name, secret: _secret, ...described } = read.request;
  // One that registered itself without the field may ask people for every scope, and keeps that unless it is taken away.
  const isOpen = client.source === 'registered' && metadata['scope'] === undefined && fields['scope'] === undefined;
  return { name, metadata: clientMetadata(name, isOpen ? { ...described, scope: undefined } : described) };
}

async function findClient({ services, params }: Call): Promise<Client | undefined> {
  return services.records.clients.find(params['client'] ?? '');
}

function noClient(): AdminReply {
  return refuse('not-found', 'There is no client with this id.');
}

function withSecret(client: Client, secret: string | undefined): JsonObject {
  return secret === undefined ? showClient(client) : { ...showClient(client), secret };
}

function showClient(client: Client): JsonObject {
  const { id, name, metadata, disabled, source, createdAt, updatedAt } = client;
  return shown({
    id,
    name,
    metadata,
    hasSecret: client.secretHash !== undefined,
    disabled,
    source,
    createdAt: timeOf(createdAt),
    updatedAt: timeOf(updatedAt),
  });
}
