import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, startGateway, type TestGateway } from './support/gateway.ts';
import { ask } from './support/http-client.ts';
import {
  type AdminAnswer,
  askAdmin,
  CALLBACK,
  identityConfig,
  issuerOf,
  makeThrough,
} from './support/identity-gateway.ts';
import { type ClientCredentials, refresh, signIn } from './support/identity-tokens.ts';
import { startPostgres } from './support/postgres.ts';
import { skipUnless } from './support/require-tool.ts';
import { startUpstream } from './support/upstream.ts';

/** Rounds, each of which ends with kill -9 in the middle of its work. */
const ROUNDS = 3;
const KEYS_A_ROUND = 250;
const ROTATIONS_A_ROUND = 60;
const FAMILIES = 8;
const AT_ONCE = 8;

describe('kill -9 in the middle of changes', { timeout: 240_000 }, () => {
  it('SQLite: what was acknowledged is there, nothing is half there', async () => {
    await crashes({ encryptionKeys: [SEALING_KEY] });
  });

  it('PostgreSQL: the same', { skip: skipUnless('postgres') }, async () => {
    const postgres = await startPostgres();
    try {
      await crashes({ records: { postgres: { url: postgres.url } }, encryptionKeys: [SEALING_KEY] });
    } finally {
      await postgres.stop();
    }
  });
});

const SEALING_KEY = randomBytes(32).toString('base64');

async function crashes(stores: object): Promise<void> {
  const upstream = await startUpstream();
  const dataDir = await mkdtemp(join(tmpdir(), 'sp-crash-'));
  const port = await freePort();
  const plan = { port, internalPort: await freePort(), issuerPort: port, dataDir, upstream: upstream.url, stores };
  const start = () => startGateway(identityConfig(plan), { fileName: 'sallyport.config.ts' });
  let gateway = await start();
  try {
    const ground = await prepare(dataDir, issuerOf(plan));
    for (let round = 0; round < ROUNDS; round += 1) {
      await workUntilKilled(gateway, ground, round);
      await gateway.stop(); // its files; the process is gone
      gateway = await start();
      await assertWhole(port, ground);
    }
    const verdict = await gateway.cli('audit', 'verify', '--data-dir', dataDir);
    assert.equal(verdict.code, 0, verdict.stdout + verdict.stderr);
  } finally {
    await gateway.stop();
    await upstream.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

interface Ground {
  readonly dataDir: string;
  readonly issuer: string;
  readonly client: ClientCredentials;
  /** Text of each key whose creation was acknowledged, by its id. */
  readonly keys: Map<string, string>;
  /** Of each acknowledged rotation: the old key's id → the new one's. */
  readonly rotated: Map<string, string>;
  /** The newest acknowledged refresh token of each family; undefined while one is under way. */
  readonly families: (string | undefined)[];
}

async function prepare(dataDir: string, issuer: string): Promise<Ground> {
  await makeThrough(dataDir, '/consumers', { name: 'acme' });
  const person = { username: 'ada', password: 'a quiet harbour at dawn' };
  await makeThrough(dataDir, '/users', person);
  const fields = { name: 'App', grant_types: ['authorization_code', 'refresh_token'], redirect_uris: [CALLBACK] };
  const made = await makeThrough(dataDir, '/clients', { ...fields, scope: 'openid offline_access widgets:read' });
  const client = { id: String(made.id), secret: String(made.secret ?? made.client_secret) };
  const families: string[] = [];
  for (let family = 0; family < FAMILIES; family += 1)
    families.push((await signIn(issuer, client, person)).refreshToken);
  return { dataDir, issuer, client, keys: new Map(), rotated: new Map(), families };
}

/** Creates keys, rotates keys and refreshes tokens side by side, and kills the gateway once a good part of it is done. */
async function workUntilKilled(gateway: TestGateway, ground: Ground, round: number): Promise<void> {
  let done = 0;
  let left = KEYS_A_ROUND;
  const old = [...ground.keys.keys()].filter((id) => !ground.rotated.has(id)).slice(0, ROTATIONS_A_ROUND);
  const enough = Math.floor(KEYS_A_ROUND * (0.3 + 0.2 * round));

  const creating = Array.from({ length: AT_ONCE }, async () => {
    while (left > 0) {
      left -= 1;
      const answer = await askUnlessKilled(ground, 'POST', '/consumers/acme/keys', { name: 'key' });
      if (answer === undefined) return;
      assert.equal(answer.status, 201, JSON.stringify(answer.body));
      ground.keys.set(String(answer.body.id), String(answer.body.key));
      done += 1;
    }
  });
  const rotating = old.map(async (id, at) => {
    await delay(at);
    const answer = await askUnlessKilled(ground, 'POST', `/keys/${id}/rotate`, { overlap: '0s' });
    if (answer?.status !== 201 && answer?.status !== 200) return;
    ground.rotated.set(id, String(answer.body.id));
    ground.keys.set(String(answer.body.id), String(answer.body.key));
  });
  const refreshing = ground.families.map(async (_, family) => {
    for (;;) {
      const token = ground.families[family];
      if (token === undefined) return;
      ground.families[family] = undefined;
      const answer = await refresh(ground.issuer, ground.client, token).catch(() => undefined);
      if (answer === undefined) return; // killed before it answered: nobody knows which of the two counts
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      ground.families[family] = String(answer.body.refresh_token);
    }
  });

  while (done < enough) await delay(5);
  gateway.process.kill('SIGKILL');
  await once(gateway.process, 'exit');
  await Promise.all([...creating, ...rotating, ...refreshing]);
}

/** Undefined where the gateway was killed before it answered. */
function askUnlessKilled(ground: Ground, method: string, path: string, body: object): Promise<AdminAnswer | undefined> {
  return askAdmin(ground.dataDir, method, path, body).catch(() => undefined);
}

async function assertWhole(port: number, ground: Ground): Promise<void> {
  const records = await auditOf(ground.dataDir);
  const stored = await allKeys(ground.dataDir);
  const created = new Set(records.filter(({ type }) => type === 'key.created').map(({ subject }) => subject));

  // Acknowledged: there, and good.
  for (const id of ground.keys.keys()) assert.ok(stored.has(id), `the key ${id} was acknowledged and is gone`);
  for (const [old, next] of ground.rotated) {
    assert.ok(stored.has(next), `the successor ${next} of ${old} is gone`);
    assert.equal(await statusOf(port, ground.keys.get(old) ?? ''), 401, `${old} was rotated without an overlap`);
  }
  const newest = [...ground.keys].filter(([id]) => !ground.rotated.has(id)).slice(-20);
  for (const [id, text] of newest) assert.equal(await statusOf(port, text), 200, `the key ${id} opens nothing`);

  // Not half: every key has its record, every record its key.
  for (const id of stored) if (id !== 'AdminBootstr') assert.ok(hasRecord(id, records), `the key ${id} has no record`);
  for (const subject of created) assert.ok(stored.has(subject.slice('key:'.length)), `${subject} has no key`);

  // A family whose newest token is known goes on; its token before is spent.
  for (const [family, token] of ground.families.entries()) {
    if (token === undefined) continue;
    const answer = await refresh(ground.issuer, ground.client, token);
    assert.equal(answer.status, 200, `family ${family}: ${JSON.stringify(answer.body)}`);
    ground.families[family] = String(answer.body.refresh_token);
  }
}

interface AuditLine {
  readonly type: string;
  readonly subject: string;
  readonly detail?: unknown;
}

function hasRecord(id: string, records: readonly AuditLine[]): boolean {
  return records.some(
    ({ type, subject, detail }) =>
      type.startsWith('key.') && (subject === `key:${id}` || JSON.stringify(detail ?? {}).includes(id)),
  );
}

async function statusOf(port: number, key: string): Promise<number> {
  const { status } = await ask({ port, path: '/v1/things', headers: { 'X-API-Key': key } });
  return status;
}

async function auditOf(dataDir: string): Promise<readonly AuditLine[]> {
  return await everything(dataDir, '/audit');
}

async function allKeys(dataDir: string): Promise<ReadonlySet<string>> {
  const items: readonly { readonly id: string }[] = await everything(dataDir, '/keys');
  return new Set(items.map(({ id }) => id));
}

/** Every page of a listing. */
async function everything<Row>(dataDir: string, path: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (let after: string | undefined; ; ) {
    const query = after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
    const { status, body } = await askAdmin(dataDir, 'GET', `${path}?limit=200${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    rows.push(...body.items);
    if (typeof body.next !== 'string') return rows;
    after = body.next;
  }
}
