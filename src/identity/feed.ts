import { steadyNow } from '../lib/steady-clock.ts';
import type { AuditLog, AuditRecord, ChainHead } from '../stores/audit.ts';
import { LONGEST_TOKEN_MS } from './token-lifetime.ts';

export interface FeedOptions {
  readonly records: { readonly audit: Pick<AuditLog, 'after' | 'head' | 'seqBefore'> };
  /** Everything after this place is told. */
  readonly after: ChainHead;
  /** Called with new records in their order, before `onRead` of the same read; with the same ones again where it threw. */
  readonly onRecords: (records: readonly AuditRecord[]) => void;
  /** The log is known up to `seq` as of `readAt`, milliseconds of the steady clock. */
  readonly onRead: (seq: number, readAt: number) => void;
  /** The log is another than the one that was read: what was told may never have been, and what is there now is told from `seq` on. */
  readonly onOtherLog: (seq: number) => void;
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
 *
 * Each read begins with the record that was read last. Where that one is gone or another, the database has come back without
 * its last commits (a standby took over, a backup was put back) and has given its numbers anew. Then the log is told again from
 * before the oldest token that can still be alive.
 */
export function followAuditLog(options: FeedOptions): Feed {
  const { audit } = options.records;
  let known: Place = options.after;
  let timer: NodeJS.Timeout | undefined;
  let reading: Promise<void> | undefined;
  let again = false;
  let closed = false;

  async function read(): Promise<void> {
    try {
      while (!closed) {
        const readAt = steadyNow();
        const rows = await audit.after(known.seq - 1, 1 + BATCH);
        const first: Place | undefined = known.seq === 0 ? known : rows[0];
        if (first?.seq !== known.seq || (known.hash !== undefined && first.hash !== known.hash)) {
          await startOver();
          return;
        }
        await takeIn(first, known.seq === 0 ? rows : rows.slice(1));
        if (rows.length <= BATCH) {
          options.onRead(known.seq, readAt);
          return;
        }
      }
    } catch (error) {
      options.onFailure(error);
    }
  }

  async function takeIn(first: Place, rest: readonly AuditRecord[]): Promise<void> {
    const strayAt = rest.findIndex((record, at) => !follows(record, rest[at - 1] ?? first));
    const records = strayAt === -1 ? rest : await upToHead(rest);
    if (records.length > 0) options.onRecords(records);
    known = records.at(-1) ?? first; // only now: what nobody took in is read again
    // Somebody else was at the log: nobody counts as having read it, and `verify` tells what was done.
    if (strayAt !== -1)
      throw new Error(`Record ${rest[strayAt]?.seq} of the audit log does not follow the one before it.`);
  }

  /** Behind the head nothing is genuine: who read on from there would miss what is written up to it. */
  async function upToHead(records: readonly AuditRecord[]): Promise<readonly AuditRecord[]> {
    const head = await audit.head();
    return records.filter(({ seq }) => seq <= head.seq);
  }

  async function startOver(): Promise<void> {
    const seq = await audit.seqBefore(Date.now() - LONGEST_TOKEN_MS);
    options.onOtherLog(seq);
    known = { seq, hash: undefined };
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

function follows(record: AuditRecord, before: Place): boolean {
  return record.seq === before.seq + 1 && (before.hash === undefined || record.previous === before.hash);
}

/** What is known of a record that was read; nothing but its number where the log begins to be read anew. */
interface Place {
  readonly seq: number;
  readonly hash: string | undefined;
}

const POLL_MS = 150;
const BATCH = 500;
