import type { Freshness } from './link.ts';

/**
 * How far this process has read the log of changes, in memory that the control plane writes and all workers read. A worker is
 * fresh while the last read began a moment ago and the worker itself has taken in everything that read brought: the memory
 * would otherwise be ahead of the messages.
 */
export class SharedFreshness implements Freshness {
  readonly #cells: BigInt64Array;
  readonly #clock: () => number;
  #takenIn = 0n;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT);
  }

  constructor(memory: SharedArrayBuffer, clock: () => number = Date.now) {
    this.#cells = new BigInt64Array(memory);
    this.#clock = clock;
  }

  /** By the control plane: everything up to `seq` was known at `readAt`, ms since the epoch. The workers have been sent it. */
  note(seq: number, readAt: number): void {
    Atomics.store(this.#cells, SEQ, BigInt(seq));
    Atomics.store(this.#cells, READ_AT, BigInt(readAt));
  }

  /** By a worker: it has taken in everything up to `seq`. */
  takeIn(seq: number): void {
    if (BigInt(seq) > this.#takenIn) this.#takenIn = BigInt(seq);
  }

  isFresh(): boolean {
    if (this.#clock() - Number(Atomics.load(this.#cells, READ_AT)) > FRESH_MS) return false;
    return this.#takenIn >= Atomics.load(this.#cells, SEQ);
  }
}

/** A change is in force everywhere within a second: this, and the time one read takes. */
const FRESH_MS = 800;
const READ_AT = 0;
const SEQ = 1;
