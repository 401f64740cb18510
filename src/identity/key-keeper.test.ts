import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeApiKey, parseApiKey } from '../lib/api-key.ts';
import {
  adoptKey,
  type CreatedKey,
  createKey,
  type KeyActor,
  type KeyRefusal,
  removeKey,
  revokeKey,
  rotateKey,
} from './key-keeper.ts';
import type { KeyRequest } from './key-request.ts';
import { recordsWithConsumer } from './test-key-records.ts';

const BY: KeyActor = { actor: 'admin:ada', source: 'admin', address: '192.0.2.1', requestId: '01K' };
const HOUR = 3_600_000;

test('a key is created with its rights, its text is not stored, and who did it is on record', async (context) => {
  const records = await recordsWithConsumer(context);
  const now = Date.now();
  const made = created(
    await createKey(
      records,
      {
        consumerId: 'con_1',
        name: 'nightly export',
        environment: 'test',
        scopes: ['widgets:read'],
        apis: ['widgets'],
        cidrs: ['192.0.2.7', '2001:DB8::/48'],
        metadata: { cost: 'a1' },
        expiresIn: '90d',
      },
      BY,
      { now, apis: new Set(['widgets']) },
    ),
  );
  const stored = (await records.keys.find(made.key.id))?.key;
  assert.deepEqual(stored, made.key);
  assert.deepEqual(stored?.cidrs, ['192.0.2.7/32', '2001:db8::/48']);
  assert.equal(stored?.expiresAt, now + 90 * 24 * HOUR);
  assert.equal(stored?.hash, parseApiKey(made.text)?.secretHash);
  assert.ok(!JSON.stringify(stored).includes(made.text.slice(-38)));

  const [event] = (await records.audit.list({ type: 'key.created' }, { limit: 1 })).items;
  assert.equal(event?.subject, `key:${made.key.id}`);
  assert.equal(event?.actor, 'admin:ada');
  assert.equal(event?.requestId, '01K');
  assert.ok(!JSON.stringify(event).includes(made.key.hash));
});

test('all that is wrong with a request is told at once, without a value of it', async (context) => {
  const records = await recordsWithConsumer(context);
  const wrong: object = {
    consumerId: 'con_1',
    name: '',
    environment: 'Live!',
    scopes: ['fine', 'two words'],
    apis: ['wigets'],
    cidrs: ['10.0.0.1/8', '10.0.0.*'],
    metadata: { deep: [[[[[[[[[1]]]]]]]]] },
    expiresAt: '2020-01-01',
    secret: 'hunter2',
  };
  const refusal = refused(await createKey(records, wrong as KeyRequest, BY, {})); // what came over the wire
  assert.equal(refusal.refusal, 'invalid');
  assert.deepEqual(refusal.faults.map(({ path }) => path).sort(), [
    '',
    'cidrs[0]',
    'cidrs[1]',
    'environment',
    'expiresAt',
    'metadata',
    'name',
    'scopes[1]',
  ]);
  assert.equal(refusal.faults.find(({ path }) => path === 'cidrs[0]')?.hint, 'write 10.0.0.0/8');
  assert.ok(!JSON.stringify(refusal).includes('hunter2'));
  assert.equal(await records.keys.count(), 0);
});

const ruled: readonly (readonly [what: string, request: Partial<KeyRequest>, path: string, hint: RegExp])[] = [
  ['an API that is not there', { apis: ['wigets'] }, 'apis[0]', /write widgets/],
  ['an end that is past', { expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt', /time to come/],
  ['two ends', { expiresAt: '2999-01-01T00:00:00Z', expiresIn: '1d' }, 'expiresIn', /one of the two/],
  ['no API at all', { apis: [] }, 'apis', /at least 1/],
  ['no address at all', { cidrs: [] }, 'cidrs', /at least 1/],
  ['metadata that is too large', { metadata: { text: 'x'.repeat(9_000) } }, 'metadata', /8192/],
  ['too many scopes', { scopes: new Array<string>(65).fill('a') }, 'scopes', /at most 64/],
];

for (const [what, part, path, hint] of ruled) {
  test(`${what} is a fault`, async (context) => {
    const records = await recordsWithConsumer(context);
    const request = { consumerId: 'con_1', name: 'n', ...part };
    const refusal = refused(await createKey(records, request, BY, { apis: new Set(['widgets']) }));
    assert.equal(refusal.faults[0]?.path, path);
    assert.match(refusal.faults[0]?.hint ?? '', hint);
  });
}

test('metadata that is nested without end is a fault, not a crash', async (context) => {
  const records = await recordsWithConsumer(context);
  const metadata = JSON.parse(`{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`);
  const refusal = refused(await createKey(records, { consumerId: 'con_1', name: 'n', metadata }, BY));
  assert.equal(refusal.faults[0]?.path, 'metadata');
});

test('a consumer there is not gets no key', async (context) => {
  const records = await recordsWithConsumer(context);
  const refusal = refused(await createKey(records, { consumerId: 'con_2', name: 'n' }, BY));
  assert.equal(refusal.refusal, 'no-such-consumer');
});

test('a rotation keeps the rights, ends the old key after the overlap, and happens once', async (context) => {
  const records = await recordsWithConsumer(context);
  const now = Date.now();
  const old = await make(records, { scopes: ['a'], apis: ['widgets'], cidrs: ['192.0.2.0/24'] });
  const { key, text } = created(await rotateKey(records, old.key.id, { overlap: '2h' }, BY, { now }));
  const { scopes, apis, cidrs, consumerId, name, environment } = key;
  assert.deepEqual(
    { scopes, apis, cidrs, consumerId, name, environment },
    { scopes: ['a'], apis: ['widgets'], cidrs: ['192.0.2.0/24'], consumerId: 'con_1', name: 'n', environment: 'live' },
  );
  assert.notEqual(text, old.text);
  const replaced = (await records.keys.find(old.key.id))?.key;
  assert.equal(replaced?.replacedBy, key.id);
  assert.equal(replaced?.expiresAt, now + 2 * HOUR);
  assert.equal(refused(await rotateKey(records, old.key.id, {}, BY)).refusal, 'over');
  const events = (await records.audit.list({}, { limit: 10 })).items.map(({ type, subject }) => `${type} ${subject}`);
  assert.ok(events.includes(`key.rotated key:${old.key.id}`));
  assert.ok(events.includes(`key.created key:${key.id}`));
});

test('an overlap never lengthens the life of the old key, and a successor lives as long as it did', async (context) => {
  const records = await recordsWithConsumer(context);
  const old = await make(records, { expiresIn: '1h' });
  const now = old.key.createdAt + 1_000;
  const { key } = created(await rotateKey(records, old.key.id, { overlap: '30d' }, BY, { now }));
  assert.equal((await records.keys.find(old.key.id))?.key.expiresAt, old.key.expiresAt);
  assert.equal(key.expiresAt, now + HOUR);
});

test('a rotation may change rights, but what is left out or undefined lifts none', async (context) => {
  const records = await recordsWithConsumer(context);
  const old = await make(records, { scopes: ['a', 'b'], cidrs: ['192.0.2.0/24'] });
  const { key } = created(await rotateKey(records, old.key.id, { overlap: '0s', scopes: ['a'], cidrs: undefined }, BY));
  assert.deepEqual(key.scopes, ['a']);
  assert.deepEqual(key.cidrs, ['192.0.2.0/24']);
  assert.equal(refused(await rotateKey(records, key.id, { overlap: '91d' }, BY)).refusal, 'invalid');
});

test('revoking and removing happen once', async (context) => {
  const records = await recordsWithConsumer(context);
  const { key } = await make(records, {});
  assert.equal(await revokeKey(records, key.id, BY), undefined);
  assert.notEqual((await records.keys.find(key.id))?.key.revokedAt, undefined);
  assert.equal((await revokeKey(records, key.id, BY))?.refusal, 'over');
  assert.equal(refused(await rotateKey(records, key.id, {}, BY)).refusal, 'over');
  assert.equal(await removeKey(records, key.id, BY), undefined);
  assert.equal((await removeKey(records, key.id, BY))?.refusal, 'no-such-key');
  assert.equal((await revokeKey(records, key.id, BY))?.refusal, 'no-such-key');
});

test('a key of the configuration is taken in once, and changed by the configuration alone', async (context) => {
  const records = await recordsWithConsumer(context);
  const config: KeyActor = { actor: 'config', source: 'config' };
  const { key: text, id } = makeApiKey('live');
  const request = { consumerId: 'con_1', name: 'declared' };
  const adopted = await adoptKey(records, text, request, config);
  assert.equal(adopted.refusal, undefined);
  assert.deepEqual(await adoptKey(records, text, request, config), adopted);
  assert.equal(await records.keys.count(), 1);
  assert.equal((await revokeKey(records, id, BY))?.refusal, 'declared');
  assert.equal((await removeKey(records, id, BY))?.refusal, 'declared');
  assert.equal(refused(await rotateKey(records, id, {}, BY)).refusal, 'declared');
  assert.equal(await removeKey(records, id, config), undefined);

  const mistyped = await adoptKey(records, `${text.slice(0, -1)}-`, request, config);
  assert.match(mistyped.refusal === undefined ? '' : (mistyped.faults[0]?.message ?? ''), /no API key/);
});

async function make(records: Parameters<typeof createKey>[0], part: Partial<KeyRequest>): Promise<CreatedKey> {
  return created(await createKey(records, { consumerId: 'con_1', name: 'n', ...part }, BY));
}

function created(outcome: CreatedKey | KeyRefusal): CreatedKey {
  if (outcome.refusal !== undefined) throw new Error(`${outcome.message} ${JSON.stringify(outcome.faults)}`);
  return outcome;
}

function refused(outcome: CreatedKey | KeyRefusal): KeyRefusal {
  if (outcome.refusal === undefined) throw new Error('it was not refused');
  return outcome;
}
