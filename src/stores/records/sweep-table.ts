import type { Expression, SqlBool } from 'kysely';
import type { RecordsDatabase } from './database.ts';

/** Removes rows that have expired, part by part, so that no other change waits long; resolves with how many. */
export async function sweepTable(
  database: RecordsDatabase,
  table: 'artifacts' | 'sessions',
  hasExpired: Expression<SqlBool>,
): Promise<number> {
  for (let removed = 0; ; ) {
    const part = await database.change(async (change) => {
      const expired = change.selectFrom(table).select('id_hash').where(hasExpired).limit(ROWS_A_PART);
      const { numDeletedRows } = await change.deleteFrom(table).where('id_hash', 'in', expired).executeTakeFirst();
      return Number(numDeletedRows);
    });
    removed += part;
    if (part < ROWS_A_PART) return removed;
  }
}

const ROWS_A_PART = 1_000;
