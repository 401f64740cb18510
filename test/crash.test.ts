import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ADMIN_ENVIRONMENT } from '../src/lib/admin-place.ts';
import { openRecords, type RecordsSettings } from '../src/stores/open-records.ts';
import type { Page, PageRequest } from '../src/stores/page.ts';
import { createSealer } from '../src/stores/sealer.ts';
import type { Records } from '../src/stores/stores.ts';
import { type Ground, newFamily, prepareGround, workUntilKilled } from './support/crash-ground.ts';
import { freePort, startGateway } from './support/gateway.ts';
import { ask } from './support/http-client.ts';
import { identityConfig, issuerOf } from './support/identity-gateway.ts';
import { refresh } from './support/identity-tokens.ts';
import { startPostgres } from './support/postgres.ts';
import { skipUnless } from './support/require-tool.ts';
import { startUpstream } from './support/upstream.ts';

/** Acknowledged changes after which the gateway is killed, round by round. */
const ROUNDS = [150, 300, 250, 300];
const FAMILIES = 8;
const SEALING_KEY = randomBytes(32);

describe('kill -9 in the middle of 1,000 creations and rotations of keys and refreshes of tokens', {
  timeout: 240_000,
}, () => {
  it('SQLite: what was acknowledged is there, nothing is half there', async () => {
    await crashes((dataDir) => ({
      stores: { encryptionKeys: [SEALING_KEY.toString('base64')] },
      settings: { driver: 'sqlite', file: join(dataDir, 'records.db') },
    }));
  });

  it('PostgreSQL: the same', { skip: skipUnless('postgres') }, async () => {
    const postgres = await startPostgres();
    try {
      await crashes(() => ({
        stores: {
          records: { postgres: { url: postgres.url } },
          encryptionKeys: [SEALING_KEY.toString('base64')],
        },
        settings: { driver: 'postgres', url: postgres.url, ca: undefined, connections: 2, deadline: 10_000 },
      }));
    } finally {
      await postgres.stop();
    }
  });
});

async function crashes(
  storesIn: (dataDir: string) => { readonly stores: object; readonly settings: RecordsSettings },
): Promise<void> {
  const upstream = await startUpstream();
  const dataDir = await mkdtemp(join(tmpdir(), 'sp-crash-'));
  const { stores, settings } = storesIn(dataDir);
  const port = await freePort();
  const plan = { port, internalPort: await freePort(), issuerPort: port, dataDir, upstream: upstream.url, stores };
  const start = () => startGateway(identityConfig(plan), { fileName: 'sallyport.config.ts' });
  let gateway = await start();
  try {
    const ground = await prepareGround(dataDir, issuerOf(plan), FAMILIES);
    for (const changes of ROUNDS) {
      await workUntilKilled(gateway, ground, changes);
      await gateway.stop(); // its files; the process is gone
      gateway = await start();
      await assertNothingHalf(settings, ground);
      await assertAcknowledged(port, ground);
    }
    assert.ok(ground.acknowledged >= 1_000, `${ground.acknowledged} changes`);
    const verdict = await gateway.cli('audit', 'verify', '--data-dir', dataDir);
    assert.equal(verdict.code, 0, verdict.stdout + verdict.stderr);
  } finally {
    await gateway.stop();
    await upstream.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Reads the records past the gateway: each change is there with everything that belongs to it, or not at all. */
async function assertNothingHalf(settings: RecordsSettings, ground: Ground): Promise<void> {
  const records = await openRecords(settings, { sealer: createSealer([SEALING_KEY]), readOnly: true });
  try {
    const keys = new Map((await all((page) => records.keys.list({}, page))).map((key) => [key.id, key]));
    for (const id of ground.keys.keys()) assert.ok(keys.has(id), `the key ${id} was acknowledged and is gone`);
    for (const [old, next] of ground.rotated) assert.equal(keys.get(old)?.replacedBy, next);

    const consumers = new Set((await all((page) => records.consumers.list(page))).map(({ id }) => id));
    const { created, rotated } = await recordedKeys(records);
    for (const { id, environment, consumerId, replacedBy } of keys.values()) {
      assert.ok(consumers.has(consumerId), `the key ${id} belongs to nobody`);
      const hasRecord = created.delete(id);
      if (environment === ADMIN_ENVIRONMENT) continue; // the mark that the first one was made has none
      assert.ok(hasRecord, `the key ${id} has no audit record`);
      assert.equal(replacedBy, rotated.get(id), `the rotation of ${id} and its audit record say different things`);
    }
    assert.deepEqual([...created], [], 'audit records of keys that are not there');
    for (const next of rotated.values()) assert.ok(keys.has(next), `the successor ${next} is not there`);

    await assertRefreshTokensWhole(records);
    assert.equal((await records.audit.verify()).intact, true);
  } finally {
    await records.close();
  }
}

/** Ids of the keys that the audit log tells the making of, and which key took the place of which. */
async function recordedKeys(records: Records) {
  const created = new Set<string>();
  const rotated = new Map<string, string>();
  for (let seq = 0; ; ) {
    const page = await records.audit.after(seq, 500);
    for (const { type, subject, detail } of page) {
      const id = subject.slice('key:'.length);
      if (type === 'key.created') created.add(id);
      if (type === 'key.rotated') rotated.set(id, String(detail?.['replacedBy']));
    }
    const last = page.at(-1);
    if (last === undefined) return { created, rotated };
    seq = last.seq;
  }
}

/** Each grant has exactly one token that can be used: none would be a rotation that ended in its middle, two a fork. */
async function assertRefreshTokensWhole(records: Records): Promise<void> {
  const grants = new Map<string, number>();
  for (const { grantId = '', consumedAt } of await all((page) =>
    records.artifacts.list({ model: 'RefreshToken' }, page),
  ))
    grants.set(grantId, (grants.get(grantId) ?? 0) + (consumedAt === undefined ? 1 : 0));
  assert.ok(grants.size >= FAMILIES);
  for (const [grantId, usable] of grants) {
    assert.equal(usable, 1, `a grant has ${usable} refresh tokens that can be used`);
    assert.notEqual(await records.artifacts.find('Grant', grantId), undefined, 'tokens without their grant');
  }
}

/** What clients were told holds: keys open the API or, where they were rotated, do not; refresh tokens work once. */
async function assertAcknowledged(port: number, ground: Ground): Promise<void> {
  const { keys, rotated, doubtful } = ground;
  for (const old of [...rotated.keys()].slice(-20))
    assert.equal(await statusOf(port, keys.get(old)), 401, `${old} was rotated without an overlap`);
  const present = [...keys.keys()].filter((id) => !rotated.has(id) && !doubtful.has(id));
  assert.ok(present.length > 0);
  for (const id of present.slice(-40)) assert.equal(await statusOf(port, keys.get(id)), 200, `${id} opens nothing`);

  const { issuer, client, families } = ground;
  for (const [index, family] of families.entries()) {
    const answer = await refresh(issuer, client, family.token);
    if (answer.status === 200) {
      Object.assign(family, { token: String(answer.body.refresh_token), spent: family.token, inDoubt: false });
      continue;
    }
    // The rotation was done and its answer lost: then it looks like a second use, and nothing else may look so.
    assert.ok(family.inDoubt, `a refresh token that was acknowledged is refused: ${JSON.stringify(answer.body)}`);
    assert.equal(answer.body.error, 'invalid_grant');
    families[index] = await newFamily(ground);
  }
  const alive = families.findIndex(({ spent }) => spent !== undefined);
  const [family] = families.slice(alive, alive + 1);
  if (alive < 0 || family?.spent === undefined) return;
  const again = await refresh(issuer, client, family.spent);
  assert.equal(again.body.error, 'invalid_grant', 'a refresh token works beside its successor');
  families[alive] = await newFamily(ground);
}

async function statusOf(port: number, key: string | undefined): Promise<number> {
  assert(key !== undefined);
  return (await ask({ port, path: '/v1/things', headers: { 'X-API-Key': key } })).status;
}

async function all<Row>(list: (page: PageRequest) => Promise<Page<Row>>): Promise<Row[]> {
  const rows: Row[] = [];
  for (let after: string | undefined; ; ) {
    const page = await list({ limit: 500, after });
    rows.push(...page.items);
    if (page.next === undefined) return rows;
    after = page.next;
  }
}
