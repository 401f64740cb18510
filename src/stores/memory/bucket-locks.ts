import { StoreUnavailable } from '../stores.ts';

/**
 * A lock for each bucket, in cells of shared memory. It is held for less than a microsecond, unless the system takes the
 * processor away from its holder or the thread is ended right there. In the second case nobody would open it again: it is
 * broken after who waits has slept and woken five hundred times, in each of which a living holder would have had its turn.
 * What the holder left behind is whole, since an entry is written before the fingerprint that makes it valid.
 */
export class BucketLocks {
  readonly #cells: Int32Array;
  readonly #cellOf: (bucket: number) => number;
  readonly #ticket: number;

  /** `ticket` tells this thread's locks from those of others; it is not 0. */
  constructor(cells: Int32Array, cellOf: (bucket: number) => number, ticket: number) {
    this.#cells = cells;
    this.#cellOf = cellOf;
    this.#ticket = ticket;
  }

  /** Runs work while nobody else touches the two buckets, which may be one. */
  hold<Outcome>(one: number, other: number, work: () => Outcome): Outcome {
    // Always in the same order: two who need the same two must not wait for each other.
    const [low, high] = one < other ? [one, other] : [other, one];
    this.#take(low);
    try {
      if (high !== low) this.#take(high);
      try {
        return work();
      } finally {
        if (high !== low) this.#give(high);
      }
    } finally {
      this.#give(low);
    }
  }

  #take(bucket: number): void {
    const cell = this.#cellOf(bucket);
    for (let spin = 0; spin < SPINS; spin += 1) {
      if (Atomics.compareExchange(this.#cells, cell, FREE, this.#ticket) === FREE) return;
    }
    let holder = FREE;
    let sleepsOfHolder = 0;
    for (let sleeps = 0; sleeps < SLEEPS_BOUND; sleeps += 1) {
      const found = Atomics.compareExchange(this.#cells, cell, FREE, this.#ticket);
      if (found === FREE) return;
      sleepsOfHolder = found === holder ? sleepsOfHolder + 1 : 0;
      holder = found;
      const isDead = sleepsOfHolder >= SLEEPS_OF_THE_DEAD;
      if (isDead && Atomics.compareExchange(this.#cells, cell, holder, this.#ticket) === holder) return;
      // Nobody wakes it: the holder would pay for that each time, and sleepers are rare.
      Atomics.wait(this.#cells, cell, found, SLEEP_MS);
    }
    throw new StoreUnavailable('The counters are too busy.');
  }

  /** Only where it is still ours: a lock that was broken belongs to somebody else. */
  #give(bucket: number): void {
    Atomics.compareExchange(this.#cells, this.#cellOf(bucket), this.#ticket, FREE);
  }
}

const FREE = 0;
/** A few microseconds: longer than a living thread on a processor holds a lock. */
const SPINS = 200;
const SLEEP_MS = 1;
const SLEEPS_OF_THE_DEAD = 500;
const SLEEPS_BOUND = 1_000;
