import type { Compilable, CompiledQuery } from 'kysely';
import type { RecordsDatabase } from './database.ts';

/**
 * A look-up by one value whose SQL is made here and now: building it costs more than SQLite takes to answer. The query is
 * given with any value in its only parameter.
 */
export function compileOnce<Row>(
  database: RecordsDatabase,
  query: Compilable<Row>,
): (value: string) => Promise<Row | undefined> {
  const compiled = query.compile();
  if (compiled.parameters.length !== 1) throw new TypeError('A query compiled once takes one parameter.');
  return async (value) => {
    const asked: CompiledQuery<Row> = { ...compiled, parameters: [value] };
    const { rows } = await database.reader.executeQuery(asked);
    return rows[0];
  };
}
