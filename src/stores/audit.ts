import type { JsonObject } from '../lib/json.ts';
import type { Page } from './page.ts';

/** Something that happened, before it has its place in the chain. It holds no secret: ids, names and reasons only. */
export interface AuditEvent {
  readonly type: AuditType;
  /** Who did it: `admin:<principal>`, `local:<uid>`, `client:<id>`, `user:<id>`, `key:<id>`, `config`, `system`, `anonymous`. */
  readonly actor: string;
  /** What it was done to, in the same form: `key:<id>`, `client:<id>`, `grant:<id>`, `token:<jti>`, … Empty where there is nothing. */
  readonly subject: string;
  readonly address?: string | undefined;
  readonly requestId?: string | undefined;
  readonly detail?: JsonObject | undefined;
}

/** A record of the chain: each hash covers the record and the hash before it. */
export interface AuditRecord extends AuditEvent {
  /** 1, 2, 3, … without a gap. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly previous: string;
  readonly hash: string;
}

export interface AuditLog {
  /** Appends events that go with no other change. */
  append(events: readonly AuditEvent[]): Promise<void>;
  /**
   * Records after a sequence number, oldest first; of these types alone, where some are named. Sequence numbers are given under the lock of the chain, so who has read
   * up to one never misses a smaller one: this is how processes hear of each other's changes.
   */
  after(seq: number, limit: number, types?: readonly AuditType[]): Promise<readonly AuditRecord[]>;
  /** The sequence number and hash of the newest record; 0 and the genesis hash for an empty log. */
  head(): Promise<{ readonly seq: number; readonly hash: string }>;
  /** The sequence number of the newest record before a time; 0 where there is none. */
  seqBefore(at: number): Promise<number>;
  /** Newest first, for people. */
  list(
    filter: {
      readonly type?: string | undefined;
      readonly subject?: string | undefined;
      readonly actor?: string | undefined;
    },
    page: { readonly limit: number; readonly before?: number | undefined },
  ): Promise<Page<AuditRecord>>;
  /**
   * Reads the whole log, or the records given in its place (an export of it), and finds the first that was edited, removed,
   * inserted or moved. A log that was rolled back as a whole, head included, is found by a head noted earlier elsewhere.
   */
  verify(options?: {
    readonly records?: AsyncIterable<AuditRecord> | Iterable<AuditRecord> | undefined;
    readonly expected?: ChainHead | undefined;
  }): Promise<ChainVerdict>;
}

/** The place a log has reached: what `AuditLog.head` answers, and what is written down elsewhere to find a log rolled back. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

export type ChainVerdict =
  | { readonly intact: true; readonly records: number; readonly head: ChainHead }
  | {
      readonly intact: false;
      /** Where the chain breaks: every record before it is as it was written. */
      readonly seq: number;
      readonly fault: ChainFault;
      /** A sentence for people. */
      readonly message: string;
    };

export type ChainFault = 'edited' | 'removed' | 'inserted' | 'rolled-back' | 'head-changed';

/** Every type of event; docs/audit.md explains each. Those marked `invalidates` make processes forget what they hold of the subject. */
// biome-ignore format: aligned on purpose, one type a row
export const auditTypes = {
  'gateway.started':          { invalidates: false },
  'gateway.stopped':          { invalidates: false },
  'config.applied':           { invalidates: false },
  'config.refused':           { invalidates: false },
  'admin.bootstrap':          { invalidates: false },
  'admin.refused':            { invalidates: false },
  'consumer.created':         { invalidates: false },
  'consumer.updated':         { invalidates: true },
  'consumer.removed':         { invalidates: true },
  'key.created':              { invalidates: true },
  'key.imported':             { invalidates: false },
  'key.rotated':              { invalidates: true },
  'key.revoked':              { invalidates: true },
  'key.removed':              { invalidates: true },
  'key.anomaly':              { invalidates: false },
  'client.created':           { invalidates: false },
  'client.registered':        { invalidates: false },
  'client.updated':           { invalidates: true },
  'client.removed':           { invalidates: true },
  'client.authentication-failed': { invalidates: false },
  'user.created':             { invalidates: false },
  'user.updated':             { invalidates: true },
  'user.removed':             { invalidates: true },
  'user.signed-in':           { invalidates: false },
  'user.sign-in-refused':     { invalidates: false },
  'user.signed-out':          { invalidates: false },
  'user.throttled':           { invalidates: false },
  'user.consented':           { invalidates: false },
  'token.issued':             { invalidates: false },
  'token.revoked':            { invalidates: true },
  'grant.revoked':            { invalidates: true },
  'grant.reuse-detected':     { invalidates: false },
  'session.created':          { invalidates: false },
  'session.refreshed':        { invalidates: true },
  'session.removed':          { invalidates: true },
  'signing-key.created':      { invalidates: true },
  'signing-key.retired':      { invalidates: true },
  'signing-key.removed':      { invalidates: true },
  'request.refused':          { invalidates: false },
} as const satisfies Record<string, { readonly invalidates: boolean }>;

export type AuditType = keyof typeof auditTypes;
