import type { SessionCookies } from '../identity/session-cookie.ts';
import type { Log } from '../observe/log.ts';
import type { Counters } from '../stores/counters.ts';
import type { Records } from '../stores/stores.ts';
import type { Transactions } from './transaction.ts';

/** What the steps of a login stand on. */
export interface LoginParts {
  readonly records: Pick<Records, 'sessions'>;
  readonly counters: Counters;
  readonly cookies: SessionCookies;
  readonly transactions: Transactions;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
}
