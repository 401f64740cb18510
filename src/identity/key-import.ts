import { z } from 'zod';
import { isKeyEnvironment, isKeyId, isSecretHash, type ParsedApiKey, parseApiKey } from '../lib/api-key.ts';
import type { AuditEvent } from '../stores/audit.ts';
import { type ApiKey, Conflict, NotFound, type Records } from '../stores/stores.ts';
import { type KeyActor, keyRecord, NO_KEY, rightsOf } from './key-keeper.ts';
import { type KeyFault, type KeyRules, keyRequestSchema, type ReadKeyRequest, readRequest } from './key-request.ts';

export interface KeyImport {
  /** Lines without their ends, in JSON: `{"key":"sp_live_…", …}` or `{"id":…, "hash":…, "environment":…, …}`, with the fields of a key request. */
  readonly lines: AsyncIterable<string> | Iterable<string>;
  /** For lines that name no consumer. A line that is nothing but a key needs it. */
  readonly consumerId?: string | undefined;
  readonly by: KeyActor;
  readonly rules?: KeyRules | undefined;
  /** Called for each line that is not imported, in no strict order. */
  readonly onFault: (fault: LineFault) => void;
  /** Called after each batch is on disk. */
  readonly onProgress?: ((report: ImportReport) => void) | undefined;
}

export interface LineFault extends KeyFault {
  /** Counted from 1. */
  readonly line: number;
}

/** What became of the lines read so far: each that is not empty is imported, there before, or at fault. */
export interface ImportReport {
  readonly lines: number;
  readonly imported: number;
  /** Keys that were there before, the same in id, secret and consumer. */
  readonly present: number;
  readonly faulty: number;
}

/** The records failed in the midst. What `report` says is imported is on disk; running the import again goes on from there. */
export class ImportInterrupted extends Error {
  override readonly name = 'ImportInterrupted';
  readonly report: ImportReport;

  constructor(report: ImportReport, cause: unknown) {
    super(`the import ended after ${report.imported} keys; run it again to go on`, { cause });
    this.report = report;
  }
}

/**
 * Imports keys in batches of a thousand, each in one transaction with one audit event. A line with a fault keeps none of the
 * others out. Rejects with ImportInterrupted where the records fail.
 */
export async function importKeys(records: Pick<Records, 'keys' | 'consumers'>, job: KeyImport): Promise<ImportReport> {
  const now = job.rules?.now ?? Date.now();
  const counts = { lines: 0, imported: 0, present: 0, faulty: 0 };
  let batch = new Map<string, Row>();

  function fault(line: number, { path, message, hint }: KeyFault): void {
    job.onFault({ line, path, message, hint });
  }

  async function write(): Promise<void> {
    const rows = batch;
    batch = new Map();
    if (rows.size === 0) return;
    const outcome = await writeRows(records, rows, job.by).catch((error) => {
      throw new ImportInterrupted({ ...counts }, error);
    });
    counts.imported += outcome.imported;
    counts.present += outcome.present;
    counts.faulty += outcome.faults.length;
    for (const { line, ...what } of outcome.faults) fault(line, what);
    job.onProgress?.({ ...counts });
  }

  for await (const text of job.lines) {
    counts.lines += 1;
    const line = counts.lines;
    if (text.trim() === '') continue;
    const read = readLine(text, job, now);
    const twin = 'key' in read ? batch.get(read.key.id) : undefined;
    if (!('key' in read)) {
      counts.faulty += 1;
      for (const one of read.faults) fault(line, one);
    } else if (twin !== undefined) {
      counts.faulty += 1;
      fault(line, { path: 'id', message: `is that of line ${twin.line} too`, hint: 'leave one of them out' });
    } else {
      batch.set(read.key.id, { line, key: read.key });
      if (batch.size === BATCH) await write();
    }
  }
  await write();
  return counts;
}

interface Row {
  readonly line: number;
  readonly key: ApiKey;
}

interface Outcome {
  readonly imported: number;
  readonly present: number;
  readonly faults: readonly LineFault[];
}

function readLine(
  text: string,
  job: KeyImport,
  now: number,
): { readonly key: ApiKey } | { readonly faults: readonly KeyFault[] } {
  if (text.length > LONGEST_LINE) return { faults: [TOO_LONG] };
  const row = rowOf(text.trim());
  if (row === undefined) return { faults: [NO_ROW] };
  const { key: keyText, id, hash, ...request } = row;
  const identity = identityOf({ keyText, id, hash, environment: request['environment'] });
  const read = readRequest<ReadKeyRequest>(
    keyRequestSchema,
    { consumerId: job.consumerId, name: 'imported', ...request },
    { ...job.rules, now },
  );
  if ('faults' in identity || read.faults !== undefined)
    return { faults: [...('faults' in identity ? identity.faults : []), ...(read.faults ?? [])] };
  return { key: keyRecord(rightsOf(read.request, now), identity, { source: job.by.source, now }) };
}

/** A line as a row; undefined where it is neither an object nor a bare key. The parser's own message would repeat the line. */
function rowOf(text: string): Readonly<Record<string, unknown>> | undefined {
  if (parseApiKey(text) !== undefined) return { key: text };
  try {
    return objectSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

const objectSchema = z.record(z.string(), z.unknown());

function identityOf(row: {
  readonly keyText: unknown;
  readonly id: unknown;
  readonly hash: unknown;
  readonly environment: unknown;
}): ParsedApiKey | { readonly faults: readonly KeyFault[] } {
  const { keyText, id, hash, environment = 'live' } = row;
  if (keyText !== undefined) {
    const parsed = typeof keyText === 'string' ? parseApiKey(keyText) : undefined;
    if (parsed === undefined) return { faults: [NO_KEY] };
    if (id !== undefined || hash !== undefined) return { faults: [BOTH] };
    return row.environment === undefined || environment === parsed.environment
      ? parsed
      : { faults: [OTHER_ENVIRONMENT] };
  }
  const faults = [
    ...(typeof id === 'string' && isKeyId(id) ? [] : [NO_ID]),
    ...(typeof hash === 'string' && isSecretHash(hash) ? [] : [NO_HASH]),
  ];
  // What is wrong with the environment, the request says.
  if (faults.length > 0 || typeof id !== 'string' || typeof hash !== 'string') return { faults };
  const known = typeof environment === 'string' && isKeyEnvironment(environment) ? environment : 'live';
  return { id, secretHash: hash, environment: known };
}

/** All at once; where the records refuse, what they refuse is sorted out and the rest written. */
async function writeRows(
  records: Pick<Records, 'keys' | 'consumers'>,
  rows: ReadonlyMap<string, Row>,
  by: KeyActor,
): Promise<Outcome> {
  if (await inserted(records, [...rows.values()], by)) return { imported: rows.size, present: 0, faults: [] };
  const faults: LineFault[] = [];
  const left: Row[] = [];
  const consumers = new Map<string, boolean>();
  let present = 0;
  for (const row of rows.values()) {
    const standing = (await records.keys.find(row.key.id))?.key;
    const { consumerId, hash } = row.key;
    if (!consumers.has(consumerId)) consumers.set(consumerId, (await records.consumers.find(consumerId)) !== undefined);
    if (standing?.hash === hash && standing.consumerId === consumerId) present += 1;
    else if (standing !== undefined) faults.push({ line: row.line, ...TAKEN });
    else if (consumers.get(consumerId) === false) faults.push({ line: row.line, ...NO_CONSUMER });
    else left.push(row);
  }
  if (left.length === 0) return { imported: 0, present, faults };
  if (await inserted(records, left, by)) return { imported: left.length, present, faults };
  return await writeSingly(records, left, by, { imported: 0, present, faults });
}

/** Somebody else changes the same keys or consumers at this very time. */
async function writeSingly(
  records: Pick<Records, 'keys'>,
  rows: readonly Row[],
  by: KeyActor,
  before: Outcome,
): Promise<Outcome> {
  const faults = [...before.faults];
  let imported = before.imported;
  for (const row of rows) {
    if (await inserted(records, [row], by)) imported += 1;
    else faults.push({ line: row.line, ...CHANGED });
  }
  return { imported, present: before.present, faults };
}

async function inserted(records: Pick<Records, 'keys'>, rows: readonly Row[], by: KeyActor): Promise<boolean> {
  const { actor, address, requestId } = by;
  const detail = { keys: rows.length, firstLine: rows[0]?.line ?? 0, lastLine: rows.at(-1)?.line ?? 0 };
  const event: AuditEvent = { type: 'key.imported', actor, subject: '', address, requestId, detail };
  try {
    await records.keys.insert(
      rows.map(({ key }) => key),
      [event],
    );
    return true;
  } catch (error) {
    if (error instanceof Conflict || error instanceof NotFound) return false;
    throw error;
  }
}

const BATCH = 1_000;
const LONGEST_LINE = 64 * 1024;
const TOO_LONG: KeyFault = { path: '', message: 'is longer than 64 KiB', hint: 'write one key a line' };
const NO_ROW: KeyFault = {
  path: '',
  message: 'is neither a JSON object nor a key',
  hint: 'write {"key":"sp_live_…","consumerId":"…"} or {"id":"…","hash":"…","environment":"live","consumerId":"…"}',
};
const BOTH: KeyFault = { path: 'id', message: 'stands beside key', hint: 'give the key, or its id and hash' };
const OTHER_ENVIRONMENT: KeyFault = {
  path: 'environment',
  message: 'is not the one that stands in the key',
  hint: 'leave it out',
};
const NO_ID: KeyFault = { path: 'id', message: 'is no lookup id of a key', hint: 'write its 12 letters and digits' };
const NO_HASH: KeyFault = {
  path: 'hash',
  message: 'is no hash of a secret part',
  hint: 'write the SHA-256 of the 32 characters before the checksum in base64url, 43 characters',
};
const TAKEN: KeyFault = { path: 'id', message: 'belongs to another key', hint: 'create this key anew' };
const NO_CONSUMER: KeyFault = {
  path: 'consumerId',
  message: 'is no consumer',
  hint: 'create the consumer first, or correct the id',
};
const CHANGED: KeyFault = {
  path: '',
  message: 'could not be written, since something else changed the same key or consumer',
  hint: 'run the import again',
};
