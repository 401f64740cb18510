import { sql } from 'kysely';
import type { AuditEvent, AuditLog, AuditRecord, AuditType, ChainVerdict } from '../audit.ts';
import { canonicalJson, chainEvent, isHeadGenuine, macOfHead, verifyChain } from '../audit-chain.ts';
import { objectOf, orNull, orUndefined } from './columns.ts';
import type { Change, RecordsDatabase } from './database.ts';
import { pageOf, rowsToRead } from './page-query.ts';
import type { StoreSecrets } from './store-secrets.ts';
import type { AuditRow } from './tables.ts';

/** The audit log as every other table of the records writes it. */
export interface AuditTrail extends AuditLog {
  /** Appends events to the change they belong to; it takes the lock of the head, so that nothing but the commit comes after. */
  record(change: Change, events: readonly AuditEvent[]): Promise<void>;
  /** Takes the lock of the head early: whoever else changes anything waits for the end of this change. */
  lock(change: Change): Promise<void>;
}

export function auditLog(database: RecordsDatabase, secrets: StoreSecrets): AuditTrail {
  const lock = async (change: Change): Promise<Head> => {
    const query = change.selectFrom('audit_head').select(['seq', 'at', 'hash', 'mac']).where('id', '=', 1);
    // SQLite has one writer at a time as it is, and knows no `for update`.
    const row = await (database.dialect === 'postgres' ? query.forUpdate() : query).executeTakeFirst();
    if (row === undefined || !isHeadGenuine(secrets.auditKey, row)) {
      throw new Error(
        'The head of the audit log was changed by somebody else; nothing is added to what cannot be trusted.',
      );
    }
    return row;
  };

  const record = async (change: Change, events: readonly AuditEvent[]): Promise<void> => {
    if (events.length === 0) return;
    const head = await lock(change);
    // Clocks may step back and differ between machines; the times of the log never do.
    const at = Math.max(Date.now(), head.at);
    let { seq, hash } = head;
    const rows = events.map((event) => {
      const chained = chainEvent(secrets.auditKey, bounded(event), { seq: seq + 1, at, previous: hash });
      ({ seq, hash } = chained);
      return rowOf(chained);
    });
    for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT) {
      await change
        .insertInto('audit_log')
        .values(rows.slice(from, from + ROWS_A_STATEMENT))
        .execute();
    }
    const mac = macOfHead(secrets.auditKey, { seq, at, hash });
    await change.updateTable('audit_head').set({ seq, at, hash, mac }).where('id', '=', 1).execute();
  };

  const after: AuditLog['after'] = async (seq, limit, types) => {
    const all = database.follower.selectFrom('audit_log').selectAll().where('seq', '>', seq);
    const query = types === undefined ? all : all.where('type', 'in', types);
    return (await query.orderBy('seq').limit(limit).execute()).map(recordOf);
  };

  const genuineHead = async (): Promise<Head> => {
    const row = await database.reader.selectFrom('audit_head').selectAll().where('id', '=', 1).executeTakeFirst();
    if (row === undefined) throw new Error('The audit log has lost its head; restore a backup.');
    return row;
  };

  return {
    record,
    lock: async (change) => void (await lock(change)),
    append: async (events) => await database.change(async (change) => await record(change, events)),
    after,
    async head() {
      const { seq, hash } = await genuineHead();
      return { seq, hash };
    },
    async seqBefore(at) {
      const query = database.reader.selectFrom('audit_log').select('seq').where('at', '<', at);
      const row = await query.orderBy('at', 'desc').orderBy('seq', 'desc').limit(1).executeTakeFirst();
      return row?.seq ?? 0;
    },
    async list(filter, page) {
      let query = database.reader.selectFrom('audit_log').selectAll();
      for (const column of ['type', 'subject', 'actor'] as const) {
        const wanted = filter[column];
        if (wanted !== undefined) query = query.where(column, '=', storable(wanted));
      }
      if (page.before !== undefined) query = query.where('seq', '<', page.before);
      const rows = await query.orderBy('seq', 'desc').limit(rowsToRead(page)).execute();
      return pageOf(rows, page, { cursor: (row) => String(row.seq), item: recordOf });
    },
    async verify(options = {}) {
      if (options.records !== undefined) return await verifyChain(secrets.auditKey, options.records, options.expected);
      const head = await genuineHead();
      if (!isHeadGenuine(secrets.auditKey, head)) {
        const message = 'The head of the log, which holds the place of the newest record, was changed.';
        return { intact: false, seq: head.seq, fault: 'head-changed', message };
      }
      const early = await findStray(database, 'first');
      if (early !== undefined) return inserted(1, `A record numbered ${early} stands before the first.`);
      const upTo = head.seq;
      const verdict = await verifyChain(secrets.auditKey, pages(after, upTo), head);
      if (!verdict.intact) return verdict;
      const late = await findStray(database, 'newest');
      if (late !== undefined) return inserted(upTo + 1, `A record numbered ${late} stands behind the newest.`);
      if (options.expected === undefined) return verdict;
      return await verifyChain(secrets.auditKey, pages(after, upTo), options.expected);
    },
  };
}

interface Head {
  readonly seq: number;
  readonly at: number;
  readonly hash: string;
  readonly mac: string;
}

/** Looks for a record where the chain does not reach: the log has shown it to people and to other processes, and no hash holds it. */
async function findStray(database: RecordsDatabase, beyond: keyof typeof strays): Promise<string | undefined> {
  const row = await database.reader
    .selectFrom('audit_log')
    // As text: a number of somebody else may be larger than JavaScript tells exactly.
    .select(sql<string | null>`cast(seq as text)`.as('number'))
    .where(strays[beyond])
    .orderBy('seq')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : (row.number ?? 'with nothing');
}

const strays = {
  // SQLite takes null for a primary key.
  first: sql<boolean>`(seq < 1 or seq is null)`,
  // One statement sees a record and the head that was moved with it, or neither.
  newest: sql<boolean>`seq > (select seq from audit_head where id = 1)`,
} as const;

function inserted(seq: number, message: string): ChainVerdict {
  return { intact: false, seq, fault: 'inserted', message };
}

/** Reads the log in parts, up to where it was when the reading began. */
async function* pages(after: AuditLog['after'], upTo: number): AsyncGenerator<AuditRecord> {
  let seq = 0;
  while (seq < upTo) {
    const records = await after(seq, Math.min(VERIFY_PAGE, upTo - seq));
    const last = records.at(-1);
    if (last === undefined) return;
    yield* records.filter((record) => record.seq <= upTo);
    seq = Math.max(last.seq, seq + 1);
  }
}

/** What strangers may have written into an event must neither fill the log nor stop it. */
function bounded(event: AuditEvent): AuditEvent {
  const detail = event.detail === undefined ? undefined : canonicalJson(event.detail);
  return {
    type: event.type,
    actor: storable(event.actor),
    subject: storable(event.subject),
    address: event.address === undefined ? undefined : storable(event.address),
    requestId: event.requestId === undefined ? undefined : storable(event.requestId),
    detail:
      detail === undefined || detail.length <= DETAIL_BOUND ? event.detail : { omitted: `${detail.length} characters` },
  };
}

/** PostgreSQL takes neither NUL nor half a surrogate pair. */
function storable(text: string): string {
  return text.slice(0, TEXT_BOUND).toWellFormed().replaceAll('\0', '\uFFFD');
}

function rowOf(record: AuditRecord): AuditRow {
  return {
    seq: record.seq,
    at: record.at,
    type: record.type,
    actor: record.actor,
    subject: record.subject,
    address: orNull(record.address),
    request_id: orNull(record.requestId),
    detail: record.detail === undefined ? null : canonicalJson(record.detail),
    previous: record.previous,
    hash: record.hash,
  };
}

function recordOf(row: AuditRow): AuditRecord {
  return {
    seq: row.seq,
    at: row.at,
    type: row.type as AuditType, // what this program wrote; what somebody else did is found by `verify`
    actor: row.actor,
    subject: row.subject,
    address: orUndefined(row.address),
    requestId: orUndefined(row.request_id),
    detail: row.detail === null ? undefined : detailOf(row.detail),
    previous: row.previous,
    hash: row.hash,
  };
}

/** What is no object was changed by somebody else. It is shown, and its hash does not fit, so that nobody who reads on stops here. */
function detailOf(text: string): AuditRecord['detail'] {
  try {
    return objectOf(text);
  } catch {
    return { unreadable: text.slice(0, TEXT_BOUND) };
  }
}

const ROWS_A_STATEMENT = 500;
const VERIFY_PAGE = 1_000;
/** Characters of a name, id or address; of a detail as JSON. */
const TEXT_BOUND = 512;
const DETAIL_BOUND = 16_384;
