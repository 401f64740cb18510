import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { startPostgres } from '../../../test/support/postgres.ts';
import { skipUnless } from '../../../test/support/require-tool.ts';
import { openRecords, type RecordsSettings } from '../open-records.ts';
import { createSealer } from '../sealer.ts';
import { SCHEMA_VERSION } from './migrate.ts';
import { frozen, frozenKey } from './test-frozen.ts';

/**
 * Each version of the tables that is released has a dump a driver, which is never written again once it was committed.
 * `SALLYPORT_FREEZE=1 npm test -- freeze.test.ts` writes those that are missing.
 */
describe('the tables of this version', () => {
  it('are frozen for SQLite', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sp-freeze-'));
    await freeze('sqlite', async () => {
      const file = join(directory, 'records.db');
      await fill({ driver: 'sqlite', file });
      return dumpOfSqlite(file);
    });
    await rm(directory, { recursive: true });
  });

  it('are frozen for PostgreSQL', { skip: skipUnless('postgres') }, async () => {
    await freeze('postgres', async () => {
      const server = await startPostgres();
      try {
        const url = await server.createDatabase();
        await fill({ driver: 'postgres', url, ca: undefined, connections: 2, deadline: 10_000 });
        const args = ['--inserts', '--no-owner', '--no-privileges', '--dbname', url];
        const { stdout } = await promisify(execFile)('pg_dump', args);
        // Lines for psql, and what this version of pg_dump has to say, are none of the database's.
        return stdout.replace(/^(\\|--).*\n|^SET .*\n|^SELECT pg_catalog.*\n/gm, '').replace(/\n{2,}/g, '\n');
      } finally {
        await server.stop();
      }
    });
  });
});

async function freeze(driver: string, dump: () => Promise<string>): Promise<void> {
  const name = `test-${String(SCHEMA_VERSION).padStart(4, '0')}.${driver}.sql`;
  const path = join(import.meta.dirname, 'migrations', name);
  if (process.env['SALLYPORT_FREEZE'] === '1' && !existsSync(path)) await writeFile(path, await dump(), { flag: 'wx' });
  assert.ok(existsSync(path), `${name} is missing: run this test with SALLYPORT_FREEZE=1, once`);
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
