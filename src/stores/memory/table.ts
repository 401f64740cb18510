import { threadId } from 'node:worker_threads';
import { StoreUnavailable } from '../stores.ts';
import { BucketLocks } from './bucket-locks.ts';
import { type Fingerprint, newSeed, SEED_BYTES } from './keys.ts';

/** What is kept of a key: a number, and when it ends in milliseconds since the epoch. */
export interface Entry {
  readonly value: number;
  readonly endsAt: number;
}

/** What becomes of an entry: `entry` is kept from now on, or nothing where it is undefined. */
export interface Decision<Answer> {
  readonly entry: Entry | undefined;
  readonly answer: Answer;
}

/**
 * A hash table in shared memory, for any number of threads. A key may stand in one of two buckets of sixteen places, whichever
 * has more room: nine of ten places are filled before one finds none. Entries that have ended make room, others never do.
 *
 * | bytes | what                                                                                     |
 * |-------|------------------------------------------------------------------------------------------|
 * | 32    | magic number, number of buckets, seed                                                    |
 * | 392   | a bucket: its lock, then 16 places of 24 bytes: end (float64), value, fingerprint         |
 */
export class SharedTable {
  readonly seed: Uint8Array;
  readonly #ends: Float64Array;
  readonly #cells: Int32Array;
  readonly #buckets: number;
  readonly #locks: BucketLocks;

  /** Makes the memory of a table; it has a place for every 24.5 bytes. */
  static allocate(bytes: number): SharedArrayBuffer {
    const buckets = Math.floor((bytes - HEADER_BYTES) / BUCKET_BYTES);
    if (!Number.isSafeInteger(buckets) || buckets < 2) {
      throw new RangeError(`Counters need ${HEADER_BYTES + 2 * BUCKET_BYTES} bytes at least.`);
    }
    const memory = new SharedArrayBuffer(HEADER_BYTES + buckets * BUCKET_BYTES);
    new Int32Array(memory).set([MAGIC, buckets]);
    new Uint8Array(memory, SEED_AT, SEED_BYTES).set(newSeed());
    return memory;
  }

  constructor(memory: SharedArrayBuffer) {
    this.#cells = new Int32Array(memory);
    this.#ends = new Float64Array(memory);
    const [magic, buckets] = this.#cells;
    if (magic !== MAGIC || buckets === undefined) throw new TypeError('This memory was not made by allocateCounters.');
    this.#buckets = buckets;
    this.seed = new Uint8Array(memory, SEED_AT, SEED_BYTES).slice();
    this.#locks = new BucketLocks(this.#cells, (bucket) => cellOfBucket(bucket), threadId + 1);
  }

  /** Reads the entry of a key and decides what becomes of it, in one step for all threads. Throws StoreUnavailable where it is full. */
  update<Answer>(key: Fingerprint, now: number, decide: (present: Entry | undefined) => Decision<Answer>): Answer {
    const [one, other] = [key.first % this.#buckets, key.second % this.#buckets];
    return this.#locks.hold(one, other, () => {
      const place = this.#find(one, key) ?? this.#find(other, key);
      const { entry, answer } = decide(place === undefined ? undefined : this.#read(place, now));
      if (entry !== undefined) this.#write(place ?? this.#roomIn(one, other, now), key, entry);
      else if (place !== undefined) this.#erase(place);
      return answer;
    });
  }

  /** The place of a key in a bucket, though it may have ended. */
  #find(bucket: number, key: Fingerprint): number | undefined {
    const first = cellOfBucket(bucket) + LOCK_CELLS;
    for (let place = first; place < first + PLACES * PLACE_CELLS; place += PLACE_CELLS) {
      const cells = this.#cells;
      if (cells[place + A] === key.a && cells[place + B] === key.b && cells[place + C] === key.c) return place;
    }
    return undefined;
  }

  #read(place: number, now: number): Entry | undefined {
    const endsAt = this.#ends[place / 2] ?? 0;
    return endsAt > now ? { value: this.#cells[place + VALUE] ?? 0, endsAt } : undefined;
  }

  /** The fingerprint comes last: a thread that is ended in between leaves an entry of nobody. */
  #write(place: number, key: Fingerprint, entry: Entry): void {
    const cells = this.#cells;
    cells[place + VALUE] = entry.value;
    this.#ends[place / 2] = entry.endsAt;
    cells[place + A] = key.a;
    cells[place + B] = key.b;
    Atomics.store(cells, place + C, key.c);
  }

  #erase(place: number): void {
    this.#ends[place / 2] = 0;
  }

  /** A free place in the emptier of the two buckets. */
  #roomIn(one: number, other: number, now: number): number {
    const [left, right] = [this.#countFree(one, now), this.#countFree(other, now)];
    if (left.free === 0 && right.free === 0) {
      throw new StoreUnavailable('The counters are full: give them more memory.');
    }
    const place = left.free >= right.free ? left.place : right.place;
    // What stood here has ended; its fingerprint must not vouch for a half-written entry of another key.
    this.#cells.fill(0, place + A, place + C + 1);
    return place;
  }

  #countFree(bucket: number, now: number): { readonly free: number; readonly place: number } {
    const first = cellOfBucket(bucket) + LOCK_CELLS;
    let free = 0;
    let place = first;
    for (let at = first; at < first + PLACES * PLACE_CELLS; at += PLACE_CELLS) {
      if ((this.#ends[at / 2] ?? 0) > now) continue;
      free += 1;
      place = at;
    }
    return { free, place };
  }
}

function cellOfBucket(bucket: number): number {
  return (HEADER_BYTES + bucket * BUCKET_BYTES) / Int32Array.BYTES_PER_ELEMENT;
}

const MAGIC = 0x53505443;
const SEED_AT = 8;
const HEADER_BYTES = 32;
const PLACES = 16;
/** In cells of four bytes; a place begins with its end, on eight bytes. */
const PLACE_CELLS = 6;
const LOCK_CELLS = 2;
const [VALUE, A, B, C] = [2, 3, 4, 5] as const;
const BUCKET_BYTES = (LOCK_CELLS + PLACES * PLACE_CELLS) * Int32Array.BYTES_PER_ELEMENT;
