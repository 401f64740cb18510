import { createHash } from 'node:crypto';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import type { PoolClient } from 'pg';
import { StoreUnavailable } from '../stores.ts';
import { withinDeadline } from '../within-deadline.ts';
import { isConnectionLost, translateFault } from './faults.ts';

/** A connection of the pool for one method: all its queries together end before the deadline, or the connection is given up. */
export class PostgresConnection implements DatabaseConnection {
  readonly #client: PoolClient;
  readonly #endsAt: number;
  #isLost = false;

  /** `endsAt` is in milliseconds of `performance.now()`. */
  constructor(client: PoolClient, endsAt: number) {
    this.#client = client;
    this.#endsAt = endsAt;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const result = await this.#ask(query.sql, query.parameters);
    return { rows: result.rows, numAffectedRows: BigInt(result.rowCount ?? 0) };
  }

  // biome-ignore lint/correctness/useYield: nothing here streams; what is long is read by pages
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('The records are read by pages, not streamed.');
  }

  /** A statement of its own, such as begin and commit. Resolves with the command the server carried out. */
  async run(statement: string): Promise<string> {
    return (await this.#ask(statement, [])).command;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Back to the pool; one that was lost, or whose answer may still come, is closed instead. */
  release(): void {
    this.#client.release(this.#isLost);
  }

  async #ask(text: string, parameters: readonly unknown[]) {
    if (this.#isLost) throw new StoreUnavailable('The connection to PostgreSQL was lost.');
    // pg takes a mutable array, and does not change it.
    const values = parameters as unknown[];
    const answer = this.#client.query(
      values.length === 0 ? { text } : { text, values, ...nameOf(text, values.length) },
    );
    try {
      return await withinDeadline(answer, this.#endsAt - performance.now(), 'PostgreSQL');
    } catch (error) {
      if (isConnectionLost(error)) this.#isLost = true;
      throw translateFault(error);
    }
  }
}

/**
 * A named statement is planned once for each connection. Those with many parameters have them in lists of any length: each
 * length would be another statement for the server to keep.
 */
function nameOf(text: string, parameters: number): { readonly name?: string } {
  if (parameters > NAMED_PARAMETERS_BOUND) return {};
  const known = names.get(text);
  if (known !== undefined) return { name: known };
  if (names.size >= NAMES_BOUND) return {};
  const name = `sp_${createHash('sha256').update(text).digest('base64url').slice(0, 24)}`;
  names.set(text, name);
  return { name };
}

const names = new Map<string, string>();
const NAMES_BOUND = 200;
const NAMED_PARAMETERS_BOUND = 20;
