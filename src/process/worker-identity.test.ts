import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { createLocalJWKSet, exportJWK, generateKeyPair, type JWK, jwtVerify } from 'jose';
import { until } from '../../test/support/until.ts';
import { SharedFreshness } from '../identity/freshness.ts';
import { issuerSettings } from '../identity/issuer-settings.ts';
import { createKey } from '../identity/key-keeper.ts';
import type { ReportBatch } from '../identity/report-batch.ts';
import { createLog } from '../observe/log.ts';
import type { AuditType } from '../stores/audit.ts';
import { allocateCounters } from '../stores/open-counters.ts';
import { IdentityPlane } from './identity-plane.ts';
import type { FromWorker, StoreFacts } from './messages.ts';
import { openWorkerIdentity, type WorkerIdentity } from './worker-identity.ts';

const BY = { actor: 'admin:ada', source: 'admin' } as const;

/** The two halves of identity as they run in two threads, here in one; messages between them are cloned as a port would. */
describe('what a worker knows of callers', () => {
  let issuer = '';
  let published: JWK;
  let directory = '';
  let facts: StoreFacts;
  let plane: IdentityPlane;
  let worker: WorkerIdentity;
  let anomalies: string[] = [];
  let usesDropped = 0;
  const keyUsesDropped = (count: number) => {
    usesDropped += count;
  };
  const server = createServer((request, response) => {
    const metadata = { issuer, jwks_uri: `${issuer}/jwks` };
    response.end(JSON.stringify(request.url === '/jwks' ? { keys: [published] } : metadata));
  });

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // listening on TCP
    const { publicKey } = await generateKeyPair('ES256');
    published = { ...(await exportJWK(publicKey)), kid: 'k1' };
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  beforeEach(async () => {
    anomalies = [];
    usesDropped = 0;
    directory = await mkdtemp(join(tmpdir(), 'sallyport-worker-'));
    facts = {
      records: { driver: 'sqlite', file: join(directory, 'records.db') },
      counters: { driver: 'memory', memory: allocateCounters(64 * 1_024) },
      sealingKeys: [randomBytes(32)],
      freshness: SharedFreshness.allocate(),
    };
    const metrics = {
      anomaly: (reason: string) => anomalies.push(reason),
      auditDropped: fail,
      storeFailed: fail,
      keyUsesDropped,
    };
    plane = await IdentityPlane.open({ facts, log: createLog({ level: 'error', format: 'json' }), metrics });
    worker = await born();
    plane.follow((news) => worker.hear(structuredClone(news)));
    plane.greet((news) => worker.hear(structuredClone(news)));
  });
  afterEach(async () => {
    await worker.close();
    await plane.close();
    await rm(directory, { recursive: true });
  });

  async function born(): Promise<WorkerIdentity> {
    const one: WorkerIdentity = await openWorkerIdentity(facts, (message: FromWorker) => {
      const told = structuredClone(message);
      if (told.type === 'report') plane.report(told.report);
      if (told.type !== 'question') return;
      if (told.question === 'session.refresh' || told.question === 'session.touch') throw new Error(told.question);
      plane.answer(told).then(
        (answer) => one.answered({ type: 'answer', id: told.id, answer, refusal: undefined }),
        (error) => one.answered({ type: 'answer', id: told.id, answer: undefined, refusal: String(error) }),
      );
    });
    return one;
  }

  test('a key that is revoked ends in the worker, which then holds only what is true', async () => {
    const { records } = plane.foundations;
    const consumer = { id: 'con', name: 'acme', metadata: {}, disabled: false, source: 'admin', createdAt: 0 } as const;
    await records.consumers.create(consumer, []);
    const made = await createKey(records, { consumerId: 'con', name: 'main', scopes: [] }, BY);
    assert.ok(made.refusal === undefined);
    const find = async () => (await worker.services.keys.find(made.key.id))?.key;
    assert.equal((await find())?.revokedAt, undefined);
    await until('the key to be held', async () => {
      await find();
      return !(worker.services.keys.find(made.key.id) instanceof Promise);
    });
    await records.keys.revoke(made.key.id, Date.now(), [
      { type: 'key.revoked', actor: 'admin:ada', subject: `key:${made.key.id}` },
    ]);
    plane.nudge();
    await until('the revocation', async () => (await find())?.revokedAt !== undefined);
  });

  test('a database that came back without its last changes is read again, and nothing of before is held', async () => {
    const { records } = plane.foundations;
    const consumer = { id: 'con', name: 'acme', metadata: {}, disabled: false, source: 'admin', createdAt: 0 } as const;
    await records.consumers.create(consumer, []);
    const made = await createKey(records, { consumerId: 'con', name: 'main', scopes: [] }, BY);
    assert.ok(made.refusal === undefined);
    const { keys, revocations } = worker.services;
    assert.ok(facts.records.driver === 'sqlite');
    const behind = new DatabaseSync(facts.records.file, { timeout: 5_000 });
    behind.exec('create table older as select * from audit_head');
    const lost = { type: 'grant.revoked', actor: 'admin:ada', subject: 'grant:lost' } as const;
    await records.audit.append([lost, lost, lost, lost, lost]);
    const token = { jti: 'j', grantId: 'lost', clientId: undefined, subject: undefined, issuedAt: Date.now() / 1_000 };
    await until('the last changes to be heard', () => revocations.isRevoked(token));
    const isHeld = () => !(keys.find(made.key.id) instanceof Promise);
    await until('the key to be held', async () => (await keys.find(made.key.id)) !== undefined && isHeld());

    behind.exec(`begin immediate; delete from audit_log where seq > (select seq from older);
      update audit_head set seq = older.seq, at = older.at, hash = older.hash, mac = older.mac from older; commit`);
    behind.close();
    await records.keys.revoke(made.key.id, Date.now(), [
      { type: 'key.revoked', actor: 'admin:ada', subject: `key:${made.key.id}` },
      { type: 'grant.revoked', actor: 'admin:ada', subject: 'grant:g' },
    ]);
    await until('the revocation', async () => (await keys.find(made.key.id))?.key.revokedAt !== undefined);
    await until('that of the grant', () => revocations.isRevoked({ ...token, grantId: 'g' }));
    await until(
      'what is held to be trusted again',
      async () => (await keys.find(made.key.id)) !== undefined && isHeld(),
    );
  });

  test('tokens that were revoked are refused by workers that were there, and by those born later', async () => {
    const token = {
      jti: 'j',
      grantId: undefined,
      clientId: undefined,
      subject: undefined,
      issuedAt: Date.now() / 1_000,
    };
    const { revocations } = worker.services;
    assert.equal(revocations.isRevoked(token), false);
    plane.audit({
      type: 'token.revoked',
      actor: 'admin:ada',
      subject: 'token:j',
      detail: { exp: Date.now() / 1_000 + 600 },
    });
    await until('the revocation', () => revocations.isRevoked(token));
    const later = await born();
    assert.equal(later.services.revocations.isRevoked(token), true);
    await later.close();
  });

  test('a type of a later version stops no news, and lets go of what it may have ended', async () => {
    const { records } = plane.foundations;
    const consumer = { id: 'con', name: 'acme', metadata: {}, disabled: false, source: 'admin', createdAt: 0 } as const;
    await records.consumers.create(consumer, []);
    const made = await createKey(records, { consumerId: 'con', name: 'main', scopes: [] }, BY);
    assert.ok(made.refusal === undefined);
    const { keys, revocations } = worker.services;
    const isHeld = () => !(keys.find(made.key.id) instanceof Promise);
    await until('the key to be held', async () => (await keys.find(made.key.id)) !== undefined && isHeld());
    const type = 'key.frozen' as AuditType; // what the store of another version gives back
    await records.audit.append([
      { type, actor: 'admin:ada', subject: `key:${made.key.id}` },
      { type: 'grant.revoked', actor: 'admin:ada', subject: 'grant:g' },
    ]);
    plane.nudge();
    const token = { jti: 'j', grantId: 'g', clientId: undefined, subject: undefined, issuedAt: Date.now() / 1_000 };
    await until('the record behind it', () => revocations.isRevoked(token));
    assert.equal(isHeld(), false);
  });

  test('keys of issuers come by themselves and at a question, and go with the issuer', async () => {
    const { issuers } = worker.services;
    const issuerOf = (name: string) => ({ issuers: [issuerSettings.parse({ issuer: name })], own: undefined });
    await assert.rejects(issuers.refresh(issuer), /does not name/);
    plane.applyIssuers(issuerOf(issuer));
    await until('the keys', () => issuers.known(issuer) !== undefined);
    assert.deepEqual(issuers.known(issuer)?.jwks.keys, [published]);
    assert.equal((await issuers.refresh(issuer)).generation, issuers.known(issuer)?.generation);
    await assert.rejects(issuers.introspect(issuer, 'opaque'), /introspection credentials/);
    plane.applyIssuers({ issuers: [], own: { issuer: 'https://own.example', jwks: { keys: [published] } } });
    assert.equal(issuers.known(issuer), undefined);
    assert.notEqual(issuers.known('https://own.example'), undefined);
    await assert.rejects(issuers.refresh(issuer), /does not name/);
  });

  test('identities are signed with the key the control plane publishes', async () => {
    const text = await worker.services.signer.sign({ sub: 'alice' }, { audience: 'widgets', ttlSeconds: 60 });
    const { payload } = await jwtVerify(text, createLocalJWKSet(plane.identityKeys.published()));
    assert.deepEqual([payload.iss, payload.sub], ['sallyport', 'alice']);
  });

  test('a proof counts once over all workers', async () => {
    const other = await born();
    assert.equal(await worker.services.replay.once('nonce', 60_000), true);
    assert.equal(await other.services.replay.once('nonce', 60_000), false);
    await other.close();
  });

  test('what a worker reports is in the log, a flood as one record', async () => {
    const { audit } = plane.foundations.records;
    const { seq } = await audit.head();
    const event = { type: 'request.refused', actor: 'anonymous', subject: '', detail: { reason: 'expired' } } as const;
    for (let at = 0; at < 500; at += 1) worker.services.reports.audit({ ...event, requestId: `r${at}` });
    const records = await until('the record', async () => {
      const found = await audit.after(seq, 10);
      return found.length > 0 ? found : undefined;
    });
    assert.deepEqual(
      records.map(({ type, requestId, detail }) => [type, requestId, detail]),
      [['request.refused', 'r0', { reason: 'expired', count: 500 }]],
    );
    assert.deepEqual(anomalies, []);
  });

  test('uses of keys that find no room are counted as dropped, at a worker and over all of them', async () => {
    const useOf = (at: number) => ({ id: `k${at}`, uses: 1, lastUsedAt: at, address: '192.0.2.1', route: 'r' });
    const reports: ReportBatch[] = [];
    const alone = await openWorkerIdentity(facts, (message) => {
      if (message.type === 'report') reports.push(message.report);
    });
    for (let at = 0; at < 20_002; at += 1) alone.services.reports.keyUsed(useOf(at));
    await alone.close();
    assert.deepEqual(
      reports.map((report) => [report.uses.length, report.usesDropped]),
      [[20_000, 2]],
    );
    const others = Array.from({ length: 20_001 }, (_, at) => ({ ...useOf(at), networks: [] }));
    const quiet = { events: [], refusedKeys: [], dropped: 0, storeFailures: undefined };
    plane.report({ ...quiet, uses: others, usesDropped: 2 });
    await until('what found no room in the control plane either', () => usesDropped === 3);
  });
});

function fail(): never {
  throw new Error('no store failed and nothing was dropped');
}
