import { sql } from 'kysely';
import type { Sealer } from '../sealer.ts';
import type { RecordsDatabase } from './database.ts';

/** Where a sealed text stands, as its sealer was told: it opens in this row of this column alone. */
export const sealedAs = {
  artifact: (idHash: string): string => `artifacts ${idHash}`,
  session: (idHash: string): string => `sessions ${idHash}`,
  totp: (userId: string): string => `users totp ${userId}`,
  privateJwk: (kid: string): string => `signing_keys ${kid}`,
} as const;

/**
 * Seals every row under the first key that is not yet, a page a transaction, so that the key it was sealed with can be taken
 * out. A row that somebody changes meanwhile was sealed anew by that.
 */
export async function sealRowsAnew(database: RecordsDatabase, sealer: Sealer): Promise<void> {
  for (const column of columns) {
    let after = '';
    for (;;) {
      const rows = await column.read(database, after);
      const last = rows.at(-1);
      if (last === undefined) break;
      after = last.id;
      const old = rows.filter((row) => row.sealed !== null && !sealer.isCurrent(row.sealed));
      if (old.length > 0) await column.write(database, sealer, old);
    }
  }
}

interface SealedRow {
  readonly id: string;
  readonly sealed: string | null;
}

interface SealedColumn {
  read(database: RecordsDatabase, after: string): Promise<readonly SealedRow[]>;
  write(database: RecordsDatabase, sealer: Sealer, rows: readonly SealedRow[]): Promise<void>;
}

/** A column by its names; they are constants of this file, `Tables` cannot be asked for them all at once. */
function sealedColumn(
  names: {
    readonly table: 'artifacts' | 'sessions' | 'users' | 'signing_keys';
    readonly id: string;
    readonly sealed: string;
  },
  context: (id: string) => string,
): SealedColumn {
  return {
    async read(database, after) {
      const { ref } = database.reader.dynamic;
      const rows = await database.reader
        .selectFrom(names.table)
        .select([sql.ref<string>(names.id).as('id'), sql.ref<string | null>(names.sealed).as('sealed')])
        .where(ref<string>(names.id), '>', after)
        .orderBy(ref<string>(names.id))
        .limit(PAGE)
        .execute();
      return rows;
    },
    async write(database, sealer, rows) {
      await database.change(async (change) => {
        const { ref } = change.dynamic;
        for (const { id, sealed } of rows) {
          if (sealed === null) continue;
          const anew = sealer.seal(sealer.open(sealed, context(id)), context(id));
          await change
            .updateTable(names.table)
            .set({ [names.sealed]: anew })
            .where(ref<string>(names.id), '=', id)
            .where(ref<string>(names.sealed), '=', sealed)
            .execute();
        }
      });
    },
  };
}

// biome-ignore format: aligned on purpose, one column a row
const columns: readonly SealedColumn[] = [
  sealedColumn({ table: 'signing_keys', id: 'kid',     sealed: 'sealed_private_jwk' }, sealedAs.privateJwk),
  sealedColumn({ table: 'users',        id: 'id',      sealed: 'sealed_totp' },        sealedAs.totp),
  sealedColumn({ table: 'sessions',     id: 'id_hash', sealed: 'sealed' },             sealedAs.session),
  sealedColumn({ table: 'artifacts',    id: 'id_hash', sealed: 'sealed' },             sealedAs.artifact),
];

const PAGE = 500;
