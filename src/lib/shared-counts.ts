import { randomInt } from 'node:crypto';

/**
 * Counts that several threads keep together, in shared memory of a fixed size. Beside the totals each thread has a row of its own,
 * so that what a crashed thread had counted can be taken back. Keys are hashed with a secret seed: two that fall into one place
 * share its bound, which only ever refuses sooner, and nobody outside can choose such keys.
 */
export class SharedCounts {
  readonly #cells: Int32Array;
  readonly #row: number;

  /** The memory for so many threads: 256 KiB, and as much for each. */
  static allocate(threads: number): SharedArrayBuffer {
    const memory = new SharedArrayBuffer((HEADER + (1 + threads) * PLACES) * Int32Array.BYTES_PER_ELEMENT);
    new Int32Array(memory)[0] = randomInt(2 ** 31);
    return memory;
  }

  /** Takes back everything that a thread which is gone had counted. */
  static forget(memory: SharedArrayBuffer, thread: number): void {
    const cells = new Int32Array(memory);
    const row = rowOf(thread);
    for (let place = 0; place < PLACES; place += 1) {
      const count = Atomics.exchange(cells, row + place, 0);
      if (count !== 0) Atomics.sub(cells, HEADER + place, count);
    }
  }

  /** The counts as one thread uses them; threads are numbered from 0. */
  constructor(memory: SharedArrayBuffer, thread: number) {
    this.#cells = new Int32Array(memory);
    this.#row = rowOf(thread);
  }

  /** Counts one more; false where that would be more than `most` over all threads, and then nothing is counted. */
  add(key: string, most: number): boolean {
    const place = this.#placeOf(key);
    const total = HEADER + place;
    for (let seen = Atomics.load(this.#cells, total); seen < most; ) {
      const found = Atomics.compareExchange(this.#cells, total, seen, seen + 1);
      if (found === seen) {
        Atomics.add(this.#cells, this.#row + place, 1);
        return true;
      }
      seen = found;
    }
    return false;
  }

  /** Takes back one that `add` has counted in this thread. */
  remove(key: string): void {
    const place = this.#placeOf(key);
    Atomics.sub(this.#cells, this.#row + place, 1);
    Atomics.sub(this.#cells, HEADER + place, 1);
  }

  /** FNV-1a over the key, begun with the seed, and stirred at the end so that all bits of the place depend on all of it. */
  #placeOf(key: string): number {
    let hash = (this.#cells[0] ?? 0) ^ 0x811c9dc5;
    for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) & (PLACES - 1);
  }
}

function rowOf(thread: number): number {
  return HEADER + (1 + thread) * PLACES;
}

/** The seed stands in front. */
const HEADER = 1;
const PLACES = 2 ** 16;
