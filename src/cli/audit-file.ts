import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Declined } from './ask.ts';

export type ExportVerdict =
  | { readonly intact: true; readonly records: number }
  | { readonly intact: false; readonly seq: number; readonly message: string };

/**
 * What can be said of an export without the key of its hashes: that the numbers go up by one, and that each record names the
 * hash of the one before. An export may begin anywhere. Rejects with Declined where the file cannot be read.
 */
export async function checkExport(file: string): Promise<ExportVerdict> {
  const input = createReadStream(file);
  let last: { readonly seq: number; readonly hash: string } | undefined;
  let records = 0;
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      const record = recordOf(line);
      const expected = last === undefined ? record?.seq : last.seq + 1;
      const place = expected ?? records + 1;
      if (record === undefined) return broken(place, 'is no record: the line cannot be read');
      if (record.seq !== expected) return broken(place, `is missing; the next one is ${record.seq}`);
      if (last !== undefined && record.previous !== last.hash)
        return broken(place, 'does not follow the one before it');
      last = record;
      records += 1;
    }
  } catch (error) {
    throw new Declined(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    input.destroy();
  }
  return { intact: true, records };
}

function recordOf(
  line: string,
): { readonly seq: number; readonly hash: string; readonly previous: string } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { seq, hash, previous } = Object.fromEntries(Object.entries(value));
  const whole = Number.isSafeInteger(seq) && typeof hash === 'string' && typeof previous === 'string';
  return whole ? { seq, hash, previous } : undefined;
}

function broken(seq: number, what: string): ExportVerdict {
  return { intact: false, seq, message: `Record ${seq} ${what}.` };
}
