import { Conflict, NotFound, StoreUnavailable } from '../stores.ts';

/**
 * What an error of SQLite means to those above. Messages name tables and columns, never values. Result codes:
 * https://www.sqlite.org/rescode.html
 */
export function translateFault(error: unknown): Error {
  const code = resultCode(error);
  if (code === undefined) return error instanceof Error ? error : new Error('SQLite failed.');
  if (code === UNIQUE || code === PRIMARY_KEY) return new Conflict('A name or id is taken already.');
  if (code === FOREIGN_KEY) return new NotFound('What this refers to is not there.');
  // The low byte is the class of an extended code.
  const reason = unavailable.get(code & 0xff);
  if (reason !== undefined) return new StoreUnavailable(`The database file of records cannot be used: ${reason}.`);
  return new Error(`SQLite refused a statement of the records (result code ${code}).`);
}

/** Whether another connection holds the lock that is asked for. */
export function isBusy(error: unknown): boolean {
  return ((resultCode(error) ?? 0) & 0xff) === BUSY;
}

function resultCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined;
}

const BUSY = 5;
const FOREIGN_KEY = 787;
const PRIMARY_KEY = 1555;
const UNIQUE = 2067;

const unavailable: ReadonlyMap<number, string> = new Map([
  [BUSY, 'another process is writing to it'],
  [6, 'a table of it is locked'],
  [8, 'it, its directory or its disk may only be read'],
  [10, 'reading or writing its disk failed'],
  [11, 'it is damaged; restore a backup'],
  [13, 'its disk is full'],
  [14, 'it cannot be opened'],
  [26, 'it is no SQLite database'],
]);
