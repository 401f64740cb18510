import type { Kysely, Transaction } from 'kysely';
import type { Tables } from './tables.ts';

export type Reader = Kysely<Tables>;
export type Change = Transaction<Tables>;

/** A database that holds records; each driver makes one. Whatever it cannot do in time rejects with StoreUnavailable. */
export interface RecordsDatabase {
  readonly dialect: Dialect;
  /** Sees what was committed, and waits for no writer. */
  readonly reader: Reader;
  /** The same for who follows the log of changes: it waits for nobody else of this thread either, however many write. */
  readonly follower: Reader;
  /** Runs work in a transaction, more than once where the database asks for that: the work touches nothing but the database. */
  change<Outcome>(work: (change: Change) => Promise<Outcome>): Promise<Outcome>;
  /** A change that may take as long as it needs: other processes that start are made to wait for it. */
  migrate<Outcome>(work: (change: Change) => Promise<Outcome>): Promise<Outcome>;
  close(): Promise<void>;
}

export type Dialect = 'sqlite' | 'postgres';
