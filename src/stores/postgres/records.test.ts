import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { createTestAuthority } from '../../../test/support/certificate-authority.ts';
import { type PostgresServer, startPostgres } from '../../../test/support/postgres.ts';
import { skipUnless } from '../../../test/support/require-tool.ts';
import { until } from '../../../test/support/until.ts';
import { openRecords, type RecordsSettings } from '../open-records.ts';
import { createSealer } from '../sealer.ts';
import { type Records, StoreUnavailable } from '../stores.ts';
import { consumerNamed, keyOf, unique } from '../test-records.ts';
import { recordsContract } from '../test-records-contract.ts';

const skip = skipUnless('postgres');
const sealer = createSealer([randomBytes(32)]);

describe('records on PostgreSQL', { skip }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(async () => await server.stop());

  recordsContract({
    async create() {
      const url = await server.createDatabase();
      return {
        settings: { ...settingsOf(url), deadline: 20_000 },
        execute: async (statement) => void (await query(url, statement)),
        async dump() {
          const tables = await query(url, "select tablename as name from pg_tables where schemaname = 'public'");
          const texts = await Promise.all(
            tables.map(async ({ name }) => JSON.stringify(await query(url, `select t::text from ${name} t`))),
          );
          return texts.join('\n');
        },
      };
    },
  });
});

describe('records on a PostgreSQL that fails', { skip }, () => {
  let server: PostgresServer;
  let records: Records;
  before(async () => {
    server = await startPostgres();
    records = await openRecords(settingsOf(server.url), { sealer, readOnly: false });
  });
  after(async () => {
    await records.close();
    await server.stop();
  });
  const isServed = async (): Promise<boolean> =>
    await records.consumers.create(consumerNamed(unique('c')), []).then(
      () => true,
      () => false,
    );
  const refuses = async (call: () => Promise<unknown>): Promise<void> =>
    await assert.rejects(call, (error: Error) => {
      assert.ok(error instanceof StoreUnavailable, String(error.stack));
      assert.ok(!error.stack?.includes(server.password));
      return true;
    });

  it('refuses while it hangs, though more call than it has connections, and goes on afterwards', async () => {
    await Promise.all(Array.from({ length: 10 }, isServed)); // so that there are connections to hang
    server.pause();
    try {
      const reads = Array.from({ length: 30 }, async () => await refuses(async () => await records.keys.find('k')));
      const writes = Array.from(
        { length: 10 },
        async () => await refuses(async () => await records.audit.append(EVENTS)),
      );
      await Promise.all([...reads, ...writes]);
      await refuses(async () => await openRecords(settingsOf(server.url), { sealer, readOnly: true }));
    } finally {
      server.resume();
    }
    await until('the records to be served again', isServed);
    assert.equal((await records.audit.verify()).intact, true);
  });

  it('refuses while it is gone, and goes on when it is back', async () => {
    await isServed();
    await server.kill();
    await refuses(async () => await records.keys.find('k'));
    await refuses(async () => await records.consumers.remove('c', []));
    await refuses(async () => await openRecords(settingsOf(server.url), { sealer, readOnly: false }));
    await server.restart();
    await until('the records to be served again', isServed);
  });

  it('gives a change up that waits for a lock longer than its deadline', async () => {
    const holder = new pg.Client(server.url);
    await holder.connect();
    await holder.query('begin; select * from audit_head for update');
    await refuses(async () => await records.audit.append(EVENTS));
    await records.audit.head(); // reading waits for nobody
    await holder.query('rollback');
    await holder.end();
    await records.audit.append(EVENTS);
  });

  it('disables a consumer with very many keys before it removes them, and goes on where that had failed', async () => {
    const consumer = consumerNamed(unique('c'));
    await records.consumers.create(consumer, []);
    const keys = Array.from({ length: 1_200 }, () => keyOf(consumer.id));
    await records.keys.insert(keys, []);
    const remove = async (): Promise<boolean> => await records.consumers.remove(consumer.id, EVENTS);
    const { seq } = await records.audit.head();
    const holder = new pg.Client(server.url);
    await holder.connect();
    await holder.query('begin');
    await holder.query('select id from api_keys where consumer_id = $1 for update', [consumer.id]);
    await refuses(remove);
    assert.equal((await records.keys.find(keys[0]?.id ?? ''))?.consumer.disabled, true);
    assert.equal((await records.audit.head()).seq, seq + 1);
    await holder.query('rollback');
    await holder.end();
    assert.equal(await remove(), true);
    assert.equal(await records.consumers.find(consumer.id), undefined);
  });

  it('tells of changes while more wait to write than it has connections', async () => {
    const settings = { ...settingsOf(server.url), deadline: 10_000 };
    const patient = await openRecords(settings, { sealer, readOnly: false });
    const holder = new pg.Client(server.url);
    await holder.connect();
    try {
      await holder.query('begin; select * from audit_head for update');
      const waiting = Array.from({ length: 4 * settings.connections }, async () => await patient.audit.append(EVENTS));
      await until('every connection to wait', async () => {
        const blocked = "select pid from pg_stat_activity where wait_event_type = 'Lock'";
        return (await query(server.url, blocked)).length === settings.connections;
      });
      assert.equal((await patient.audit.after(0, 1)).length, 1);
      await holder.query('rollback');
      await Promise.all(waiting);
    } finally {
      await holder.end();
      await patient.close();
    }
  });

  it('is refused a wrong password and an unknown database, and repeats neither', async () => {
    const wrong = [
      server.url.replace(server.password, 'hunter2hunter2'),
      server.url.replace('/postgres?', '/hunter2?'),
    ];
    for (const url of wrong) {
      await assert.rejects(openRecords(settingsOf(url), { sealer, readOnly: false }), (error: Error) => {
        assert.ok(error instanceof StoreUnavailable && !error.stack?.includes('hunter2'), String(error.stack));
        return true;
      });
    }
  });

  it('says nothing of what a row holds when a change fails', async () => {
    const consumer = consumerNamed(unique('c'), { name: 'very-private-name' });
    await records.consumers.create(consumer, []);
    await assert.rejects(records.consumers.create({ ...consumer, id: unique('c') }, []), (error: Error) => {
      assert.ok(!JSON.stringify({ ...error, stack: error.stack }).includes('very-private-name'));
      assert.equal(error.cause, undefined);
      return true;
    });
  });
});

describe('the way to PostgreSQL', { skip }, () => {
  it('speaks TLS and takes the certificate of the right authority and name alone', async () => {
    const authority = await createTestAuthority();
    const other = await createTestAuthority('Another CA');
    const server = await startPostgres({ tls: await authority.issue('localhost') });
    const named = server.url.replace('127.0.0.1', 'localhost').replace('disable', 'verify-full');
    const attempts = [
      { url: named, ca: authority.cert, served: true },
      { url: named.replace('?sslmode=verify-full', ''), ca: authority.cert, served: true },
      { url: named, ca: other.cert, served: false },
      { url: named, ca: undefined, served: false },
      { url: named.replace('localhost', '127.0.0.1'), ca: authority.cert, served: false },
      { url: server.url, ca: undefined, served: false }, // sslmode=disable, which the server does not take
    ];
    try {
      for (const { url, ca, served } of attempts) {
        const opening = openRecords({ ...settingsOf(url), ca }, { sealer, readOnly: false });
        if (served) await (await opening).close();
        else await assert.rejects(opening, StoreUnavailable);
      }
    } finally {
      await server.stop();
    }
  });
});

const EVENTS = [{ type: 'user.updated', actor: 'admin:test', subject: 'user:1' }] as const;

function settingsOf(url: string): Extract<RecordsSettings, { driver: 'postgres' }> {
  return { driver: 'postgres', url, ca: undefined, connections: 4, deadline: 700 };
}

async function query(url: string, statement: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}
