import { makeApiKey, type ParsedApiKey, parseApiKey } from '../lib/api-key.ts';
import type { JsonObject } from '../lib/json.ts';
import type { AuditEvent, AuditType } from '../stores/audit.ts';
import { type ApiKey, Conflict, NotFound, type Records, type Source } from '../stores/stores.ts';
import {
  endOfLife,
  type KeyFault,
  type KeyRequest,
  type KeyRules,
  keyRequestSchema,
  type ReadKeyRequest,
  type RotationRequest,
  readRequest,
  rotationSchema,
} from './key-request.ts';

/** Who changes a key, for its audit event, and on whose behalf the key exists. */
export interface KeyActor extends Pick<AuditEvent, 'actor' | 'address' | 'requestId'> {
  readonly source: Source;
}

/** A key that was just made: its text is shown once and kept nowhere. */
export interface CreatedKey {
  readonly text: string;
  readonly key: ApiKey;
  readonly refusal?: undefined;
}

export interface KeyRefusal {
  readonly refusal: 'invalid' | 'no-such-key' | 'no-such-consumer' | 'taken' | 'over' | 'declared';
  /** For the person who asked. */
  readonly message: string;
  readonly faults: readonly KeyFault[];
}

type KeyStore = Pick<Records, 'keys'>;

/** Makes a key for a consumer. What a key may do is fixed from then on: other rights take another key, see `rotateKey`. */
export async function createKey(
  records: KeyStore,
  request: KeyRequest,
  by: KeyActor,
  rules: KeyRules = {},
): Promise<CreatedKey | KeyRefusal> {
  const now = rules.now ?? Date.now();
  const read = readRequest(keyRequestSchema, request, { ...rules, now });
  if (read.faults !== undefined) return invalid(read.faults);
  const { key: text, ...made } = makeApiKey(read.request.environment);
  const key = keyRecord(rightsOf(read.request, now), made, { source: by.source, now });
  const refusal = await insert(records, key, by);
  return refusal ?? { text, key };
}

/**
 * Takes in a key that exists already, as a configuration declares it. Its environment is the one that stands in it. Where it
 * was taken in before, nothing happens and the key is answered as it is stored.
 */
export async function adoptKey(
  records: KeyStore,
  text: string,
  request: Omit<KeyRequest, 'environment'>,
  by: KeyActor,
  rules: KeyRules = {},
): Promise<{ readonly key: ApiKey; readonly refusal?: undefined } | KeyRefusal> {
  const now = rules.now ?? Date.now();
  const given = parseApiKey(text);
  if (given === undefined) return invalid([NO_KEY]);
  const read = readRequest(keyRequestSchema, { ...request, environment: given.environment }, { ...rules, now });
  if (read.faults !== undefined) return invalid(read.faults);
  const known = await records.keys.find(given.id);
  if (known !== undefined)
    return known.key.hash === given.secretHash && known.key.consumerId === request.consumerId
      ? { key: known.key }
      : refused('taken', `there is another key with the id ${given.id}`);
  const key = keyRecord(rightsOf(read.request, now), given, { source: by.source, now });
  const refusal = await insert(records, key, by);
  return refusal ?? { key };
}

/**
 * Makes a key that takes another's place, with all the rights of the old one that the request does not change. Both work until
 * the overlap is over or the old one's own end has come. A key with an end gets a successor that lives as long as it did.
 */
export async function rotateKey(
  records: KeyStore,
  id: string,
  request: RotationRequest,
  by: KeyActor,
  rules: KeyRules = {},
): Promise<CreatedKey | KeyRefusal> {
  const now = rules.now ?? Date.now();
  const read = readRequest(rotationSchema, request, { ...rules, now });
  if (read.faults !== undefined) return invalid(read.faults);
  const old = (await records.keys.find(id))?.key;
  if (old === undefined) return noSuchKey(id);
  if (isDeclared(old, by)) return declared(id);

  const change = read.request;
  // Field by field: a change that is there but undefined must not lift a restriction of the old key.
  const rights: KeyRights = {
    consumerId: old.consumerId,
    name: change.name ?? old.name,
    scopes: change.scopes ?? old.scopes,
    apis: change.apis ?? old.apis,
    cidrs: change.cidrs ?? old.cidrs,
    metadata: change.metadata ?? old.metadata,
    expiresAt:
      endOfLife(change, now) ?? (old.expiresAt === undefined ? undefined : now + old.expiresAt - old.createdAt),
  };
  const { key: text, ...made } = makeApiKey(old.environment);
  const key = keyRecord(rights, made, { source: old.source, now });
  const overlapUntil = Math.min(now + change.overlap, old.expiresAt ?? Number.POSITIVE_INFINITY);
  const rotated = await records.keys.rotate({ oldId: id, newKey: key, overlapUntil }, [
    eventOf(by, 'key.rotated', id, {
      replacedBy: key.id,
      overlapUntil: timeOf(overlapUntil),
      consumer: key.consumerId,
    }),
    eventOf(by, 'key.created', key.id, factsOf(key)),
  ]);
  return rotated
    ? { text, key }
    : refused('over', `the key ${id} is revoked, expired or replaced already; create a new one`);
}

/** Ends a key at once: no worker of any process takes it a second later. */
export async function revokeKey(
  records: KeyStore,
  id: string,
  by: KeyActor,
  rules: KeyRules = {},
): Promise<KeyRefusal | undefined> {
  const key = (await records.keys.find(id))?.key;
  if (key === undefined) return noSuchKey(id);
  if (isDeclared(key, by)) return declared(id);
  const revoked = await records.keys.revoke(id, rules.now ?? Date.now(), [
    eventOf(by, 'key.revoked', id, { name: key.name, consumer: key.consumerId }),
  ]);
  return revoked ? undefined : refused('over', `the key ${id} is revoked already`);
}

/** Removes a key and what is known of its use. */
export async function removeKey(records: KeyStore, id: string, by: KeyActor): Promise<KeyRefusal | undefined> {
  const key = (await records.keys.find(id))?.key;
  if (key === undefined) return noSuchKey(id);
  if (isDeclared(key, by)) return declared(id);
  const detail = { name: key.name, consumer: key.consumerId };
  return (await records.keys.remove(id, [eventOf(by, 'key.removed', id, detail)])) ? undefined : noSuchKey(id);
}

/** What of a stored key its holder or issuer chose. */
type KeyRights = Pick<ApiKey, 'consumerId' | 'name' | 'scopes' | 'apis' | 'cidrs' | 'metadata' | 'expiresAt'>;

/** The rights a request that was read asks for. */
export function rightsOf(request: ReadKeyRequest, now: number): KeyRights {
  const { consumerId, name, scopes, apis, cidrs, metadata } = request;
  return { consumerId, name, scopes, apis, cidrs, metadata, expiresAt: endOfLife(request, now) };
}

/** A key as it is stored, before its first use. */
export function keyRecord(
  rights: KeyRights,
  identity: ParsedApiKey,
  birth: { readonly source: Source; readonly now: number },
): ApiKey {
  return {
    id: identity.id,
    consumerId: rights.consumerId,
    name: rights.name,
    environment: identity.environment,
    hash: identity.secretHash,
    scopes: rights.scopes,
    apis: rights.apis,
    cidrs: rights.cidrs,
    metadata: rights.metadata,
    source: birth.source,
    createdAt: birth.now,
    expiresAt: rights.expiresAt,
    revokedAt: undefined,
    replacedBy: undefined,
    lastUsedAt: undefined,
    lastUsedAddress: undefined,
    lastUsedRoute: undefined,
    uses: 0,
  };
}

async function insert(records: KeyStore, key: ApiKey, by: KeyActor): Promise<KeyRefusal | undefined> {
  try {
    await records.keys.insert([key], [eventOf(by, 'key.created', key.id, factsOf(key))]);
    return undefined;
  } catch (error) {
    if (error instanceof NotFound) return refused('no-such-consumer', `there is no consumer ${key.consumerId}`);
    if (error instanceof Conflict) return refused('taken', `there is another key with the id ${key.id}`);
    throw error;
  }
}

/** What a key may do, for the audit log: neither its hash nor its metadata. */
function factsOf(key: ApiKey): JsonObject {
  return {
    name: key.name,
    consumer: key.consumerId,
    environment: key.environment,
    scopes: key.scopes,
    ...(key.apis === undefined ? {} : { apis: key.apis }),
    ...(key.cidrs === undefined ? {} : { cidrs: key.cidrs }),
    ...(key.expiresAt === undefined ? {} : { expiresAt: timeOf(key.expiresAt) }),
  };
}

function eventOf({ actor, address, requestId }: KeyActor, type: AuditType, id: string, detail: JsonObject): AuditEvent {
  return { type, actor, subject: `key:${id}`, address, requestId, detail };
}

/** What the configuration file declares, only the file changes: the next reload would undo anything else. */
function isDeclared(key: ApiKey, by: KeyActor): boolean {
  return key.source === 'config' && by.source !== 'config';
}

function declared(id: string): KeyRefusal {
  return refused('declared', `the key ${id} is declared in the configuration file; change it there and reload`);
}

function noSuchKey(id: string): KeyRefusal {
  return refused('no-such-key', `there is no key ${JSON.stringify(id.slice(0, 64))}`);
}

function invalid(faults: readonly KeyFault[]): KeyRefusal {
  return { refusal: 'invalid', message: `the request has ${faults.length} fault(s); nothing was changed`, faults };
}

function refused(refusal: KeyRefusal['refusal'], message: string): KeyRefusal {
  return { refusal, message, faults: [] };
}

function timeOf(at: number): string {
  return new Date(at).toISOString();
}

const NO_KEY: KeyFault = {
  path: 'key',
  message: 'is no API key of this gateway',
  hint: 'copy it whole, from sp_ to its last character; one that was mistyped fails its checksum',
};
