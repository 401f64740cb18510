import { z } from 'zod';
import { type AuditLog, type AuditRecord, type AuditType, auditTypes } from '../stores/audit.ts';
import { plainAction, queryAction } from './action.ts';
import { replyLines } from './admin-reply.ts';
import { textField } from './fields.ts';
import { pageFields, replyPage } from './paging.ts';

// Object.keys forgets the names; they are the table's own.
const TYPES = Object.keys(auditTypes) as AuditType[];

const word = z.string().max(1024).optional();

const listFilter = z
  .strictObject({ ...pageFields, type: z.enum(TYPES).optional(), subject: word, actor: word })
  .superRefine(({ after }, context) => {
    if (after !== undefined && !/^\d{1,15}$/.test(after))
      context.addIssue({ code: 'custom', path: ['after'], message: 'is no cursor of this listing' });
  });

/** Newest first. */
export const listAudit = queryAction(listFilter, async ({ services, query }) => {
  const { type, subject, actor, limit, after } = query;
  const before = after === undefined ? undefined : Number(after);
  return replyPage(await services.records.audit.list({ type, subject, actor }, { limit, before }), showRecord, query);
});

const seqField = textField(
  (text) => /^\d{1,15}$/.test(text),
  'is not a sequence number',
  'write a whole number, such as the seq of the last record you have',
).optional();

/** Oldest first, as JSON lines: after `after` to the end the log had when the export began. */
export const exportAudit = queryAction(z.strictObject({ after: seqField }), async ({ services, query }) => {
  const { audit } = services.records;
  const head = await audit.head();
  return replyLines(everyRecord(audit, Number(query.after ?? 0), head.seq));
});

/** Progress as lines of their own, since a long log takes long; the last line is the verdict. */
export const verifyAudit = plainAction(async ({ services }) => replyLines(verification(services.verifyAudit)));

/** Read in parts, at the pace of the reader: the log may be larger than the memory. */
async function* everyRecord(audit: AuditLog, after: number, last: number): AsyncGenerator<object> {
  let seq = after;
  while (seq < last) {
    const records = await audit.after(seq, EXPORT_PART);
    for (const record of records) {
      if (record.seq > last) return;
      yield showRecord(record);
    }
    const end = records.at(-1);
    if (end === undefined) return;
    seq = end.seq;
  }
}

async function* verification(verify: (progress: (checked: number) => void) => Promise<object>): AsyncGenerator<object> {
  let checked = 0;
  let wake: () => void = () => {};
  let done = false;
  const verdict = verify((count) => {
    checked = count;
    wake();
  }).finally(() => {
    done = true;
    wake();
  });
  // A rejection is told by the last `await`; until then it must not count as unhandled.
  verdict.catch(() => {});
  let told = 0;
  while (!done) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (checked - told >= PROGRESS_STEP) {
      told = checked;
      yield { checked };
    }
  }
  yield await verdict;
}

/** With its time in milliseconds, as the hash covers it. */
function showRecord(record: AuditRecord): object {
  return record;
}

const EXPORT_PART = 500;

const PROGRESS_STEP = 10_000;
