import { steadyNow } from '../lib/steady-clock.ts';
import type { Freshness } from './link.ts';

/**
 * How far this process has read the log of changes, in memory that the control plane writes and all workers read. A worker is
 * fresh while the last read began a moment ago and the worker itself has taken in everything that read brought: the memory
 * would otherwise be ahead of the messages.
 *
 * It is asked once or twice a request, so it does without BigInt: of the sequence number the low 32 bits are kept, which tells
 * right as long as a worker is behind by fewer than 2³¹ records, and of the time tenths of seconds, which last 13 years.
 *
 * Numbers of the log compare only within one era. Another begins where the log was found to be another than the one that was
 * read: then a worker that knows a larger number knows nothing.
 */
export class SharedFreshness implements Freshness {
  readonly #cells: Int32Array;
  readonly #clock: () => number;
  /** -1 before anything was taken in. */
  #takenIn = -1;
  #era: number;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT);
  }

  /** `clock` is in milliseconds, the same for all who share the memory. */
  constructor(memory: SharedArrayBuffer, clock: () => number = steadyNow) {
    this.#cells = new Int32Array(memory);
    this.#clock = clock;
    this.#era = Atomics.load(this.#cells, ERA);
  }

  /** By the control plane: everything up to `seq` was known at `readAt`, by the clock. The workers have been sent it. */
  note(seq: number, readAt: number): void {
    // The number first: who sees the new time sees it too.
    Atomics.store(this.#cells, SEQ, seq | 0);
    Atomics.store(this.#cells, READ_AT, Math.floor(readAt / TICK_MS) | 0);
  }

  /** By the control plane: what was taken in so far counts no more. Answers the era that begins, for the workers to be told. */
  beginEra(): number {
    this.#era = Atomics.add(this.#cells, ERA, 1) + 1;
    return this.#era;
  }

  /** By a worker: it has let go of all it held, and so it has missed nothing up to `seq`. */
  enterEra(era: number, seq: number): void {
    this.#era = era;
    this.#takenIn = seq;
  }

  /** By a worker: it has taken in everything up to `seq`. */
  takeIn(seq: number): void {
    if (seq > this.#takenIn) this.#takenIn = seq;
  }

  isFresh(): boolean {
    if (this.#era !== Atomics.load(this.#cells, ERA)) return false;
    const readAt = Atomics.load(this.#cells, READ_AT) >>> 0;
    if (readAt === NEVER || this.#clock() - readAt * TICK_MS > FRESH_MS) return false;
    return this.#takenIn >= 0 && ((this.#takenIn - Atomics.load(this.#cells, SEQ)) | 0) >= 0;
  }
}

/** A change is in force everywhere within a second: this, and the time one read takes. */
const FRESH_MS = 800;
/** A read counts from the beginning of its tick on: what is rounded off makes it older, never younger. */
const TICK_MS = 100;
const NEVER = 0;
const READ_AT = 0;
const SEQ = 1;
const ERA = 2;
