import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { bootstrapAdmin } from '../src/admin/bootstrap.ts';
import { parseApiKey } from '../src/lib/api-key.ts';
import { type AuditRecord, auditTypes } from '../src/stores/audit.ts';
import { openRecords } from '../src/stores/open-records.ts';
import { createSealer } from '../src/stores/sealer.ts';
import { type Records, StoreUnavailable } from '../src/stores/stores.ts';
import { type RunningAdminApp, startAdminApp } from './support/admin-app.ts';

describe('the audit log in the admin API', () => {
  let app: RunningAdminApp;
  before(async () => {
    app = await startAdminApp();
    const events = Array.from({ length: 1_207 }, (_, n) => ({
      type: n % 2 === 0 ? ('user.signed-in' as const) : ('user.signed-out' as const),
      actor: 'user:ada',
      subject: `user:${n % 10}`,
    }));
    await app.records.audit.append(events);
  });
  after(() => app.stop());

  it('is listed newest first, filtered, in parts', async () => {
    const seen: number[] = [];
    let after = '';
    do {
      const { body } = await app.call('GET', `/audit?type=user.signed-in&subject=user:4&limit=50${after}`);
      seen.push(...body.items.map(({ seq }: { seq: number }) => seq));
      after = body.next === null ? '' : `&after=${body.next}`;
    } while (after !== '');
    assert.deepEqual(seen, Array.from({ length: 121 }, (_, n) => 5 + n * 10).toReversed());
    assert.deepEqual((await app.call('GET', '/audit?actor=nobody')).body, { items: [], next: null });
  });

  it('is exported whole, oldest first, or from where an export ended', async () => {
    const whole = await app.call('GET', '/audit/export');
    const records: AuditRecord[] = whole.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      records.map(({ seq }) => seq),
      Array.from({ length: 1_207 }, (_, n) => n + 1),
    );
    const rest = await app.call('GET', '/audit/export?after=1200');
    assert.equal(rest.text.trim().split('\n').length, 7);
    assert.equal((await app.call('GET', '/audit/export?after=1207')).text, '');
    assert.deepEqual(await app.records.audit.verify({ records }), await app.records.audit.verify());
  });

  it('is verified, also against a head that was noted earlier', async () => {
    const { text } = await app.call('GET', '/audit/verification');
    const verdict = JSON.parse(text);
    const head = await app.records.audit.head();
    assert.deepEqual(verdict, { intact: true, records: 1_207, head });
    assert.equal(
      JSON.parse((await app.call('GET', `/audit/verification?expected=${head.seq}:${head.hash}`)).text).intact,
      true,
    );
    const other = await app.call('GET', `/audit/verification?expected=9999:${head.hash}`);
    assert.equal(JSON.parse(other.text).fault, 'rolled-back');
  });

  it('is not verified for a request that reads no lines', async (context) => {
    const verify = context.mock.method(app.records.audit, 'verify', async () => {
      throw new StoreUnavailable('too late');
    });
    assert.equal((await app.call('HEAD', '/audit/verification')).status, 200);
    assert.equal(verify.mock.callCount(), 0);
  });

  it('names the first record that somebody edited in the database', async () => {
    const database = new DatabaseSync(join(app.dataDir, 'records.db'));
    database.exec("update audit_log set actor = 'user:eve' where seq = 600");
    database.close();
    const verdict = JSON.parse((await app.call('GET', '/audit/verification')).text);
    assert.equal(verdict.intact, false);
    assert.equal(verdict.seq, 600);
    assert.equal(verdict.fault, 'edited');
  });
});

describe('the first credential of the admin API', () => {
  let directory: string;
  const opened: Records[] = [];
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-bootstrap-'));
  });
  after(async () => {
    for (const records of opened) await records.close();
    await rm(directory, { recursive: true });
  });
  async function open(file: string): Promise<Records> {
    const sealer = createSealer([Buffer.alloc(32, 7)]);
    const records = await openRecords({ driver: 'sqlite', file: join(directory, file) }, { sealer, readOnly: false });
    opened.push(records);
    return records;
  }

  it('is made once, for one of those who start at once, and never again', async () => {
    const processes = [await open('a.db'), await open('a.db'), await open('a.db'), await open('a.db')];
    const made = (await Promise.all(processes.map((records) => bootstrapAdmin(records)))).filter(
      (key) => key !== undefined,
    );
    assert.equal(made.length, 1);
    const [records] = processes;
    assert.ok(made[0] && records);
    const parsed = parseApiKey(made[0].text);
    const found = await records.keys.find(made[0].id);
    assert.equal(parsed?.id, made[0].id);
    assert.equal(found?.key.hash, parsed?.secretHash);
    assert.deepEqual(
      [found?.key.scopes, found?.key.apis, found?.key.environment],
      [['admin'], ['sallyport-admin'], 'admin'],
    );
    assert.equal(found?.consumer.name, 'sallyport-admin');
    assert.equal(found?.key.revokedAt, undefined);
    const events = await records.audit.list({ type: 'admin.bootstrap' }, { limit: 10 });
    assert.deepEqual(
      events.items.map(({ subject }) => subject),
      [`key:${made[0].id}`],
    );

    assert.equal(await bootstrapAdmin(records), undefined);
    await records.consumers.remove(found?.consumer.id ?? '', []);
    assert.equal(await bootstrapAdmin(records), undefined);
  });

  it('leaves no other key that opens anything', async () => {
    const records = await open('b.db');
    const made = await bootstrapAdmin(records);
    const { items } = await records.keys.list({}, { limit: 10 });
    const live = items.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > Date.now());
    assert.deepEqual(
      live.map(({ id }) => id),
      [made?.id],
    );
  });

  it('takes up what a crash left behind', async () => {
    const records = await open('c.db');
    const broken = { ...records, keys: { ...records.keys, rotate: () => Promise.reject(new Error('killed')) } };
    await assert.rejects(bootstrapAdmin(broken), /killed/);
    assert.ok(await bootstrapAdmin(records));
    assert.equal(await bootstrapAdmin(records), undefined);
  });

  it('leaves alone a consumer of that name that somebody declared', async () => {
    const records = await open('d.db');
    await records.consumers.create(
      { id: 'x', name: 'sallyport-admin', metadata: {}, disabled: false, source: 'config', createdAt: 1 },
      [],
    );
    assert.equal(await bootstrapAdmin(records), undefined);
    assert.equal(await records.keys.count(), 0);
  });
});

it('every type of event is explained in docs/audit.md, and no other', async () => {
  const text = await readFile(new URL('../docs/audit.md', import.meta.url), 'utf8');
  const explained = [...text.matchAll(/^\| `([a-z-]+\.[a-z-]+)` \|/gm)].map(([, type]) => type);
  assert.deepEqual(explained, Object.keys(auditTypes));
});
