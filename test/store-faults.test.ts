import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { freePort, startGateway, type TestGateway } from './support/gateway.ts';
import { ask } from './support/http-client.ts';
import { AUDIENCE, CALLBACK, identityConfig, issuerOf, makeSession, makeThrough } from './support/identity-gateway.ts';
import { type ClientCredentials, postAs, signIn, tokenOf } from './support/identity-tokens.ts';
import { type PostgresServer, startPostgres } from './support/postgres.ts';
import { residentMemory } from './support/process-memory.ts';
import { type RedisServer, startRedis } from './support/redis.ts';
import { skipUnless } from './support/require-tool.ts';
import { until } from './support/until.ts';
import { startUpstream, type TestUpstream } from './support/upstream.ts';

const RECORDS_DEADLINE_MS = 800;
const COUNTERS_DEADLINE_MS = 200;
const WORKERS = 2;
/** That the tests make, one after the other; two that touch are one to whoever reads the log. */
const OUTAGES = 4;
const SEALING_KEY = randomBytes(32);
const PERSON = { username: 'ada', password: 'a quiet harbour at dawn' };
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
  let app: ClientCredentials;
  let token: string;
  let key: string;
  let cookie: string;
  let configure: (port: number, internalPort: number) => string;

  before(async () => {
    [postgres, redis, upstream] = await Promise.all([startPostgres(), startRedis(), startUpstream()]);
    home = await mkdtemp(join(tmpdir(), 'sp-faults-'));
    port = await freePort();
    internalPort = await freePort();
    const stores = {
      records: { postgres: { url: postgres.url, deadline: `${RECORDS_DEADLINE_MS}ms` } },
      counters: { valkey: { url: redis.url, deadline: `${COUNTERS_DEADLINE_MS}ms` } },
      encryptionKeys: [SEALING_KEY.toString('base64')],
    };
    configure = (publicPort, ownPort) =>
      identityConfig({
        port: publicPort,
        internalPort: ownPort,
        issuerPort: port,
        dataDir: home,
        upstream: upstream.url,
        stores,
      });
    gateway = await startGateway(configure(port, internalPort), { fileName: 'sallyport.config.ts' });
    issuer = issuerOf({ issuerPort: port });
    await makeThrough(home, '/consumers', { name: 'acme' });
    key = String((await makeThrough(home, '/consumers/acme/keys', { name: 'main' })).key);
    client = await makeClient({ name: 'Program', grant_types: ['client_credentials'], scope: 'widgets:read' });
    const scope = 'openid offline_access widgets:read';
    app = await makeClient({ name: 'App', redirect_uris: [CALLBACK], scope });
    await makeThrough(home, '/users', PERSON);
    token = await tokenOf(client, issuer);
    const settings = { driver: 'postgres', url: postgres.url, ca: undefined, connections: 1, deadline: 5_000 } as const;
    cookie = await makeSession(settings, { sealingKey: SEALING_KEY, issuer, subject: 'grace' });
  });
  after(async () => {
    await gateway?.stop();
    await Promise.all([postgres?.stop(), redis?.stop(), upstream?.close()]);
    await rm(home, { recursive: true, force: true });
  });

  async function makeClient(fields: object): Promise<ClientCredentials> {
    const made = await makeThrough(home, '/clients', fields);
    return { id: String(made.id), secret: String(made.secret ?? made.client_secret) };
  }

  const withKey = () => timed({ 'X-API-Key': key });
  const withCookie = () => timed({ Cookie: cookie });
  const withToken = () => timed({ Authorization: `Bearer ${token}` });

  async function timed(headers: Readonly<Record<string, string>>) {
    const agent = new Agent({ keepAlive: false });
    const startedAt = performance.now();
    const { status, body, headers: answered } = await ask({ port, path: '/v1/things', headers, agent });
    return { status, body, worker: answered['x-worker'], ms: performance.now() - startedAt };
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

  /** Asks until every worker has answered, several times at a time. */
  async function everyWorker(call: () => ReturnType<typeof timed>) {
    const answers = await Promise.all(Array.from({ length: 10 }, call));
    while (new Set(answers.map(({ worker }) => worker)).size < WORKERS) answers.push(await call());
    return answers;
  }

  async function isRefusedInTime(what: string, call: () => ReturnType<typeof timed>): Promise<void> {
    await until(`what workers hold of ${what} to be too old`, async () =>
      (await everyWorker(call)).every(({ status }) => status === 503),
    );
    for (const { status, body, ms } of await everyWorker(call)) {
      assert.equal(status, 503);
      assert.match(body, /identity-unavailable/);
      assert.ok(ms < LONGEST_WAIT_MS, `a request waited ${ms} ms`);
    }
  }

  /** Whoever wants a token or a page of the authorization server is told to come again. */
  async function signInIsRefusedInTime(): Promise<void> {
    const startedAt = performance.now();
    const issued = await postAs(client, `${issuer}/token`, { grant_type: 'client_credentials', resource: AUDIENCE });
    assert.equal(issued.status, 503, 'nothing is issued that could not be looked up');
    const query = new URLSearchParams({ client_id: client.id, response_type: 'code', scope: 'openid' });
    const page = await ask({ port, path: `/oauth/authorize?${query}`, headers: { Accept: 'text/html' } });
    assert.equal(page.status, 503, page.body);
    assert.ok(performance.now() - startedAt < 2 * LONGEST_WAIT_MS);
    assert.equal((await ask({ port, path: '/oauth/jwks' })).status, 200, 'those who verify tokens elsewhere go on');
  }

  const isAccepted = (what: string, call: () => ReturnType<typeof timed>) =>
    until(`${what} to be accepted again by every worker`, async () =>
      (await everyWorker(call)).every(({ status }) => status === 200),
    );

  async function recovers(): Promise<void> {
    await isAccepted('keys', withKey);
    await isAccepted('sessions', withCookie);
    await until('tokens to be issued again', async () => {
      const form = { grant_type: 'client_credentials', resource: AUDIENCE };
      return (await postAs(client, `${issuer}/token`, form)).status === 200;
    });
  }

  async function storeFailures(): Promise<number> {
    const { body } = await ask({ port: internalPort, path: '/metrics' });
    return Number(/^sallyport_store_failures_total (\d+)/m.exec(body)?.[1]);
  }

  it('before: a key, a session and a token are good', async () => {
    for (const call of [withKey, withCookie, withToken]) assert.equal((await call()).status, 200);
  });

  for (const { how, go, back } of [
    { how: 'hangs', go: async () => postgres.pause(), back: async () => postgres.resume() },
    { how: 'is killed', go: () => postgres.kill(), back: () => postgres.restart() },
  ]) {
    it(`PostgreSQL ${how}: tokens go on, what has to be looked up is refused in time, and it recovers by itself`, async () => {
      const memory = residentMemory(gateway.process.pid).now;
      const failuresBefore = await storeFailures();
      const tokens = tokensMeanwhile();
      await go();
      try {
        await isRefusedInTime('keys', withKey);
        await isRefusedInTime('sessions', withCookie);
        await signInIsRefusedInTime();
        await Promise.all(Array.from({ length: 200 }, withKey));
      } finally {
        await back();
      }
      await recovers();
      assert.deepEqual([...(await tokens.stop())], [200], 'a token that was good was refused');
      assert.ok((await storeFailures()) > failuresBefore);
      assert.ok(residentMemory(gateway.process.pid).now - memory < 150, 'memory grew');
    });
  }

  for (const { how, go, back } of [
    { how: 'hangs', go: async () => redis.pause(), back: async () => redis.resume() },
    { how: 'is killed', go: () => redis.kill(), back: () => redis.restart() },
  ]) {
    it(`Redis ${how}: proofs and passwords that cannot be checked are refused in time, all else goes on`, async () => {
      const prove = await dpopClient(client, issuer);
      const withProof = (): ReturnType<typeof timed> => prove(`http://127.0.0.1:${port}/v1/things`).then(timed);
      await isAccepted('proofs', withProof);
      const failuresBefore = await storeFailures();
      const tokens = tokensMeanwhile();
      await go();
      try {
        await isRefusedInTime('proofs', withProof);
        await assert.rejects(dpopClient(client, issuer), /503/);
        await assert.rejects(signIn(issuer, app, PERSON), /503/);
        for (const call of [withKey, withCookie]) assert.equal((await call()).status, 200, 'it needs no counters');
      } finally {
        await back();
      }
      await isAccepted('proofs', withProof);
      await until('people to be signed in again', () => signIn(issuer, app, PERSON).catch(() => undefined));
      assert.deepEqual([...(await tokens.stop())], [200]);
      assert.ok((await storeFailures()) > failuresBefore);
    });
  }

  it('the log tells of an outage when it begins and when it is over, and nothing of each request', async () => {
    const begun = linesOf(gateway.log, 'the stores do not answer');
    assert.ok(begun >= 1 && begun <= OUTAGES, `it was said ${begun} times`);
    await until('the end of the last outage', () => linesOf(gateway.log, 'the stores answer again') === begun);
    assert.equal(linesOf(gateway.log, 'unexpected condition'), 0);
    assert.equal(linesOf(gateway.log, 'a worker crashed'), 0);
  });

  for (const { how, says, go, back } of [
    { how: 'is gone', says: 'cannot be reached', go: () => postgres.kill(), back: () => postgres.restart() },
    { how: 'hangs', says: 'did not answer', go: async () => postgres.pause(), back: async () => postgres.resume() },
  ]) {
    it(`a gateway whose database ${how} says so and does not start half`, async () => {
      await go();
      const other = await mkdtemp(join(tmpdir(), 'sp-faults-'));
      try {
        const config = configure(await freePort(), await freePort()).replaceAll(home, other);
        const started = startGateway(config, { fileName: 'sallyport.config.ts' });
        await assert.rejects(started, new RegExp(`exit code 1\\):\nsallyport: PostgreSQL ${says}`));
      } finally {
        await rm(other, { recursive: true, force: true });
        await back();
      }
      await recovers();
    });
  }

  it('a gateway starts while Redis is gone, refuses what needs it and takes it up when it comes', async () => {
    const prove = await dpopClient(client, issuer);
    await gateway.stop();
    await redis.kill();
    try {
      gateway = await startGateway(configure(port, internalPort), { fileName: 'sallyport.config.ts' });
      const withProof = (): ReturnType<typeof timed> => prove(`http://127.0.0.1:${port}/v1/things`).then(timed);
      assert.equal((await withKey()).status, 200);
      await isRefusedInTime('proofs', withProof);
      await redis.restart();
      await isAccepted('proofs', withProof);
    } finally {
      await redis.restart();
    }
  });
});

function linesOf(log: TestGateway['log'], text: string): number {
  return log.filter(({ msg }) => msg?.includes(text) === true).length;
}

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
  if (Object(body).token_type !== 'DPoP') throw new Error(`no token: ${answer.status} ${JSON.stringify(body)}`);
  const ath = createHash('sha256').update(token).digest('base64url');
  return async (url: string) => ({ Authorization: `DPoP ${token}`, DPoP: await proof('GET', url, ath) });
}
