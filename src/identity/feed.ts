import { steadyNow } from '../lib/steady-clock.ts';
import type { AuditRecord } from '../stores/audit.ts';
import type { Records } from '../stores/stores.ts';

export interface FeedOptions {
  readonly records: Pick<Records, 'audit'>;
  /** Everything after this sequence number is told. */
  readonly after: number;
  /** Called with new records in their order, before `onRead` of the same read; with the same ones again where it threw. */
  readonly onRecords: (records: readonly AuditRecord[]) => void;
  /** The log is known up to `seq` as of `readAt`, milliseconds of the steady clock. */
  readonly onRead: (seq: number, readAt: number) => void;
  /** A read failed; the next one is tried all the same. */
  readonly onFailure: (error: unknown) => void;
}

export interface Feed {
  /** Reads at once, since this process itself has just changed something. */
  nudge(): void;
  close(): Promise<void>;
}

/**
 * Follows the audit log, which is how a process hears of what others have changed: sequence numbers are given in the order of
 * commits, so reading on from the last one misses nothing. Polling is cheap (one look-up by primary key), needs no connection
 * of its own and recovers by itself.
 */
export function followAuditLog(options: FeedOptions): Feed {
  let seq = options.after;
  let timer: NodeJS.Timeout | undefined;
  let reading: Promise<void> | undefined;
  let again = false;
  let closed = false;

  async function read(): Promise<void> {
    try {
      while (!closed) {
        const readAt = steadyNow();
        const records = await options.records.audit.after(seq, BATCH);
        const last = records.at(-1);
        if (last !== undefined) {
          options.onRecords(records);
          seq = last.seq; // only now: what nobody took in is read again
        }
        if (records.length < BATCH) {
          options.onRead(seq, readAt);
          return;
        }
      }
    } catch (error) {
      options.onFailure(error);
    }
  }

  function run(): void {
    clearTimeout(timer);
    if (closed) return;
    again = false;
    reading = read().finally(() => {
      reading = undefined;
      if (closed) return;
      if (again) run();
      else timer = setTimeout(run, POLL_MS).unref();
    });
  }

  run();
  return {
    nudge() {
      if (reading === undefined) run();
      else again = true;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await reading;
    },
  };
}

const POLL_MS = 150;
const BATCH = 500;
