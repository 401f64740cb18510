import type { CompiledQuery } from 'kysely';
import type { Change } from './database.ts';
import type { Tables } from './tables.ts';

/**
 * Inserts many rows with few statements. Each row has the same columns in the same order. The text of a full statement is made
 * once for each table: building it costs more than the database takes to insert the rows.
 */
export async function insertRows<Table extends keyof Tables>(
  change: Change,
  table: Table,
  rows: readonly Tables[Table][],
): Promise<void> {
  for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT) {
    const part = rows.slice(from, from + ROWS_A_STATEMENT);
    await change.executeQuery({ ...statementFor(change, table, part), parameters: part.flatMap(valuesOf) });
  }
}

function statementFor<Table extends keyof Tables>(
  change: Change,
  table: Table,
  rows: readonly Tables[Table][],
): CompiledQuery {
  const key = `${change.getExecutor().adapter.constructor.name} ${table}`;
  const known = rows.length === ROWS_A_STATEMENT ? fullStatements.get(key) : undefined;
  if (known !== undefined) return known;
  // Kysely cannot follow that a row of `Tables[Table]` may be inserted into `Table` for each of them.
  const compiled = change
    .insertInto(table as 'api_keys')
    .values(rows as unknown as readonly Tables['api_keys'][])
    .compile();
  if (rows.length === ROWS_A_STATEMENT) fullStatements.set(key, compiled);
  return compiled;
}

function valuesOf(row: object): readonly unknown[] {
  return Object.values(row);
}

const fullStatements = new Map<string, CompiledQuery>();

/** With at most 18 columns this stays below the parameters that SQLite (32,766) and PostgreSQL (65,535) take. */
const ROWS_A_STATEMENT = 500;
