import {
  type Dialect,
  type Driver,
  type Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely';
import type { Pool } from 'pg';
import { StoreUnavailable } from '../stores.ts';
import { PostgresConnection } from './connection.ts';
import { translateFault } from './faults.ts';

/** Kysely on a pool of `pg` connections. `deadline` is in milliseconds and holds from asking for a connection on. */
export function postgresDialect(pool: Pool, deadline: number): Dialect {
  return {
    createDriver: () => new PostgresDriver(pool, deadline),
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db: Kysely<unknown>) => new PostgresIntrospector(db),
  };
}

class PostgresDriver implements Driver {
  readonly #pool: Pool;
  readonly #deadline: number;

  constructor(pool: Pool, deadline: number) {
    this.#pool = pool;
    this.#deadline = deadline;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PostgresConnection> {
    const endsAt = performance.now() + this.#deadline;
    if (this.#pool.waitingCount >= WAITING_BOUND) {
      throw new StoreUnavailable('Too many wait for a connection to PostgreSQL.');
    }
    try {
      return new PostgresConnection(await this.#pool.connect(), endsAt);
    } catch (error) {
      throw translateFault(error);
    }
  }

  async releaseConnection(connection: PostgresConnection): Promise<void> {
    connection.release();
  }

  async beginTransaction(connection: PostgresConnection): Promise<void> {
    await connection.run('begin');
  }

  async commitTransaction(connection: PostgresConnection): Promise<void> {
    // A transaction that had failed is ended with ROLLBACK, and commit does not say so by an error.
    if ((await connection.run('commit')) !== 'COMMIT') {
      throw new Error('PostgreSQL rolled a transaction back that was to be committed.');
    }
  }

  async rollbackTransaction(connection: PostgresConnection): Promise<void> {
    if (connection.isLost) return; // the server rolls back what has no session any more
    await connection.run('rollback').catch(() => undefined); // then it is lost now; the first error is the one to tell
  }

  async destroy(): Promise<void> {
    await this.#pool.end();
  }
}

/** Callers that may wait for a connection at a time; each holds memory until its deadline. */
const WAITING_BOUND = 2_000;
