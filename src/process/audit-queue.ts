import type { AuditEvent, AuditLog } from '../stores/audit.ts';

export interface AuditQueueEvents {
  /** Events that found no room while the store did not answer. */
  onDropped(count: number): void;
  onFailure(error: unknown): void;
}

/**
 * Security events on their way to the log. A change is written in one transaction with its event and never comes through here;
 * these are the others, which nothing waits for: they go together, a few times a second, and are kept while the store is away, as
 * far as there is room.
 */
export class AuditQueue {
  readonly #log: AuditLog;
  readonly #events: AuditQueueEvents;
  #waiting: AuditEvent[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(log: AuditLog, events: AuditQueueEvents) {
    this.#log = log;
    this.#events = events;
  }

  add(event: AuditEvent): void {
    if (this.#waiting.length >= MOST_WAITING) this.#events.onDropped(1);
    else this.#waiting.push(event);
    this.#schedule(SOON_MS);
  }

  /** Writes what is left, once. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
  }

  #schedule(delay: number): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
      });
    }, delay).unref();
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH);
      try {
        await this.#log.append(batch);
        this.#waiting.splice(0, batch.length);
      } catch (error) {
        this.#events.onFailure(error);
        this.#schedule(AGAIN_MS);
        return;
      }
    }
  }
}

const SOON_MS = 100;
const AGAIN_MS = 1_000;
const BATCH = 200;
const MOST_WAITING = 10_000;
