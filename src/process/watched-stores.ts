import type { ReplayGuard } from '../identity/services.ts';
import type { Counters } from '../stores/counters.ts';
import { type Records, StoreUnavailable } from '../stores/stores.ts';

/** What a worker asks the stores while requests wait. */
export interface WatchedStores {
  readonly records: {
    readonly keys: Pick<Records['keys'], 'find'>;
    readonly sessions: Pick<Records['sessions'], 'find'>;
  };
  readonly replay: ReplayGuard;
}

/** The stores as they are, but that `failed` hears of each time one gives a worker no answer: the control plane tells of it for all. */
export function watchStores(
  { records, counters }: { readonly records: Records; readonly counters: Counters },
  failed: (message: string) => void,
): WatchedStores {
  const notice = (error: unknown): never => {
    if (error instanceof StoreUnavailable) failed(error.message);
    throw error;
  };
  const { keys, sessions } = records;
  return {
    records: {
      keys: { find: (id) => keys.find(id).catch(notice) },
      sessions: { find: (id) => sessions.find(id).catch(notice) },
    },
    replay: {
      once(key, ttlMs) {
        try {
          const isFirst = counters.once(key, ttlMs);
          return typeof isFirst === 'boolean' ? isFirst : isFirst.catch(notice);
        } catch (error) {
          return notice(error); // shared memory answers at once, and is full
        }
      },
    },
  };
}
