import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openRecords } from '../src/stores/open-records.ts';
import { createSealer } from '../src/stores/sealer.ts';
import { type Answer, type RunningAdminApp, startAdminApp } from './support/admin-app.ts';

describe('creates with an Idempotency-Key', () => {
  let app: RunningAdminApp;
  before(async () => {
    app = await startAdminApp();
    await app.call('POST', '/consumers', { json: { name: 'holder' } });
  });
  after(() => app.stop());

  function create(path: string, key: string, json: object): Promise<Answer> {
    return app.call('POST', path, { json, headers: { 'Idempotency-Key': key } });
  }

  const things = [
    { path: '/consumers', kind: 'consumer', json: (n: number) => ({ name: `once-${n}` }) },
    { path: '/consumers/holder/keys', kind: 'key', json: (n: number) => ({ name: `once ${n}` }) },
    {
      path: '/clients',
      kind: 'client',
      json: (n: number) => ({ name: `Once ${n}`, grant_types: ['client_credentials'] }),
    },
    {
      path: '/users',
      kind: 'user',
      json: (n: number) => ({ username: `once${n}`, password: `a horse and ${n} staples` }),
    },
  ] as const;

  for (const { path, kind, json } of things) {
    const created = async (): Promise<number> =>
      (await app.records.audit.list({ type: `${kind}.created` }, { limit: 100 })).items.length;

    it(`${kind}: the second answer is the same thing without its secret, and says so`, async () => {
      const first = await create(path, 'a', json(1));
      assert.equal(first.status, 201);
      const before = await created();
      const second = await create(path, 'a', json(1));
      assert.equal(second.status, 200);
      assert.equal(second.headers['idempotency-replayed'], 'true');
      const { key: _key, secret: _secret, ...shown } = first.body;
      assert.deepEqual(second.body, shown);
      assert.equal(await created(), before);
    });

    it(`${kind}: the same key with another request is refused`, async () => {
      const answer = await create(path, 'a', json(2));
      assert.equal(answer.status, 422);
      assert.equal(answer.body.type, 'urn:problem-type:sallyport:admin:idempotency-key-reused');
      assert.equal((await create(path, 'b', json(2))).status, 201);
    });

    it(`${kind}: ten at once make one`, async () => {
      const before = await created();
      const answers = await Promise.all(Array.from({ length: 10 }, () => create(path, 'c', json(3))));
      assert.deepEqual(answers.map(({ status }) => status).toSorted(), [...Array(9).fill(200), 201]);
      assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
      assert.equal(await created(), before + 1);
    });

    it(`${kind}: what was removed since is not made again`, async () => {
      const { body } = await create(path, 'd', json(4));
      const base = path.startsWith('/consumers/') ? '/keys' : path;
      assert.equal((await app.call('DELETE', `${base}/${body.id}`)).status, 204);
      const again = await create(path, 'd', json(4));
      assert.equal(again.status, 409);
      assert.equal((await app.call('GET', `${base}/${body.id}`)).status, 404);
    });
  }

  it('two gateways on the same records make one consumer, client or user', async () => {
    const sealer = createSealer([Buffer.alloc(32, 7)]);
    const settings = { driver: 'sqlite', file: join(app.dataDir, 'records.db') } as const;
    const records = await openRecords(settings, { sealer, readOnly: false });
    const other = await startAdminApp({ records });
    const requests = [
      ['/consumers', { name: 'both' }],
      ['/clients', { name: 'Both', grant_types: ['client_credentials'] }],
      ['/users', { username: 'both', password: 'a horse and both staples' }],
    ] as const;
    for (const [path, json] of requests) {
      const answers = await Promise.all(
        [app, other].map((one) => one.call('POST', path, { json, headers: { 'Idempotency-Key': 'both' } })),
      );
      assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 201], path);
      assert.equal(answers[0]?.body.id, answers[1]?.body.id);
    }
    await other.stop();
    await records.close();
  });

  it('a refused request may be mended and sent again with the same key', async () => {
    assert.equal((await create('/consumers/holder/keys', 'mend', { name: '' })).status, 400);
    assert.equal((await create('/consumers/holder/keys', 'mend', { name: 'mended' })).status, 201);
    assert.equal((await create('/consumers', 'mend', { name: 'holder' })).status, 409);
    assert.equal((await create('/consumers', 'mend', { name: 'mended' })).status, 201);
  });

  it('keys of different callers and paths are different keys', async () => {
    assert.equal((await create('/consumers', 'shared', { name: 'shared' })).status, 201);
    assert.equal(
      (await create('/clients', 'shared', { name: 'shared', grant_types: ['client_credentials'] })).status,
      201,
    );
  });

  it('a key that cannot be one is refused', async () => {
    for (const key of ['a b', 'x'.repeat(256)])
      assert.equal((await create('/consumers', key, { name: 'odd' })).status, 400);
  });

  it('neither the key nor the request is kept in the clear', async () => {
    await create('/users', 'a-telling-key', { username: 'kept', password: 'a horse and many staples' });
    const { items } = await app.records.artifacts.list({ model: 'AdminIdempotency' }, { limit: 100 });
    const text = JSON.stringify(items);
    assert.ok(items.length > 0);
    assert.ok(!text.includes('a-telling-key') && !text.includes('staples'));
  });
});
