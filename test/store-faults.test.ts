import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { freePort, startGateway, type TestGateway } from './support/gateway.ts';
import { ask } from './support/http-client.ts';
import { AUDIENCE, identityConfig, issuerOf, makeThrough } from './support/identity-gateway.ts';
import { type ClientCredentials, postAs, tokenOf } from './support/identity-tokens.ts';
import { type PostgresServer, startPostgres } from './support/postgres.ts';
import { residentMemory } from './support/process-memory.ts';
import { type RedisServer, startRedis } from './support/redis.ts';
import { skipUnless } from './support/require-tool.ts';
import { until } from './support/until.ts';
import { startUpstream, type TestUpstream } from './support/upstream.ts';

const RECORDS_DEADLINE_MS = 800;
const COUNTERS_DEADLINE_MS = 200;
/** A refused request waits for the store's deadline once, or twice where it has to ask two things; the rest is this machine's. */
const LONGEST_WAIT_MS = 2 * RECORDS_DEADLINE_MS + 1_500;

describe('stores that go away under load', {
  timeout: 180_000,
  skip: skipUnless('postgres') || skipUnless('redis-server'),
}, () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let home: string;
  let port: number;
  let internalPort: number;
  let issuer: string;
  let client: ClientCredentials;
  let token: string;
  let key: string;
  let configure: (port: number) => string;

  before(async () => {
    [postgres, redis, upstream] = await Promise.all([startPostgres(), startRedis(), startUpstream()]);
    home = await mkdtemp(join(tmpdir(), 'sp-faults-'));
    port = await freePort();
    internalPort = await freePort();
    const stores = {
      records: { postgres: { url: postgres.url, deadline: `${RECORDS_DEADLINE_MS}ms` } },
      counters: { valkey: { url: redis.url, deadline: `${COUNTERS_DEADLINE_MS}ms` } },
      encryptionKeys: [randomBytes(32).toString('base64')],
    };
    configure = (listenOn) =>
      identityConfig({ port: listenOn, internalPort, issuerPort: port, dataDir: home, upstream: upstream.url, stores });
    gateway = await startGateway(configure(port), { fileName: 'sallyport.config.ts' });
    issuer = issuerOf({ issuerPort: port });
    await makeThrough(home, '/consumers', { name: 'acme' });
    key = String((await makeThrough(home, '/consumers/acme/keys', { name: 'main' })).key);
    const fields = { name: 'Program', grant_types: ['client_credentials'], scope: 'widgets:read' };
    const made = await makeThrough(home, '/clients', fields);
    client = { id: String(made.id), secret: String(made.secret ?? made.client_secret) };
    token = await tokenOf(client, issuer);
  });
  after(async () => {
    await gateway?.stop();
    await Promise.all([postgres?.stop(), redis?.stop(), upstream?.close()]);
    await rm(home, { recursive: true, force: true });
  });

  const withKey = () => timed({ 'X-API-Key': key });
  const withToken = () => timed({ Authorization: `Bearer ${token}` });

  async function timed(headers: Readonly<Record<string, string>>) {
    const agent = new Agent({ keepAlive: false });
    const startedAt = performance.now();
    const { status, body } = await ask({ port, path: '/v1/things', headers, agent });
    return { status, body, ms: performance.now() - startedAt };
  }

  /** Tokens of those who are signed in already, all the while; resolves with every status they got. */
  function tokensMeanwhile(): { stop(): Promise<ReadonlySet<number>> } {
    let running = true;
    const seen = new Set<number>();
    const clients = Array.from({ length: 6 }, async () => {
      while (running) {
        seen.add((await withToken()).status);
        await delay(10);
      }
    });
    return {
      async stop() {
        running = false;
        await Promise.all(clients);
        return seen;
      },
    };
  }

  async function keysAreRefusedInTime(): Promise<void> {
    await until('what workers hold of keys to be too old', async () => (await withKey()).status === 503);
    const answers = await Promise.all(Array.from({ length: 20 }, withKey));
    for (const { status, body, ms } of answers) {
      assert.equal(status, 503);
      assert.match(body, /identity-unavailable/);
      assert.ok(ms < LONGEST_WAIT_MS, `a request waited ${ms} ms`);
    }
    const issued = await postAs(client, `${issuer}/token`, { grant_type: 'client_credentials', resource: AUDIENCE });
    assert.equal(issued.status, 503, 'nothing is issued that could not be looked up');
  }

  const recovers = () =>
    until('keys to be accepted again by every worker', async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, withKey));
      return answers.every(({ status }) => status === 200);
    });

  const away = () => gateway.log.filter(({ msg }) => msg?.startsWith('the stores do not answer') === true).length;

  it('before: a key and a token are good', async () => {
    assert.equal((await withKey()).status, 200);
    assert.equal((await withToken()).status, 200);
  });

  for (const { how, go, back } of [
    { how: 'hangs', go: async () => postgres.pause(), back: async () => postgres.resume() },
    { how: 'is killed', go: () => postgres.kill(), back: () => postgres.restart() },
  ]) {
    it(`PostgreSQL ${how}: tokens go on, keys are refused within the deadline, and it recovers by itself`, async () => {
      const memory = residentMemory(gateway.process.pid).now;
      const said = away();
      const tokens = tokensMeanwhile();
      await go();
      try {
        await keysAreRefusedInTime();
        await Promise.all(Array.from({ length: 200 }, withKey));
      } finally {
        await back();
      }
      await recovers();
      assert.deepEqual([...(await tokens.stop())], [200], 'a token that was good was refused');
      assert.ok(away() - said <= 3, `it was said ${away() - said} times`);
      assert.ok(residentMemory(gateway.process.pid).now - memory < 150, 'memory grew');
      assert.equal(gateway.process.exitCode, null);
      const { body } = await ask({ port: internalPort, path: '/metrics' });
      assert.match(body, /^sallyport_store_failures_total [1-9]/m);
    });
  }

  it('Redis hangs, is killed and comes back: proofs that cannot be checked for replay are refused', async () => {
    const prove = await dpopClient(client, issuer);
    const at = (): ReturnType<typeof timed> => prove(`http://127.0.0.1:${port}/v1/things`).then(timed);
    assert.equal((await at()).status, 200);
    const tokens = tokensMeanwhile();
    for (const [go, back] of [
      [async () => redis.pause(), async () => redis.resume()],
      [() => redis.kill(), () => redis.restart()],
    ] as const) {
      await go();
      try {
        const { status, body, ms } = await at();
        assert.equal(status, 503, body);
        assert.ok(ms < LONGEST_WAIT_MS, `a request waited ${ms} ms`);
        assert.equal((await withKey()).status, 200, 'keys need no counters');
      } finally {
        await back();
      }
      await until('proofs to be accepted again', async () => (await at()).status === 200);
    }
    assert.deepEqual([...(await tokens.stop())], [200]);
  });

  it('a gateway that finds no database says so and does not start half', async () => {
    await postgres.kill();
    const other = await mkdtemp(join(tmpdir(), 'sp-faults-'));
    try {
      const config = configure(await freePort()).replaceAll(home, other);
      await assert.rejects(
        startGateway(config, { fileName: 'sallyport.config.ts' }),
        /did not start \(exit code [1-9]/,
      );
    } finally {
      await rm(other, { recursive: true, force: true });
      await postgres.restart();
    }
    await recovers();
    gateway.process.kill('SIGTERM');
    await once(gateway.process, 'exit');
    assert.equal(gateway.process.exitCode, 0);
  });
});

/** A client with a DPoP-bound token; resolves with the fields of a request that proves its key. */
async function dpopClient(client: ClientCredentials, issuer: string) {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  const proof = (htm: string, htu: string, ath?: string) =>
    new SignJWT({ htm, htu, ...(ath === undefined ? {} : { ath }) })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .setIssuedAt()
      .setJti(randomBytes(16).toString('hex'))
      .sign(privateKey);
  const pair = Buffer.from(`${client.id}:${client.secret}`).toString('base64');
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { Authorization: `Basic ${pair}`, DPoP: await proof('POST', `${issuer}/token`) },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'widgets:read', resource: AUDIENCE }),
  });
  const body: unknown = await answer.json();
  const token = String(Object(body).access_token);
  assert.equal(Object(body).token_type, 'DPoP');
  assert.ok((await calculateJwkThumbprint(jwk)).length > 0);
  const { createHash } = await import('node:crypto');
  const ath = createHash('sha256').update(token).digest('base64url');
  return async (url: string) => ({ Authorization: `DPoP ${token}`, DPoP: await proof('GET', url, ath) });
}
