import { Conflict, NotFound, StoreUnavailable } from '../stores.ts';

/** Two transactions stood in each other's way; the one this is thrown at may simply run again. */
export class TransactionConflict extends StoreUnavailable {}

/**
 * What an error of PostgreSQL or of the way there means to those above. The server's own texts stay out of it: they repeat
 * values of rows. SQLSTATE codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function translateFault(error: unknown): Error {
  if (error instanceof StoreUnavailable) return error;
  const code = codeOf(error);
  if (code === undefined) {
    // The pool gives its error for a server that takes a connection and says nothing no code.
    const isLate = error instanceof Error && /\btimeout\b/.test(error.message);
    return new StoreUnavailable(isLate ? NO_ANSWER : 'The connection to PostgreSQL was lost.');
  }
  if (!isSqlState(code)) return new StoreUnavailable(`PostgreSQL cannot be reached (${code}).`);
  if (code === '23505') return new Conflict('A name or id is taken already.');
  if (code === '23503') return new NotFound('What this refers to is not there.');
  if (code === '40001' || code === '40P01')
    return new TransactionConflict('PostgreSQL had two changes wait for each other.');
  if (code === '57014') return new StoreUnavailable(NO_ANSWER);
  const reason = reasons.find((row) => code.startsWith(row.codes));
  if (reason !== undefined) return new StoreUnavailable(`PostgreSQL ${reason.says} (SQLSTATE ${code}).`);
  return new Error(`PostgreSQL refused a statement of the records (SQLSTATE ${code}).`);
}

/** Whether the connection may be of no more use: everything but an answer to the statement itself. */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined || !isSqlState(code) || reasons.some((row) => code.startsWith(row.codes));
}

const NO_ANSWER = 'PostgreSQL did not answer within the deadline.';

// biome-ignore format: aligned on purpose, one class of codes a row
const reasons: readonly { readonly codes: string; readonly says: string }[] = [
  { codes: '08',    says: 'broke the connection off' },
  { codes: '25006', says: 'takes no changes at present, as a standby does' },
  { codes: '25P03', says: 'ended a transaction that stood idle' },
  { codes: '28',    says: 'does not accept the user or the password' },
  { codes: '3D000', says: 'has no such database' },
  { codes: '53',    says: 'is short of connections, memory or disk' },
  { codes: '57P',   says: 'is starting, stopping or was told to end the session' },
  { codes: '58',    says: 'has trouble with its disk' },
  { codes: 'XX',    says: 'has an internal error' },
];

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Those of Node, such as ECONNREFUSED and ERR_TLS_CERT_ALTNAME_INVALID, are longer. */
function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && code !== 'EPIPE' && code !== 'EPERM';
}
