import { LRUCache } from 'lru-cache';
import type { AuditRecord } from '../stores/audit.ts';
import { type KeyWithConsumer, type Records, StoreUnavailable } from '../stores/stores.ts';
import type { Freshness } from './link.ts';
import type { KeyFinder } from './services.ts';

export interface KeyFinderOptions {
  readonly records: { readonly keys: Pick<Records['keys'], 'find'> };
  /** What is held is used only while this process has heard of every change up to a moment ago. */
  readonly freshness: Freshness;
  /** The most keys that are held. */
  readonly capacity: number;
  /** The most memory they may take, in bytes, roughly; left out, 2 KiB a key. */
  readonly capacityBytes?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined;
}

export interface CachedKeyFinder extends KeyFinder {
  /** Hears of changes to keys and consumers, whoever made them. */
  forget(records: readonly AuditRecord[]): void;
  /** For when nobody knows what was missed. */
  forgetAll(): void;
}

/**
 * Keys by their lookup id. A key that is held is answered without a promise and without the store. Ids that lead nowhere are
 * held too, apart and for a moment only, so that neither a flood of them reaches the store nor displaces the keys in use.
 * However little is heard of it, a key is read again after a minute: no change that was missed is missed for longer.
 */
export function createKeyFinder(options: KeyFinderOptions): CachedKeyFinder {
  const { records, freshness, capacity } = options;
  const clock = options.clock ?? Date.now;
  const held = new LRUCache<string, Held>({
    max: capacity,
    maxSize: options.capacityBytes ?? capacity * USUAL_SIZE,
    sizeCalculation: ({ found }) => sizeOf(found),
  });
  /** When it was found that there is no such key. */
  const absent = new LRUCache<string, number>({ max: Math.min(capacity, MOST_ABSENT) });
  const flights = new Map<string, Flight>();
  let inFlight = 0;

  function find(id: string): KeyWithConsumer | undefined | Promise<KeyWithConsumer | undefined> {
    if (freshness.isFresh()) {
      const known = held.get(id);
      if (known !== undefined && isYounger(known.readAt, HELD_MS)) return known.found;
      const absentSince = absent.get(id);
      if (absentSince !== undefined && isYounger(absentSince, ABSENT_MS)) return undefined;
    }
    const flight = flights.get(id);
    // One that has been under way for long began before changes the caller may count on.
    if (flight?.answer !== undefined && clock() - flight.startedAt < JOINABLE_MS) return flight.answer;
    if (inFlight >= MOST_FLIGHTS)
      return Promise.reject(new StoreUnavailable(`${MOST_FLIGHTS} keys are looked up already`));
    return takeOff(id);
  }

  function isYounger(since: number, ms: number): boolean {
    const age = clock() - since;
    return age >= 0 && age < ms;
  }

  function takeOff(id: string): Promise<KeyWithConsumer | undefined> {
    const flight: Flight = { startedAt: clock(), answer: undefined };
    flights.set(id, flight);
    inFlight += 1;
    flight.answer = lookUp(id, flight);
    return flight.answer;
  }

  /** What it answers is kept only where nothing changed on the way: the store may have been read before the change. */
  async function lookUp(id: string, flight: Flight): Promise<KeyWithConsumer | undefined> {
    try {
      const found = await records.keys.find(id);
      if (flights.get(id) === flight) {
        if (found === undefined) absent.set(id, flight.startedAt);
        else held.set(id, { found, readAt: flight.startedAt });
      }
      return found;
    } finally {
      inFlight -= 1;
      if (flights.get(id) === flight) flights.delete(id);
    }
  }

  function forget(changes: readonly AuditRecord[]): void {
    const consumers = new Set<string>();
    for (const { type, subject } of changes) {
      if (type.startsWith('key.') && subject.startsWith('key:')) forgetKey(subject.slice('key:'.length));
      else if (type.startsWith('consumer.') && subject.startsWith('consumer:'))
        consumers.add(subject.slice('consumer:'.length));
    }
    if (consumers.size === 0) return;
    // One walk for all of a batch: an index by consumer would cost memory all day for what happens now and then.
    const theirs = [...held.values()].filter(({ found }) => consumers.has(found.consumer.id));
    for (const { found } of theirs) held.delete(found.key.id);
    flights.clear(); // whose keys they are is not known yet
  }

  function forgetKey(id: string): void {
    held.delete(id);
    absent.delete(id);
    flights.delete(id);
  }

  function forgetAll(): void {
    held.clear();
    absent.clear();
    flights.clear();
  }

  return { find, forget, forgetAll };
}

interface Held {
  readonly found: KeyWithConsumer;
  readonly readAt: number;
}

interface Flight {
  readonly startedAt: number;
  answer: Promise<KeyWithConsumer | undefined> | undefined;
}

/** An estimate of what a key holds of memory, in bytes. Compiled blocks of addresses are dear. */
function sizeOf({ key, consumer }: KeyWithConsumer): number {
  const metadata = JSON.stringify(key.metadata).length + JSON.stringify(consumer.metadata).length;
  const lists = lengthOf(key.scopes) + lengthOf(key.apis ?? []) + 256 * (key.cidrs?.length ?? 0);
  return 1_024 + 2 * metadata + lists;
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length + 32, 0);
}

const USUAL_SIZE = 2_048;
const HELD_MS = 60_000;
const MOST_ABSENT = 10_000;
/** A key that was created elsewhere and not told of, by an import, works after so long. */
const ABSENT_MS = 1_000;
const JOINABLE_MS = 250;
const MOST_FLIGHTS = 1_000;
