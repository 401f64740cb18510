import { Kysely } from 'kysely';
import pg from 'pg';
import type { Change, RecordsDatabase } from '../records/database.ts';
import type { Tables } from '../records/tables.ts';
import { withinDeadline } from '../within-deadline.ts';
import { postgresDialect } from './dialect.ts';
import { TransactionConflict } from './faults.ts';
import { type PostgresLocation, parseLocation } from './location.ts';

export interface PostgresSettings {
  readonly url: string;
  readonly ca: string | undefined;
  readonly connections: number;
  /** Milliseconds. */
  readonly deadline: number;
}

/**
 * Opens a pool of connections to a PostgreSQL server. Each method of the records has the deadline for everything it does, and
 * gives its connection up where it is missed; the pool replaces it with the next call.
 */
export async function openPostgres(
  settings: PostgresSettings,
  access: { readonly readOnly: boolean },
): Promise<RecordsDatabase> {
  const location = parseLocation(settings.url, settings.ca);
  const { deadline, connections } = settings;
  const { kysely, close } = connect(location, { deadline, connections, patience: deadline, readOnly: access.readOnly });
  // A thread that writes may have all its connections wait for the lock of the log; what others changed is heard all the same.
  const aside = access.readOnly
    ? undefined
    : connect(location, { deadline, connections: 1, patience: deadline, readOnly: true });
  return {
    dialect: 'postgres',
    reader: kysely,
    follower: aside?.kysely ?? kysely,
    change: async (work) => await changeWith(kysely, access.readOnly, work),
    async migrate(work) {
      // On a connection of its own: a server that hangs is found within the deadline, another's migration is waited for.
      const patient = connect(location, { deadline, connections: 1, patience: MIGRATION_PATIENCE_MS, readOnly: false });
      try {
        return await changeWith(patient.kysely, access.readOnly, work);
      } finally {
        await patient.close();
      }
    },
    close: async () => void (await Promise.all([close(), aside?.close()])),
  };
}

async function changeWith<Outcome>(
  kysely: Kysely<Tables>,
  readOnly: boolean,
  work: (change: Change) => Promise<Outcome>,
): Promise<Outcome> {
  if (readOnly) throw new Error('These records were opened for reading only.');
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await kysely.transaction().execute(work);
    } catch (error) {
      if (!(error instanceof TransactionConflict) || attempt === ATTEMPTS) throw error;
    }
  }
}

function connect(
  location: PostgresLocation,
  limits: {
    readonly deadline: number;
    readonly connections: number;
    readonly patience: number;
    readonly readOnly: boolean;
  },
): { readonly kysely: Kysely<Tables>; close(): Promise<void> } {
  const pool = new pg.Pool({
    host: location.host,
    port: location.port,
    user: location.user,
    // pg asks for a password where it has none, and would then look into files and the environment.
    password: location.password ?? '',
    database: location.database,
    ssl: location.ssl,
    application_name: location.applicationName,
    types: { getTypeParser: parserOf },
    max: limits.connections,
    connectionTimeoutMillis: limits.deadline,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    statement_timeout: limits.patience,
    // A gateway that hangs in the middle of a change must not keep the others from theirs.
    idle_in_transaction_session_timeout: limits.patience,
    ...(limits.readOnly ? { options: '-c default_transaction_read_only=on' } : {}),
    onConnect: async (client) => void (await withinDeadline(client.query(SYNCHRONOUS), limits.deadline, 'PostgreSQL')),
  });
  // Without listeners an error of a connection would end the process; whoever uses it is told by its query.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const kysely = new Kysely<Tables>({ dialect: postgresDialect(pool, limits.patience) });
  return {
    kysely,
    async close() {
      await kysely.destroy();
      if (!pool.ending) await pool.end(); // a Kysely that was never used leaves its pool open
    },
  };
}

/** What resolves is on disk, also where the server's own setting does not wait for that; a stricter setting stays. */
const SYNCHRONOUS =
  "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'";

/** Counts and times are bigints to PostgreSQL, and below 2^53: numbers here. */
const parserOf: typeof pg.types.getTypeParser = (type: number, format?: 'text' | 'binary') =>
  type === INT8 ? toNumber : pg.types.getTypeParser(type, format);

function toNumber(text: string): number {
  return Number(text);
}

const INT8 = 20;
const ATTEMPTS = 3;
/** How long a start waits for the migration of another process. */
const MIGRATION_PATIENCE_MS = 5 * 60_000;
