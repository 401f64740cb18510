import { apiKeys } from './records/api-keys.ts';
import { artifacts } from './records/artifacts.ts';
import { auditLog } from './records/audit-log.ts';
import { clients } from './records/clients.ts';
import { consumers } from './records/consumers.ts';
import type { RecordsDatabase } from './records/database.ts';
import { checkSchema, migrate } from './records/migrate.ts';
import { sessions } from './records/sessions.ts';
import { signingKeys } from './records/signing-keys.ts';
import { readOrMakeSecrets, readSecrets } from './records/store-secrets.ts';
import { users } from './records/users.ts';
import type { Sealer } from './sealer.ts';
import type { Records } from './stores.ts';

/** Where records are kept. Plain values: the main thread hands them to its workers. */
export type RecordsSettings =
  | { readonly driver: 'sqlite'; readonly file: string }
  | {
      readonly driver: 'postgres';
      /** `postgres://user:password@host:port/database`; see `src/stores/postgres/location.ts` for what may follow. */
      readonly url: string;
      /** PEM text of the authorities that may sign the server's certificate; the system's where undefined. */
      readonly ca: string | undefined;
      /** The most connections of this thread. */
      readonly connections: number;
      /** How long one method may take, in milliseconds, before it rejects with StoreUnavailable. */
      readonly deadline: number;
    };

/**
 * Opens the records. Who may write brings the tables up to date first, while all others who open them wait; who reads only
 * (a worker thread) finds them so. Rejects where the database is newer than this program, where it was made with another
 * sealing key, and with StoreUnavailable where it cannot be reached.
 */
export async function openRecords(
  settings: RecordsSettings,
  options: { readonly sealer: Sealer; readonly readOnly: boolean },
): Promise<Records> {
  const { sealer, readOnly } = options;
  const database = await open(settings, readOnly);
  try {
    await (readOnly ? checkSchema(database) : migrate(database));
    const secrets = await (readOnly ? readSecrets(database, sealer) : readOrMakeSecrets(database, sealer));
    const audit = auditLog(database, secrets);
    return {
      keys: apiKeys(database, audit),
      consumers: consumers(database, audit),
      clients: clients(database, audit),
      users: users(database, secrets, audit),
      artifacts: artifacts(database, secrets, audit),
      sessions: sessions(database, secrets, audit),
      signingKeys: signingKeys(database, secrets, audit),
      audit,
      close: async () => await database.close(),
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function open(settings: RecordsSettings, readOnly: boolean): Promise<RecordsDatabase> {
  // Each thread loads the driver it uses, and no other.
  if (settings.driver === 'sqlite') {
    const { openSqlite } = await import('./sqlite/open.ts');
    return await openSqlite(settings.file, { readOnly });
  }
  const { openPostgres } = await import('./postgres/open.ts');
  return await openPostgres(settings, { readOnly });
}
