import type { AuditEvent, AuditLog } from '../stores/audit.ts';

export interface AuditQueueEvents {
  /** Events that found no room while the store did not answer, or that it did not take to the end. */
  onDropped(count: number): void;
  onFailure(error: unknown): void;
}

/**
 * Security events on their way to the log. A change is written in one transaction with its event and never comes through here;
 * these are the others, which nothing waits for: they go together, a few times a second, and are kept while the store is away, as
 * far as there is room.
 */
export class AuditQueue {
  readonly #log: Pick<AuditLog, 'append'>;
  readonly #events: AuditQueueEvents;
  #waiting: AuditEvent[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(log: Pick<AuditLog, 'append'>, events: AuditQueueEvents) {
    this.#log = log;
    this.#events = events;
  }

  add(event: AuditEvent): void {
    if (this.#closed || this.#waiting.length >= MOST_WAITING) this.#events.onDropped(1);
    else this.#waiting.push(event);
    this.#schedule(SOON_MS);
  }

  /** Writes what is left, once; what the log does not take then is dropped, and what comes afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    if (!(await this.#write())) this.#events.onDropped(this.#waiting.splice(0).length);
  }

  /** Nothing to do while a write is under way: it takes along what comes meanwhile, and two at once would write the same twice. */
  #schedule(delay: number): void {
    if (this.#closed || this.#timer !== undefined || this.#writing !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#write().then((isDone) => {
        this.#writing = undefined;
        if (this.#waiting.length > 0) this.#schedule(isDone ? SOON_MS : AGAIN_MS);
      });
    }, delay).unref();
  }

  /** False where the log did not take them; they wait on. It never rejects. */
  async #write(): Promise<boolean> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH);
      try {
        await this.#log.append(batch);
        this.#waiting.splice(0, batch.length);
      } catch (error) {
        this.#events.onFailure(error);
        return false;
      }
    }
    return true;
  }
}

const SOON_MS = 100;
const AGAIN_MS = 1_000;
const BATCH = 200;
const MOST_WAITING = 10_000;
