import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openVisitor } from '../src/oauth/accounts/test-visitor.ts';
import type { RecordsSettings } from '../src/stores/open-records.ts';
import { freePort, startGateway } from './support/gateway.ts';
import { ask } from './support/http-client.ts';
import { askAdmin, CALLBACK, identityConfig, issuerOf, makeSession, makeThrough } from './support/identity-gateway.ts';
import { type ClientCredentials, postAs, signIn, tokenOf } from './support/identity-tokens.ts';
import { startPostgres } from './support/postgres.ts';
import { startRedis } from './support/redis.ts';
import { skipUnless } from './support/require-tool.ts';
import { until } from './support/until.ts';
import { startUpstream, type TestUpstream } from './support/upstream.ts';

/** What is promised: a second after a revocation was answered nobody accepts what it took back. */
const PROMISE_MS = 1_000;
/** For the clocks and the scheduling of a machine that runs the clients, two gateways and two servers on as little as two cores. */
const MARGIN_MS = 250;
const CONNECTIONS = 12;

const sealingKey = randomBytes(32);

describe('revocation under load, two gateways of two workers on PostgreSQL and Redis', {
  timeout: 90_000,
  skip: skipUnless('postgres') || skipUnless('redis-server'),
}, () => {
  revocationSuite(async (upstream, stops) => {
    const postgres = await startPostgres();
    stops.push(postgres.stop);
    const redis = await startRedis();
    stops.push(redis.stop);
    const stores = {
      records: { postgres: { url: postgres.url } },
      counters: { valkey: { url: redis.url } },
      encryptionKeys: [sealingKey.toString('base64')],
    };
    const records = { driver: 'postgres', url: postgres.url, ca: undefined, connections: 1, deadline: 5_000 } as const;
    return await startFleet(2, upstream, { stores, records, directory: await ownDirectory(stops) }, stops);
  });
});

describe('revocation under load, one gateway of two workers on SQLite and shared memory', { timeout: 90_000 }, () => {
  revocationSuite(async (upstream, stops) => {
    const directory = await ownDirectory(stops);
    const stores = { encryptionKeys: [sealingKey.toString('base64')] };
    const records = { driver: 'sqlite', file: join(directory, '0', 'records.db') } as const;
    return await startFleet(1, upstream, { stores, records, directory }, stops);
  });
});

interface Member {
  readonly port: number;
  readonly dataDir: string;
}

interface Fleet {
  readonly members: readonly Member[];
  readonly issuer: string;
  readonly records: RecordsSettings;
}

/** What is to be undone, in the order it was done. */
type Stops = (() => Promise<unknown>)[];

async function ownDirectory(stops: Stops): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sp-revocation-'));
  stops.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function startFleet(
  size: number,
  upstream: TestUpstream,
  shared: { readonly stores: object; readonly records: RecordsSettings; readonly directory: string },
  stops: Stops,
): Promise<Fleet> {
  const ports = await Promise.all(Array.from({ length: size }, freePort));
  const issuerPort = ports[0] ?? 0;
  const members: Member[] = [];
  for (const [index, port] of ports.entries()) {
    const dataDir = join(shared.directory, String(index));
    const internalPort = await freePort();
    const plan = { port, internalPort, issuerPort, dataDir, upstream: upstream.url, stores: shared.stores };
    const gateway = await startGateway(identityConfig(plan), { fileName: 'sallyport.config.ts' });
    stops.push(gateway.stop);
    members.push({ port, dataDir });
  }
  return { members, issuer: issuerOf({ issuerPort }), records: shared.records };
}

/** One request of the load. Times are of `performance.now()`. */
interface Sample {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly status: number;
  /** The process and the thread in it. */
  readonly worker: string;
}

interface Load {
  /** By the name of the credential. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  stop(): Promise<void>;
}

type Headers = Readonly<Record<string, string>>;

/** Has every connection of every process present all credentials in turn, at a pace that leaves the machine room. */
function startLoad(members: readonly Member[], credentials: ReadonlyMap<string, Headers>): Load {
  const samples = new Map<string, Sample[]>([...credentials.keys()].map((name) => [name, []]));
  let running = true;
  const agents: Agent[] = [];

  async function client({ port }: Member, agent: Agent): Promise<void> {
    while (running) {
      for (const [name, headers] of credentials) {
        const startedAt = performance.now();
        const { status, headers: answered } = await ask({ port, path: '/v1/things', headers, agent });
        const worker = `${port}/${answered['x-worker']}`;
        samples.get(name)?.push({ startedAt, endedAt: performance.now(), status, worker });
        await delay(15);
      }
    }
  }

  const clients = members.flatMap((member) =>
    Array.from({ length: CONNECTIONS }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      agents.push(agent);
      await client(member, agent);
    }),
  );
  return {
    samples,
    async stop() {
      running = false;
      await Promise.all(clients);
      for (const agent of agents) agent.destroy();
    },
  };
}

function revocationSuite(open: (upstream: TestUpstream, stops: Stops) => Promise<Fleet>): void {
  let fleet: Fleet;
  let load: Load;
  const stops: Stops = [];
  const ends = new Map<string, () => Promise<void>>();

  before(async () => {
    const upstream = await startUpstream();
    stops.push(upstream.close);
    fleet = await open(upstream, stops);
    const [first, last] = [fleet.members[0], fleet.members.at(-1)];
    assert(first !== undefined && last !== undefined);
    load = startLoad(fleet.members, await makeCredentials(fleet, first, last, ends));
    stops.push(load.stop);
  });

  after(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  for (const name of ['API key', 'access token', 'client', 'user', 'session', 'session, by its owner', 'consumer']) {
    it(`${name}: accepted by every worker before, by none a second after`, async () => {
      const samples = load.samples.get(name) ?? [];
      const workers = 2 * fleet.members.length;
      await until(`every worker to have accepted the ${name}`, () => workersOf(samples).size === workers);
      const revoke = ends.get(name);
      assert(revoke !== undefined);

      const calledAt = performance.now();
      await revoke();
      const revokedAt = performance.now();

      const isLate = ({ startedAt }: Sample): boolean => startedAt > revokedAt + PROMISE_MS + MARGIN_MS;
      await until(`every worker to be asked again`, () => workersOf(samples.filter(isLate)).size === workers);
      for (const { status } of samples.filter(({ endedAt }) => endedAt < calledAt)) assert.equal(status, 200);
      const accepted = samples.filter((sample) => isLate(sample) && sample.status !== 401);
      assert.deepEqual(accepted, [], `the ${name} was not refused`);
    });
  }
}

function workersOf(samples: readonly Sample[]): ReadonlySet<string> {
  return new Set(samples.map(({ worker }) => worker));
}

/** Makes one credential of each kind; each is taken back at the first gateway. */
async function makeCredentials(
  fleet: Fleet,
  first: Member,
  last: Member,
  ends: Map<string, () => Promise<void>>,
): Promise<ReadonlyMap<string, Headers>> {
  const { dataDir } = first;
  const { issuer } = fleet;
  const lastIssuer = issuer.replace(/:\d+\//, `:${last.port}/`);
  const demand = async (method: string, path: string, body?: object): Promise<void> => {
    const { status } = await askAdmin(dataDir, method, path, body);
    assert(status === 200 || status === 204, `${method} ${path}: ${status}`);
  };

  await makeThrough(dataDir, '/consumers', { name: 'acme' });
  await makeThrough(dataDir, '/consumers', { name: 'other' });
  const key = await makeThrough(dataDir, '/consumers/acme/keys', { name: 'main' });
  const consumersKey = await makeThrough(dataDir, '/consumers/other/keys', { name: 'main' });
  ends.set('API key', () => demand('POST', `/keys/${key.id}/revoke`));
  ends.set('consumer', () => demand('PATCH', '/consumers/other', { disabled: true }));

  // Made at one gateway, good at the other: what they know of clients and what they sign with is shared.
  const careful = await makeClient(dataDir, { name: 'Careful', grant_types: ['client_credentials'] });
  const token = await tokenOf(careful, lastIssuer);
  ends.set('access token', async () => {
    assert.equal((await postAs(careful, `${issuer}/revoke`, { token })).status, 200);
  });
  const doomed = await makeClient(dataDir, { name: 'Doomed', grant_types: ['client_credentials'] });
  const clientToken = await tokenOf(doomed, issuer);
  ends.set('client', () => demand('PATCH', `/clients/${doomed.id}`, { disabled: true }));

  const person = { username: 'ada', password: 'a quiet harbour at dawn' };
  await makeThrough(dataDir, '/users', person);
  const app = await makeClient(dataDir, {
    name: 'App',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [CALLBACK],
  });
  const { accessToken } = await signIn(issuer, app, person);
  ends.set('user', () => demand('PATCH', '/users/ada', { disabled: true }));

  const cookie = await makeSession(fleet.records, { sealingKey, issuer, subject: 'grace' });
  ends.set('session', async () => {
    const { body } = await askAdmin(dataDir, 'GET', '/sessions?subject=grace');
    await demand('DELETE', `/sessions/${body.items[0].id}`);
  });

  const owner = { username: 'joan', password: 'a quiet harbour at dusk' };
  const { id: joan } = await makeThrough(dataDir, '/users', owner);
  const stolen = await makeSession(fleet.records, { sealingKey, issuer, subject: String(joan) });
  ends.set('session, by its owner', async () => {
    const visitor = openVisitor({ issuer });
    const account = await visitor.submit(await visitor.get(`${issuer}/account`), 'password', owner);
    assert.match((await visitor.submit(account, 'end-all')).body, /Every browser is signed out/);
  });

  return new Map([
    ['API key', { 'X-API-Key': String(key.key) }],
    ['consumer', { 'X-API-Key': String(consumersKey.key) }],
    ['access token', bearer(token)],
    ['client', bearer(clientToken)],
    ['user', bearer(accessToken)],
    ['session', { Cookie: cookie }],
    ['session, by its owner', { Cookie: stolen }],
  ]);
}

async function makeClient(dataDir: string, fields: object): Promise<ClientCredentials> {
  const client = await makeThrough(dataDir, '/clients', { ...fields, scope: 'openid offline_access widgets:read' });
  return { id: String(client.id), secret: String(client.secret ?? client.client_secret) };
}

function bearer(token: string): Headers {
  return { Authorization: `Bearer ${token}` };
}
