import { type Kysely, sql } from 'kysely';
import { StoreUnavailable } from '../stores.ts';
import type { Change, Dialect, RecordsDatabase } from './database.ts';
import { createIdentity } from './migrations/0001-identity.ts';
import { nameSessions } from './migrations/0002-session-names.ts';

/** What brings the database from one version of its tables to the next. A migration that was released is never changed. */
// biome-ignore format: aligned on purpose, one migration a row
const migrations: readonly Migration[] = [
  { version: 1, up: createIdentity },
  { version: 2, up: nameSessions },
];

interface Migration {
  readonly version: number;
  readonly up: (db: Kysely<unknown>, dialect: Dialect) => Promise<void>;
}

/** The version of the tables that this program reads and writes. */
export const SCHEMA_VERSION = migrations.length;

/**
 * Brings the tables up to date: all steps or none, while every other process that starts waits. Rejects where the database
 * was written by a newer program.
 */
export async function migrate(database: RecordsDatabase): Promise<void> {
  await database.migrate(async (change) => {
    await lockMigrations(change, database.dialect);
    await sql`create table if not exists schema_version (version integer not null)`.execute(change);
    const present = await versionOf(change);
    refuseNewer(present);
    const missing = migrations.filter((migration) => migration.version > present);
    // A migration knows the tables as they were then, not as `Tables` has them today.
    for (const migration of missing) await migration.up(change as unknown as Kysely<unknown>, database.dialect);
    if (missing.length === 0) return;
    await change.deleteFrom('schema_version').execute();
    await change.insertInto('schema_version').values({ version: SCHEMA_VERSION }).execute();
  });
}

/** For those who only read, and so change nothing: rejects where the tables are not of this program's version. */
export async function checkSchema(database: RecordsDatabase): Promise<void> {
  const present = await versionOf(database.reader).catch(versionOfNone);
  refuseNewer(present);
  if (present < SCHEMA_VERSION) {
    throw new Error(
      `The database of records has tables of version ${present}; ${SCHEMA_VERSION} is needed to read it.`,
    );
  }
}

async function versionOf(db: Pick<Change, 'selectFrom'>): Promise<number> {
  const row = await db.selectFrom('schema_version').select('version').executeTakeFirst();
  return row?.version ?? 0;
}

/** A database that answers, but has no such table, is one that nobody has set up yet. */
function versionOfNone(error: unknown): number {
  if (error instanceof StoreUnavailable) throw error;
  return 0;
}

function refuseNewer(present: number): void {
  if (present <= SCHEMA_VERSION) return;
  throw new Error(
    `The database of records was written by a newer Sallyport (tables of version ${present}; this one knows ${SCHEMA_VERSION}). ` +
      'Run that version or a later one, or restore the backup made before the upgrade.',
  );
}

/** SQLite lets one transaction write at a time as it is. */
async function lockMigrations(change: Change, dialect: Dialect): Promise<void> {
  if (dialect === 'postgres') await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)})`.execute(change);
}

/** "sally" in ASCII. */
const MIGRATION_LOCK = 0x73616c6c79;
