import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { startPostgres } from '../../../test/support/postgres.ts';
import { openRecords, type RecordsSettings } from '../open-records.ts';
import { createSealer } from '../sealer.ts';
import {
  artifactNamed,
  clientNamed,
  consumerNamed,
  keyOf,
  sessionNamed,
  signingKeyNamed,
  userNamed,
} from '../test-records.ts';
import { SCHEMA_VERSION } from './migrate.ts';

/** What the frozen databases were sealed with. It protects nothing else. */
export const frozenKey = new Uint8Array(32).fill(0x5a);

/** The end of everything in the frozen databases that has one: long after us. */
const FAR = 32_503_680_000_000;

/** What the frozen databases hold, as every later version has to read it. */
export const frozen = {
  consumer: consumerNamed('frozen-consumer', { metadata: { plan: 'gold' } }),
  key: keyOf('frozen-consumer', { id: 'frozen-key', expiresAt: FAR, uses: 7 }),
  client: clientNamed('frozen-client'),
  user: userNamed('frozen', {
    id: 'frozen-user',
    totpSecret: 'JBSWY3DPEHPK3PXP',
    upstream: 'https://idp.example.com|frozen',
    passkeys: [
      { id: 'frozen-passkey', publicKey: 'cHVi', counter: 3, transports: ['usb'], name: 'key ring', createdAt: 1 },
    ],
  }),
  artifact: artifactNamed('frozen-artifact', { expiresAt: FAR, grantId: 'frozen-grant', uid: 'frozen-uid' }),
  session: sessionNamed('frozen-session', { tokenExpiresAt: FAR, expiresAt: FAR, idleUntil: FAR, createdAt: 1 }),
  signingKey: signingKeyNamed('frozen-kid'),
} as const;

/**
 * Writes the dumps of this version of the tables, one a driver; run it once when a version is released:
 * `node src/stores/records/test-freeze.ts`. A dump that was committed is never written again.
 */
async function freeze(): Promise<void> {
  const file = join(tmpdir(), `sp-freeze-${randomBytes(6).toString('hex')}.db`);
  await fill({ driver: 'sqlite', file });
  await write('sqlite', dumpOfSqlite(file));
  await rm(file);
  const server = await startPostgres();
  try {
    const url = await server.createDatabase();
    await fill({ driver: 'postgres', url, ca: undefined, connections: 2, deadline: 10_000 });
    const dump = await promisify(execFile)('pg_dump', ['--inserts', '--no-owner', '--no-privileges', '--dbname', url]);
    // Lines for psql, and what the version of pg_dump has to say, are none of the database's.
    await write(
      'postgres',
      dump.stdout.replace(/^(\\|--).*\n|^SET .*\n|^SELECT pg_catalog.*\n/gm, '').replace(/\n{2,}/g, '\n'),
    );
  } finally {
    await server.stop();
  }
}

async function fill(settings: RecordsSettings): Promise<void> {
  const records = await openRecords(settings, { sealer: createSealer([frozenKey]), readOnly: false });
  const event = (subject: string) => [{ type: 'config.applied', actor: 'system', subject, detail: { n: 1 } }] as const;
  await records.consumers.create(frozen.consumer, event('consumer:frozen'));
  await records.keys.insert([frozen.key], event('key:frozen'));
  await records.clients.create(frozen.client, []);
  await records.users.create(frozen.user, event('user:frozen'));
  await records.artifacts.upsert(frozen.artifact);
  await records.sessions.create(frozen.session, []);
  await records.signingKeys.rotate('oauth', () => ({ keys: [frozen.signingKey], events: [] }));
  await records.close();
}

function dumpOfSqlite(file: string): string {
  const database = new DatabaseSync(file, { readOnly: true });
  const made = database.prepare('select name, type, sql from sqlite_schema where sql is not null').all();
  const rows = made
    .filter((item) => item['type'] === 'table')
    .flatMap(({ name }) => {
      const columns = database.prepare(`pragma table_info(${name})`).all();
      const values = columns.map((column) => `quote("${column['name']}")`).join(" || ', ' || ");
      const lines = database.prepare(`select ${values} as line from ${name}`).all();
      return lines.map(({ line }) => `insert into ${name} values (${line});`);
    });
  database.close();
  // Parents before their children, so that no row refers to one that is not there yet.
  const inOrder = rows.sort((one, other) => Number(isChild(one)) - Number(isChild(other)));
  return `${[...made.map((item) => `${item['sql']};`), ...inOrder].join('\n')}\n`;
}

function isChild(statement: string): boolean {
  return /^insert into (api_keys|passkeys) /.test(statement);
}

async function write(driver: string, dump: string): Promise<void> {
  const version = String(SCHEMA_VERSION).padStart(4, '0');
  await writeFile(join(dirname(import.meta.filename), 'migrations', `test-${version}.${driver}.sql`), dump, {
    flag: 'wx',
  });
}

if (process.argv[1] === import.meta.filename) await freeze();
