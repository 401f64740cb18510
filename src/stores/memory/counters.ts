import { checkSpan } from '../counter-span.ts';
import type { Count, Counters } from '../counters.ts';
import { fingerprinter } from './keys.ts';
import { SharedTable } from './table.ts';

/** Counters in shared memory: exact over all threads of this process that open the same memory, and gone with it. */
export function memoryCounters(memory: SharedArrayBuffer): Counters {
  const table = new SharedTable(memory);
  const fingerprint = fingerprinter(table.seed);
  return {
    once(key, ttlMs) {
      checkSpan(ttlMs);
      const now = Date.now();
      return table.update(fingerprint('once', key), now, (present) =>
        present === undefined
          ? { entry: { value: 1, endsAt: now + ttlMs }, answer: true }
          : { entry: present, answer: false },
      );
    },
    increment(key, windowMs) {
      checkSpan(windowMs);
      const now = Date.now();
      return table.update(fingerprint('count', key), now, (present) => {
        const entry =
          present === undefined
            ? { value: 1, endsAt: now + windowMs }
            : { value: Math.min(present.value + 1, MOST), endsAt: present.endsAt };
        return { entry, answer: { count: entry.value, endsAt: entry.endsAt } };
      });
    },
    read(key) {
      return table.update(fingerprint('count', key), Date.now(), (present) => ({
        entry: present,
        answer: present === undefined ? NOTHING : { count: present.value, endsAt: present.endsAt },
      }));
    },
    clear(key) {
      for (const kind of ['once', 'count'] as const) {
        table.update(fingerprint(kind, key), Date.now(), () => ({ entry: undefined, answer: undefined }));
      }
    },
    async close() {},
  };
}

const NOTHING: Count = { count: 0, endsAt: 0 };
/** What a cell holds. */
const MOST = 2 ** 31 - 1;
