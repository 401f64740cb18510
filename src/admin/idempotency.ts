import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { JsonObject } from '../lib/json.ts';
import { Conflict } from '../stores/stores.ts';
import type { Call } from './action.ts';
import { type AdminReply, refuse, replyJson } from './admin-reply.ts';
import type { AdminServices } from './admin-services.ts';

/** How one kind of thing is made once, whatever is sent twice. */
export interface Creation<Row> {
  /** In the audit log, such as `consumer`. */
  readonly kind: string;
  /** Of its ids, such as `con_`; undefined where `create` chooses the id itself. */
  readonly prefix: string | undefined;
  find(id: string): Promise<Row | undefined>;
  /** Makes it, under this id if it does not choose its own. Rejects with Conflict where the id or a name is taken. */
  create(id: string): Promise<Created>;
  /** What a repeated request gets: the thing as it is now, without its secret. */
  show(row: Row): JsonObject;
}

export interface Created {
  readonly reply: AdminReply;
  /** Undefined where nothing was made. */
  readonly id: string | undefined;
}

/**
 * Creates something, but only once for an Idempotency-Key. Where the form of the ids allows it, the id is derived from the
 * caller and the key, so that the records themselves refuse a second one: over all processes, after any crash. An id that was
 * chosen otherwise is remembered for 24 hours; there a crash in the moment before, or two equal requests at once at two
 * gateways, may leave a second one. For the same time it is known what was asked for: the same key with another request is
 * refused. What was removed since is not made again.
 */
export async function createOnce<Row>(call: Call, body: object, creation: Creation<Row>): Promise<AdminReply> {
  const key = call.idempotencyKey;
  if (key === undefined)
    return (await creation.create(`${creation.prefix ?? ''}${randomBytes(16).toString('base64url')}`)).reply;
  if (!/^[!-~]{1,255}$/.test(key))
    return refuse('malformed', 'An Idempotency-Key has 1 to 255 printable ASCII characters, such as a UUID.');
  const digest = createHash('sha256')
    .update(JSON.stringify([call.caller.actor, call.target, key]))
    .digest('base64url');
  // Keyed by what is not stored: a body may hold a password, which a bare hash would let somebody guess.
  const fingerprint = createHmac('sha256', key).update(JSON.stringify(body)).digest('base64url');
  return oneAfterAnother(call.services, digest, () => createUnder({ digest, fingerprint }, call, creation));
}

async function createUnder<Row>(marker: Marker, call: Call, creation: Creation<Row>): Promise<AdminReply> {
  const { artifacts, audit } = call.services.records;
  const known = (await artifacts.find(MODEL, marker.digest))?.payload;
  if (known !== undefined && known['fingerprint'] !== marker.fingerprint)
    return refuse('idempotency-key-reused', 'This Idempotency-Key came with another request; nothing was changed.');

  const derived = creation.prefix === undefined ? undefined : `${creation.prefix}${marker.digest.slice(0, 22)}`;
  const earlier = derived ?? known?.['id'];
  if (typeof earlier === 'string') {
    // In this order: what another gateway makes meanwhile must not look as if it were gone.
    const past = await audit.list({ subject: `${creation.kind}:${earlier}` }, { limit: 1 });
    const existing = await creation.find(earlier);
    if (existing !== undefined) return replay(creation.show(existing));
    if (past.items.length > 0)
      return refuse('conflict', 'What this Idempotency-Key made is gone since; send a new key to make another.');
  }

  await remember(marker, undefined, call);
  try {
    const { reply, id } = await creation.create(derived ?? '');
    if (id === undefined) await artifacts.destroy(MODEL, marker.digest);
    else if (id !== derived) await remember(marker, id, call);
    return reply;
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    // Another request with the same key came first: its answer is ours. Where that is not it, a name was taken.
    const other = derived === undefined ? undefined : await creation.find(derived);
    if (other !== undefined) return replay(creation.show(other));
    // Nothing was made: the request may be mended and sent again.
    await artifacts.destroy(MODEL, marker.digest);
    throw error;
  }
}

interface Marker {
  readonly digest: string;
  readonly fingerprint: string;
}

function remember({ digest, fingerprint }: Marker, id: string | undefined, { services }: Call): Promise<void> {
  return services.records.artifacts.upsert({
    model: MODEL,
    id: digest,
    payload: { fingerprint, ...(id === undefined ? {} : { id }) },
    expiresAt: services.now() + DAY_MS,
    grantId: undefined,
    userCode: undefined,
    uid: undefined,
    accountId: undefined,
    clientId: undefined,
  });
}

function replay(body: JsonObject): AdminReply {
  return replyJson(200, body, { 'Idempotency-Replayed': 'true' });
}

/** Requests with the same key wait for each other; as many wait as connections are open. */
async function oneAfterAnother(
  services: AdminServices,
  digest: string,
  work: () => Promise<AdminReply>,
): Promise<AdminReply> {
  const mine = underWay.get(services) ?? new Map<string, Promise<unknown>>();
  underWay.set(services, mine);
  const turn = (mine.get(digest) ?? Promise.resolve()).then(work, work);
  mine.set(digest, turn);
  try {
    return await turn;
  } finally {
    if (mine.get(digest) === turn) mine.delete(digest);
  }
}

/** What each app is at, by the digest of caller, path and key. */
const underWay = new WeakMap<AdminServices, Map<string, Promise<unknown>>>();

const MODEL = 'AdminIdempotency';

const DAY_MS = 86_400_000;
