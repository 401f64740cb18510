import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { translateFault } from './faults.ts';

/** One connection of `node:sqlite` as Kysely wants it. Each statement is prepared once and kept, up to a bound. */
export class SqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, Prepared>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    try {
      const { statement, givesRows } = this.#prepare(query.sql);
      // The queries of src/stores/records bind numbers, text and null alone.
      const parameters = query.parameters as readonly SQLInputValue[];
      // Kysely's types name the rows by what the query selects.
      if (givesRows) return { rows: statement.all(...parameters) as Row[] };
      return { rows: [], numAffectedRows: BigInt(statement.run(...parameters).changes) };
    } catch (error) {
      throw translateFault(error);
    }
  }

  // biome-ignore lint/correctness/useYield: nothing here streams; what is long is read by pages
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('The records are read by pages, not streamed.');
  }

  /** A statement of its own, such as begin and commit. */
  run(statement: string): void {
    this.#database.exec(statement);
  }

  get isInTransaction(): boolean {
    return this.#database.isTransaction;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #prepare(text: string): Prepared {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(text);
    const prepared = { statement, givesRows: statement.columns().length > 0 };
    // The queries are a fixed set but for those with lists in them; the oldest makes room.
    if (this.#statements.size >= STATEMENTS_BOUND) {
      for (const oldest of this.#statements.keys()) {
        this.#statements.delete(oldest);
        break;
      }
    }
    this.#statements.set(text, prepared);
    return prepared;
  }
}

interface Prepared {
  readonly statement: StatementSync;
  readonly givesRows: boolean;
}

const STATEMENTS_BOUND = 200;
