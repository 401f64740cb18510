import { setTimeout as delay } from 'node:timers/promises';
import { type Dialect, type Driver, type Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import type { SqliteConnection } from './connection.ts';
import { isBusy, translateFault } from './faults.ts';

/**
 * Kysely on `node:sqlite`. Its adapter lets one use the connection at a time. `lockBy` says until when the transaction that
 * begins may ask for the lock, on the clock of `performance.now`.
 */
export function sqliteDialect(connection: SqliteConnection, lockBy: () => number): Dialect {
  return {
    createDriver: () => new SqliteDriver(connection, lockBy),
    createAdapter: () => new SqliteAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
  };
}

class SqliteDriver implements Driver {
  readonly #connection: SqliteConnection;
  readonly #lockBy: () => number;

  constructor(connection: SqliteConnection, lockBy: () => number) {
    this.#connection = connection;
    this.#lockBy = lockBy;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<SqliteConnection> {
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {}

  /**
   * Takes the lock for writing at once: a transaction that began by reading could be refused it later. Where another process
   * holds it, this one goes on with its other work and asks again, instead of having SQLite block the thread.
   */
  async beginTransaction(connection: SqliteConnection): Promise<void> {
    const giveUpAt = this.#lockBy();
    for (;;) {
      try {
        connection.run('begin immediate');
        return;
      } catch (error) {
        if (!isBusy(error) || performance.now() > giveUpAt) throw translateFault(error);
      }
      await delay(RETRY_MS);
    }
  }

  async commitTransaction(connection: SqliteConnection): Promise<void> {
    try {
      connection.run('commit');
    } catch (error) {
      throw translateFault(error);
    }
  }

  /** After some errors, such as a full disk, SQLite has rolled back by itself. */
  async rollbackTransaction(connection: SqliteConnection): Promise<void> {
    if (connection.isInTransaction) connection.run('rollback');
  }

  async destroy(): Promise<void> {
    this.#connection.close();
  }
}

const RETRY_MS = 5;
