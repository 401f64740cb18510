import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { type PostgresServer, startPostgres } from '../../../test/support/postgres.ts';
import { skipUnless } from '../../../test/support/require-tool.ts';
import { openRecords, type RecordsSettings } from '../open-records.ts';
import { createSealer } from '../sealer.ts';
import { sessionName } from '../session-name.ts';
import type { Records } from '../stores.ts';
import { SCHEMA_VERSION } from './migrate.ts';
import { frozen, frozenKey } from './test-frozen.ts';

const sealer = createSealer([frozenKey]);
const dumps = (await readdir(join(import.meta.dirname, 'migrations'))).filter((name) => name.endsWith('.sql')).sort();

describe('migrations on SQLite', () => {
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-migrate-'));
  });
  after(async () => await rm(directory, { recursive: true, force: true }));

  for (const dump of dumpsOf('sqlite')) {
    it(`bring ${dump} up to date, to the same tables that a new database has`, async () => {
      const [old, fresh] = [join(directory, `${dump}.db`), join(directory, `${dump}.new.db`)];
      const database = new DatabaseSync(old);
      database.exec(await textOf(dump));
      database.close();
      await readFrozen({ driver: 'sqlite', file: old });
      await (await openRecords({ driver: 'sqlite', file: fresh }, { sealer, readOnly: false })).close();
      assert.deepEqual(tablesOf(old), tablesOf(fresh));
    });
  }
});

describe('migrations on PostgreSQL', { skip: skipUnless('postgres') }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(async () => await server.stop());

  for (const dump of dumpsOf('postgres')) {
    it(`bring ${dump} up to date, to the same tables that a new database has`, async () => {
      const [old, fresh] = [await server.createDatabase(), await server.createDatabase()];
      await query(old, await textOf(dump));
      await readFrozen(settingsOf(old));
      await (await openRecords(settingsOf(fresh), { sealer, readOnly: false })).close();
      assert.deepEqual(await query(old, TABLES), await query(fresh, TABLES));
    });
  }
});

/** Everything that was put there when the version was frozen is read as it was, and the log goes on from there. */
async function readFrozen(settings: RecordsSettings): Promise<void> {
  const records = await openRecords(settings, { sealer, readOnly: false });
  try {
    await assertFrozen(records);
    const { seq } = await records.audit.head();
    assert.ok(seq >= 3);
    await records.audit.append([{ type: 'gateway.started', actor: 'system', subject: '' }]);
    assert.deepEqual((await records.audit.verify()).intact, true);
  } finally {
    await records.close();
  }
}

async function assertFrozen(records: Records): Promise<void> {
  const { artifact, client, consumer, key, session, signingKey, user } = frozen;
  // The frozen names are constants; what else the test data has (a random key id) was fixed with them.
  assert.deepEqual(await records.keys.find(key.id), { key, consumer });
  assert.deepEqual(await records.clients.find(client.id), client);
  assert.deepEqual(await records.users.findByPasskey('frozen-passkey'), user);
  assert.deepEqual(await records.artifacts.findByUid(artifact.model, 'frozen-uid'), {
    ...artifact,
    consumedAt: undefined,
  });
  assert.deepEqual(await records.sessions.find(session.id), session);
  await assertNameable(records);
  assert.deepEqual(await records.signingKeys.list('oauth'), [signingKey]);
}

/** A session of a version that gave it no name is listed by its hash, and by its name once it was written again. */
async function assertNameable({ sessions }: Records): Promise<void> {
  const listed = async () => (await sessions.list({}, { limit: 2 })).items.map(({ id }) => id);
  const [before = ''] = await listed();
  assert.equal(await sessions.update({ ...frozen.session, version: 1 }, []), true);
  const name = sessionName(frozen.session.id);
  assert.deepEqual(await listed(), [name]);
  assert.equal(await sessions.removeByName(before, []), before === name);
  assert.equal(await sessions.removeByName(name, []), before !== name);
}

/** One for each version that was released, and for the present one. */
function dumpsOf(driver: string): readonly string[] {
  const own = dumps.filter((name) => name.endsWith(`.${driver}.sql`));
  assert.equal(own.length, SCHEMA_VERSION, 'each version of the tables has its frozen dump');
  return own;
}

async function textOf(dump: string): Promise<string> {
  return await readFile(join(import.meta.dirname, 'migrations', dump), 'utf8');
}

function tablesOf(file: string): unknown {
  const database = new DatabaseSync(file, { readOnly: true });
  const rows = database.prepare('select name, sql from sqlite_schema order by name').all();
  database.close();
  return rows.map(({ name, sql }) => ({ name, sql }));
}

const TABLES = `
  select table_name, column_name, data_type, collation_name, is_nullable, 'column' as kind
    from information_schema.columns where table_schema = 'public'
  union all
  select tablename, indexname, indexdef, null, null, 'index' from pg_indexes where schemaname = 'public'
  union all
  select conrelid::regclass::text, conname, pg_get_constraintdef(oid), null, null, 'constraint'
    from pg_constraint where connamespace = 'public'::regnamespace
  order by 1, 2, 3`;

function settingsOf(url: string): RecordsSettings {
  return { driver: 'postgres', url, ca: undefined, connections: 2, deadline: 10_000 };
}

async function query(url: string, statement: string): Promise<unknown> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}
