import type { AuditEvent } from '../stores/audit.ts';
import type { SummedKeyUse } from './key-uses.ts';

/** What a worker has noted since its last report; structured-cloneable. */
export interface ReportBatch {
  readonly events: readonly CountedEvent[];
  readonly uses: readonly SummedKeyUse[];
  /** Uses that are in none of them, for want of room. */
  readonly usesDropped: number;
  readonly refusedKeys: readonly RefusedKey[];
  /** Events that found no room. */
  readonly dropped: number;
  /** How often a store gave no answer, and what the last one said; undefined where all did. */
  readonly storeFailures: { readonly count: number; readonly message: string } | undefined;
}

/** Events that differ in nothing but time and request are one, with how often it happened. */
export interface CountedEvent {
  readonly event: AuditEvent;
  readonly count: number;
}

export interface RefusedKey {
  readonly id: string;
  readonly address: string;
  readonly count: number;
}

/** Adds up what a worker reports, within fixed bounds: a flood of refusals becomes a number, not a queue. */
export class ReportCollector {
  #events = new Map<string, { readonly event: AuditEvent; count: number }>();
  #refused = new Map<string, { readonly id: string; readonly address: string; count: number }>();
  #dropped = 0;
  #storeFailures: ReportBatch['storeFailures'];

  audit(event: AuditEvent): void {
    const key = JSON.stringify([event.type, event.actor, event.subject, event.address ?? '', event.detail ?? null]);
    const known = this.#events.get(key);
    if (known !== undefined) known.count += 1;
    else if (this.#events.size < MOST_EVENTS) this.#events.set(key, { event, count: 1 });
    else this.#dropped += 1;
  }

  keyRefused(id: string, address: string): void {
    const key = `${id} ${address}`;
    const known = this.#refused.get(key);
    if (known !== undefined) known.count += 1;
    else if (this.#refused.size < MOST_EVENTS) this.#refused.set(key, { id, address, count: 1 });
    else this.#dropped += 1;
  }

  storeFailed(message: string): void {
    this.#storeFailures = { count: (this.#storeFailures?.count ?? 0) + 1, message };
  }

  /** Everything since the last call, with the uses of keys given; undefined where there is nothing. */
  drain(uses: readonly SummedKeyUse[], usesDropped = 0): ReportBatch | undefined {
    const isQuiet = this.#storeFailures === undefined && this.#dropped === 0;
    if (isQuiet && this.#events.size + this.#refused.size + uses.length === 0) return undefined;
    const batch: ReportBatch = {
      events: [...this.#events.values()],
      uses,
      usesDropped,
      refusedKeys: [...this.#refused.values()],
      dropped: this.#dropped,
      storeFailures: this.#storeFailures,
    };
    this.#events = new Map();
    this.#refused = new Map();
    this.#dropped = 0;
    this.#storeFailures = undefined;
    return batch;
  }
}

/** Between two reports, a second or so apart: a flood from everywhere must not fill the audit log. */
const MOST_EVENTS = 100;
