import { z } from 'zod';
import {
  createKey as createKeyOf,
  type KeyActor,
  type KeyRefusal,
  removeKey as removeKeyRow,
  revokeKey as revokeKeyRow,
  rotateKey as rotateKeyRow,
} from '../identity/key-keeper.ts';
import type { KeyRequest, KeyRules, RotationRequest } from '../identity/key-request.ts';
import { ADMIN_API } from '../lib/admin-place.ts';
import type { JsonObject } from '../lib/json.ts';
import type { ApiKey } from '../stores/stores.ts';
import { bodyAction, type Call, originOf, plainAction, queryAction, refuseFaults } from './action.ts';
import { type AdminReply, refuse, replyJson, replyNothing } from './admin-reply.ts';
import { findConsumer, noConsumer } from './consumers.ts';
import { shown, timeOf } from './fields.ts';
import { createOnce } from './idempotency.ts';
import { pageFields, replyPage } from './paging.ts';
import { pointerOf } from './request-faults.ts';

/** Only that it is an object: what a key may be the keeper of keys knows, and says all at once. */
const anything = z.record(z.string(), z.json());

export const createKey = bodyAction(anything, async (call) => {
  const consumer = await findConsumer(call, call.params['consumer']);
  if (consumer === undefined) return noConsumer();
  if (Object.hasOwn(call.body, 'consumerId'))
    return refuseFaults([{ pointer: '#/consumerId', message: 'stands in the path', hint: 'leave it out' }]);
  // The keeper parses it, so that what is wrong with it is a fault, not a lie to the compiler.
  const request = { ...call.body, consumerId: consumer.id } as unknown as KeyRequest;
  return createOnce(call, call.body, {
    kind: 'key',
    prefix: undefined,
    find: (id) => findKey(call, id),
    show: showKey,
    async create() {
      const made = await createKeyOf(call.services.records, request, actorOf(call), rulesOf(call));
      if (made.refusal !== undefined) return { id: undefined, reply: refuseKey(made) };
      const body = { ...showKey(made.key), key: made.text };
      return { id: made.key.id, reply: replyJson(201, body, { Location: `../../keys/${made.key.id}` }) };
    },
  });
});

const filter = z.strictObject({ ...pageFields, consumer: z.string().max(128).optional() });

export const listKeys = queryAction(filter, async (call) => {
  const { query } = call;
  const consumer = query.consumer === undefined ? undefined : await findConsumer(call, query.consumer);
  if (query.consumer !== undefined && consumer === undefined) return noConsumer();
  return replyPage(await call.services.records.keys.list({ consumerId: consumer?.id }, query), showKey, query);
});

export const showOneKey = plainAction(async (call) => {
  const key = await findKey(call, keyIdOf(call));
  return key === undefined ? noKey() : replyJson(200, showKey(key));
});

/** A second rotation of the same key is refused, so that a repeated request makes no third. */
export const rotateKey = bodyAction(anything, async (call) => {
  const old = keyIdOf(call);
  const request = call.body as unknown as RotationRequest; // as above: the keeper parses it
  const made = await rotateKeyRow(call.services.records, old, request, actorOf(call), rulesOf(call));
  if (made.refusal !== undefined) return refuseKey(made);
  const replaced = await findKey(call, old);
  return replyJson(
    201,
    { ...showKey(made.key), key: made.text, replaces: shown({ id: old, until: timeOf(replaced?.expiresAt) }) },
    { Location: `../${made.key.id}` },
  );
});

export const revokeKey = plainAction(async (call) => {
  const refusal = await revokeKeyRow(call.services.records, keyIdOf(call), actorOf(call), rulesOf(call));
  // Whoever revokes twice has what was wanted.
  if (refusal !== undefined && refusal.refusal !== 'over') return refuseKey(refusal);
  const key = await findKey(call, keyIdOf(call));
  return key === undefined ? noKey() : replyJson(200, showKey(key));
});

export const removeKey = plainAction(async (call) => {
  const refusal = await removeKeyRow(call.services.records, keyIdOf(call), actorOf(call));
  return refusal === undefined ? replyNothing() : refuseKey(refusal);
});

function actorOf(call: Call): KeyActor {
  return { ...originOf(call), source: 'admin' };
}

export function rulesOf({ services }: Call): KeyRules {
  return { now: services.now(), apis: new Set([...services.apiNames(), ADMIN_API]) };
}

function refuseKey({ refusal, message, faults }: KeyRefusal): AdminReply {
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
  switch (refusal) {
    case 'invalid':
      return refuseFaults(
        faults.map(({ path, message: what, hint }) => ({
          pointer: pointerOf(path),
          message: what,
          ...(hint === undefined ? {} : { hint }),
        })),
      );
    case 'no-such-key':
      return noKey();
    case 'no-such-consumer':
      return noConsumer();
    case 'declared':
      return refuse('managed-by-config', sentence);
    case 'taken':
    case 'over':
      return refuse('conflict', sentence);
  }
}

async function findKey({ services }: Call, id: string): Promise<ApiKey | undefined> {
  return (await services.records.keys.find(id))?.key;
}

function keyIdOf({ params }: Call): string {
  return params['key'] ?? '';
}

function noKey(): AdminReply {
  return refuse('not-found', 'There is no key with this id; the id is the part of a key after its second _.');
}

/** Without its hash, which is of no use to anybody who may see this. */
function showKey(key: ApiKey): JsonObject {
  const { id, name, environment, scopes, apis, cidrs, metadata, source, replacedBy, uses } = key;
  return shown({
    id,
    consumer: key.consumerId,
    name,
    environment,
    scopes,
    apis,
    cidrs,
    metadata,
    source,
    createdAt: timeOf(key.createdAt),
    expiresAt: timeOf(key.expiresAt),
    revokedAt: timeOf(key.revokedAt),
    replacedBy,
    uses,
    lastUsed:
      key.lastUsedAt === undefined
        ? undefined
        : shown({ at: timeOf(key.lastUsedAt), address: key.lastUsedAddress, route: key.lastUsedRoute }),
  });
}
