import type { AuditRecord, AuditType } from '../stores/audit.ts';
import type { Revocations, TokenFacts } from './services.ts';

/** How much is remembered, and for how long. */
export interface RevocationBounds {
  readonly maxEntries?: number;
  /** In milliseconds, a day where it is left out: no token of the embedded authorization server may live longer. */
  readonly longestTokenLifetime?: number;
}

/**
 * Which tokens of the embedded authorization server were taken back, as the audit records tell it: every process reads those
 * within a second. An entry is forgotten once the last token it could concern has expired. Where there is no room, the client
 * with the most entries gives them up for one date: every token of its own from before counts as revoked, which refuses more
 * than was asked, never less. So a client that revokes without end harms itself. Where no client stands out the date is for all.
 */
export class RevocationList implements Revocations {
  epoch = 0;
  readonly #bounds: Required<RevocationBounds>;
  /** By what was revoked, such as `token:<jti>`. */
  readonly #entries = new Map<string, Entry>();
  /** Tokens issued up to then are refused; milliseconds. */
  #floor = Number.NEGATIVE_INFINITY;

  constructor(bounds: RevocationBounds = {}) {
    this.#bounds = { maxEntries: 100_000, longestTokenLifetime: 86_400_000, ...bounds };
  }

  /** Records of other types are passed over, so whole batches of the log may be given. */
  note(records: readonly AuditRecord[]): void {
    let revoked = false;
    for (const record of records) {
      if (!revokes(record)) continue;
      revoked = true;
      this.#remember(record);
    }
    if (revoked) this.epoch += 1;
  }

  isRevoked({ jti, grantId, clientId, subject, issuedAt }: TokenFacts): boolean {
    const issued = issuedAt === undefined ? Number.NEGATIVE_INFINITY : issuedAt * 1_000;
    if (issued <= this.#floor) return true;
    if (jti !== undefined && this.#entries.has(`token:${jti}`)) return true;
    if (grantId !== undefined && this.#entries.has(`grant:${grantId}`)) return true;
    return this.#isBefore(`client:${clientId}`, issued) || this.#isBefore(`user:${subject}`, issued);
  }

  /** Forgets what concerns no living token any more. `now` in milliseconds. */
  sweep(now: number): void {
    for (const [key, { until }] of this.#entries) if (until <= now) this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }

  #isBefore(key: string, issued: number): boolean {
    const entry = this.#entries.get(key);
    return entry !== undefined && issued <= entry.at;
  }

  #remember(record: AuditRecord): void {
    const { at, subject } = record;
    const expiry = record.type === 'token.revoked' ? record.detail?.['exp'] : undefined;
    const until = typeof expiry === 'number' ? expiry * 1_000 : at + this.#bounds.longestTokenLifetime;
    if (this.#isFull() && !this.#entries.has(subject)) {
      this.sweep(Date.now());
      if (this.#isFull()) this.#foldLargest(at);
      if (this.#isFull()) {
        this.#raiseFloor(at);
        return;
      }
    }
    this.#add(subject, { at, until, client: clientOf(record) });
  }

  #add(subject: string, { at, until, client }: Entry): void {
    const known = this.#entries.get(subject);
    this.#entries.set(subject, {
      at: Math.max(at, known?.at ?? at),
      until: Math.max(until, known?.until ?? until),
      client,
    });
  }

  #isFull(): boolean {
    return this.#entries.size >= this.#bounds.maxEntries;
  }

  /** All that a client's tokens were taken back by becomes one entry for the client, unless that would make little room for the work. */
  #foldLargest(at: number): void {
    const counts = new Map<string, number>();
    for (const { client } of this.#entries.values())
      if (client !== undefined) counts.set(client, (counts.get(client) ?? 0) + 1);
    const [largest, count] = [...counts].reduce((most, one) => (one[1] > most[1] ? one : most), ['', 0]);
    if (count < Math.max(2, this.#bounds.maxEntries * LEAST_SHARE)) return;
    let until = 0;
    for (const [subject, entry] of this.#entries) {
      if (entry.client !== largest) continue;
      until = Math.max(until, entry.until);
      this.#entries.delete(subject);
    }
    this.#add(`client:${largest}`, { at, until, client: undefined });
  }

  /** What is remembered was revoked before `at`, so the date says it all. */
  #raiseFloor(at: number): void {
    for (const entry of this.#entries.values()) this.#floor = Math.max(this.#floor, entry.at);
    this.#floor = Math.max(this.#floor, at);
    this.#entries.clear();
  }
}

/** What was revoked, when, and until when that matters, in milliseconds; whose tokens alone it concerns, where that is one client's. */
interface Entry {
  readonly at: number;
  readonly until: number;
  readonly client: string | undefined;
}

/** Of all entries: a walk through them has to make room for so many. */
const LEAST_SHARE = 0.01;

function clientOf({ type, detail }: AuditRecord): string | undefined {
  const client = type === 'token.revoked' || type === 'grant.revoked' ? detail?.['client'] : undefined;
  return typeof client === 'string' ? client : undefined;
}

/** Types of the records that may take tokens back. */
export const revokingTypes = [
  'token.revoked',
  'grant.revoked',
  'client.updated',
  'client.removed',
  'user.updated',
  'user.removed',
] as const satisfies readonly AuditType[];

function revokes({ type, detail }: AuditRecord): boolean {
  switch (type) {
    case 'token.revoked':
    case 'grant.revoked':
    case 'client.removed':
    case 'user.removed':
      return true;
    case 'client.updated':
    case 'user.updated':
      return detail?.['disabled'] === true || detail?.['tokensRevoked'] === true;
    default:
      return false;
  }
}
