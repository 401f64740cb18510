import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { type AuditLog, type AuditRecord, type AuditType, auditTypes } from '../stores/audit.ts';
import { queryAction } from './action.ts';
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

/** A head noted earlier, so that a log which was rolled back as a whole is found too. */
const expectation = z.strictObject({
  expected: z
    .string()
    .optional()
    .transform((text, context) => {
      if (text === undefined) return undefined;
      const [, seq, hash] = /^(\d{1,15}):([\w-]{43})$/.exec(text) ?? [];
      if (seq !== undefined && hash !== undefined) return { seq: Number(seq), hash };
      const hint = 'write seq:hash, as an earlier verification gave its head';
      context.issues.push({ code: 'custom', message: 'is no head of a log', input: text, params: { hint } });
      return z.NEVER;
    }),
});

/** The last line is the verdict. A long log takes long: lines before it say that the work goes on. */
export const verifyAudit = queryAction(expectation, async ({ services, query }) =>
  replyLines(whileWorking(() => services.records.audit.verify(query))),
);

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

/** Begins with the first line that is read: nobody reads the lines of a HEAD, and work nobody waits for would fail unheard. */
async function* whileWorking(begin: () => Promise<object>): AsyncGenerator<object> {
  const work = begin();
  const never = new AbortController();
  const isDone = work.then(
    () => true,
    () => true,
  );
  try {
    while (true) {
      const tick = setTimeout(SIGN_OF_LIFE_MS, false, { signal: never.signal, ref: false });
      // The rest of the ticks are given up all at once.
      tick.catch(() => {});
      if (await Promise.race([isDone, tick])) break;
      yield { working: true };
    }
    yield await work;
  } finally {
    never.abort();
  }
}

/** With its time in milliseconds, as the hash covers it. */
function showRecord(record: AuditRecord): object {
  return record;
}

const EXPORT_PART = 500;

/** Less than what a client or a proxy waits for. */
const SIGN_OF_LIFE_MS = 10_000;
