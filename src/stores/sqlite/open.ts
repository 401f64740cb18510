import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import type { Change, RecordsDatabase } from '../records/database.ts';
import type { Tables } from '../records/tables.ts';
import { changeLine } from './change-line.ts';
import { SqliteConnection } from './connection.ts';
import { sqliteDialect } from './dialect.ts';
import { translateFault } from './faults.ts';
import { prepareFile } from './location.ts';

/**
 * Opens a SQLite file for records: one connection to read and one to write, so that a look-up never waits for a change of
 * this process; in WAL mode it waits for none of another's either.
 */
export async function openSqlite(file: string, access: { readonly readOnly: boolean }): Promise<RecordsDatabase> {
  if (!access.readOnly) await prepareFile(file);
  // The writer comes first: it puts the file into WAL mode, which one that only reads cannot.
  const line = changeLine({ patienceMs: CHANGE_PATIENCE_MS, waiting: WAITING_BOUND });
  const lockBy = (): number => line.endsAt;
  const writer = access.readOnly
    ? undefined
    : new Kysely<Tables>({ dialect: sqliteDialect(connectToWrite(file), lockBy) });
  const reader = new Kysely<Tables>({ dialect: sqliteDialect(connectToRead(file), lockBy) });
  const change = async <Outcome>(work: (change: Change) => Promise<Outcome>): Promise<Outcome> => {
    if (writer === undefined) throw new Error('These records were opened for reading only.');
    return await line.inTurn(async () => await writer.transaction().execute(work));
  };
  return {
    dialect: 'sqlite',
    reader,
    follower: reader,
    change,
    migrate: change,
    async close() {
      await line.drained();
      await closeQuietly(reader);
      if (writer !== undefined) await closeQuietly(writer);
    },
  };
}

function connectToWrite(file: string): SqliteConnection {
  // `timeout` is for the rare locks that SQLite takes by itself; that of a transaction is asked for again and again.
  return connect(file, { timeout: 50 }, (database) => {
    const mode = database.prepare('pragma journal_mode = wal').get();
    if (mode?.['journal_mode'] !== 'wal') {
      throw new Error(
        `The file system of ${file} does not let SQLite use its write-ahead log; put it on a local disk.`,
      );
    }
    // What resolves is on disk: with FULL each commit is synced, with the default of WAL mode the last ones may be lost.
    // The log is written back into the file every 40 MB: more often costs a bulk import a third of its speed.
    database.exec('pragma synchronous = full; pragma wal_autocheckpoint = 10000; pragma journal_size_limit = 67108864');
  });
}

function connectToRead(file: string): SqliteConnection {
  return connect(file, { readOnly: true, timeout: 1_000 }, () => undefined);
}

/** The constructor turns foreign keys on, and defends the file's own structure against statements that would damage it. */
function connect(
  file: string,
  options: { readonly readOnly?: boolean; readonly timeout: number },
  prepare: (database: DatabaseSync) => void,
): SqliteConnection {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { ...options, allowExtension: false });
    database.exec('pragma trusted_schema = off; pragma cache_size = -16000');
    prepare(database);
    return new SqliteConnection(database);
  } catch (error) {
    database?.close();
    throw translateFault(error);
  }
}

/** Kysely closes a connection only if it was used; one that was not is closed by using it. */
async function closeQuietly(kysely: Kysely<Tables>): Promise<void> {
  await kysely.connection().execute(async () => undefined);
  await kysely.destroy();
}

/** How long a change waits for those before it and for other processes. */
const CHANGE_PATIENCE_MS = 5_000;
/** Changes that may wait at a time; each holds memory until its turn. */
const WAITING_BOUND = 2_000;
