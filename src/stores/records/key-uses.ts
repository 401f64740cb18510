import { sql } from 'kysely';
import type { KeyUse } from '../stores.ts';
import type { Change } from './database.ts';

/** Adds a batch of uses up. Gateways write theirs in any order: the newest use of a key stays, all of them count. */
export async function addUses(change: Change, uses: readonly KeyUse[]): Promise<void> {
  const sums = [...sumByKey(uses).values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  for (let from = 0; from < sums.length; from += ROWS_A_STATEMENT) {
    const rows = sums.slice(from, from + ROWS_A_STATEMENT).map(valuesOf);
    // SQLite and PostgreSQL both name the columns of VALUES column1, column2, …
    await sql`
      update api_keys set
        uses = api_keys.uses + used.column2,
        last_used_at = case when ${isNewest} then used.column3 else api_keys.last_used_at end,
        last_used_address = case when ${isNewest} then used.column4 else api_keys.last_used_address end,
        last_used_route = case when ${isNewest} then used.column5 else api_keys.last_used_route end
      from (values ${sql.join(rows)}) as used
      where api_keys.id = used.column1`.execute(change);
  }
}

const isNewest = sql`(api_keys.last_used_at is null or api_keys.last_used_at <= used.column3)`;

/** PostgreSQL takes the types of VALUES from the rows; a bare parameter would be text. */
function valuesOf({ id, uses, lastUsedAt, address, route }: KeyUse) {
  return sql`(cast(${id} as text), cast(${uses} as bigint), cast(${lastUsedAt} as bigint), cast(${address} as text), cast(${route} as text))`;
}

/** One row a key: an UPDATE takes one of several that match, whichever it likes. */
function sumByKey(uses: readonly KeyUse[]): ReadonlyMap<string, KeyUse> {
  const sums = new Map<string, KeyUse>();
  for (const use of uses) {
    const known = sums.get(use.id);
    const newest = known === undefined || known.lastUsedAt <= use.lastUsedAt ? use : known;
    sums.set(use.id, { ...newest, uses: use.uses + (known?.uses ?? 0) });
  }
  return sums;
}

const ROWS_A_STATEMENT = 500;
