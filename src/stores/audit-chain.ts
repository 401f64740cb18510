import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Json, JsonObject } from '../lib/json.ts';
import type { AuditEvent, AuditRecord, ChainFault, ChainHead, ChainVerdict } from './audit.ts';

/** The hash before the first record. */
export const GENESIS_HASH = Buffer.alloc(32).toString('base64url');

/**
 * Gives an event its place: HMAC-SHA-256 over the record and the hash before it. Who may write to the database but does not
 * have the key cannot make a hash that fits.
 */
export function chainEvent(
  key: Uint8Array,
  event: AuditEvent,
  place: { readonly seq: number; readonly at: number; readonly previous: string },
): AuditRecord {
  const unhashed = { ...event, ...place };
  return { ...unhashed, hash: hashOf(key, unhashed) };
}

/** Holds the place of the newest record, so that nobody can put an older one there or take the newest away. */
export function macOfHead(key: Uint8Array, head: ChainHead & { readonly at: number }): string {
  return hmac(key, canonicalJson(['head', head.seq, head.at, head.hash]));
}

export function isHeadGenuine(
  key: Uint8Array,
  head: ChainHead & { readonly at: number; readonly mac: string },
): boolean {
  return isSame(macOfHead(key, head), head.mac);
}

/**
 * Reads a whole log from its first record and finds the first that was edited, removed, inserted or moved. With `expected`, a
 * head that was noted earlier or elsewhere, a log that was cut or rolled back to before it is found too.
 */
export async function verifyChain(
  key: Uint8Array,
  records: AsyncIterable<AuditRecord> | Iterable<AuditRecord>,
  expected?: ChainHead,
): Promise<ChainVerdict> {
  let head: ChainHead = { seq: 0, hash: GENESIS_HASH };
  const passesExpected = (): boolean => expected?.seq !== head.seq || isSame(expected.hash, head.hash);
  for await (const record of records) {
    const fault = faultOf(key, record, head);
    if (fault !== undefined) return fault;
    head = { seq: record.seq, hash: record.hash };
    if (!passesExpected()) return broken(head.seq, 'rolled-back', 'is not the one that was noted for this place');
  }
  if (expected !== undefined && expected.seq > head.seq) {
    return broken(head.seq + 1, 'rolled-back', `and those up to ${expected.seq} are gone from the end`);
  }
  return { intact: true, records: head.seq, head };
}

function faultOf(key: Uint8Array, record: AuditRecord, head: ChainHead): ChainVerdict | undefined {
  const seq = head.seq + 1;
  if (!Number.isSafeInteger(record.seq) || record.seq < seq) {
    return broken(seq, 'inserted', `is followed by one numbered ${record.seq}`);
  }
  if (record.seq > seq) return broken(seq, 'removed', `is missing; the next one is ${record.seq}`);
  if (!isSame(hashOf(key, record), record.hash)) {
    return broken(seq, 'edited', 'was changed: its hash does not fit what it says');
  }
  if (!isSame(record.previous, head.hash)) {
    return broken(seq, 'edited', 'does not follow the one before it: one of the two was put in another’s place');
  }
  return undefined;
}

function broken(seq: number, fault: ChainFault, what: string): ChainVerdict {
  return { intact: false, seq, fault, message: `Record ${seq} ${what}.` };
}

function hashOf(key: Uint8Array, record: Omit<AuditRecord, 'hash'>): string {
  const { seq, at, type, actor, subject, address, requestId, detail, previous } = record;
  const fields = [seq, at, type, actor, subject, address ?? null, requestId ?? null, detail ?? null, previous];
  return hmac(key, canonicalJson(fields));
}

/** JSON with the names of each object in one order, so that what a database gives back hashes as it did when it was written. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const object = value as JsonObject; // the arrays are gone; TypeScript does not tell readonly arrays apart
  const names = Object.keys(object).sort();
  const members = names.flatMap((name) => {
    const member = object[name];
    return member === undefined ? [] : [`${JSON.stringify(name)}:${canonicalJson(member)}`];
  });
  return `{${members.join(',')}}`;
}

function hmac(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
