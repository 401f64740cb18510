import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { AuditRecord } from '../stores/audit.ts';
import { type KeyWithConsumer, StoreUnavailable } from '../stores/stores.ts';
import { createKeyFinder } from './key-finder.ts';
import { createKey, type KeyActor, removeKey, revokeKey } from './key-keeper.ts';
import { foundKey, recordsWithConsumer } from './test-key-records.ts';

const BY: KeyActor = { actor: 'admin:ada', source: 'admin' };

test('a key that is held is answered without a promise and without the store', async (context) => {
  const { finder, create, asked } = await finderOnRecords(context);
  const id = await create();
  const first = await finder.find(id);
  assert.equal(first?.key.id, id);
  assert.equal(first?.consumer.metadata['tier'], 'gold');
  assert.equal(finder.find(id), first);
  assert.deepEqual(asked, [id]);
});

test('a revoked key is asked for again as soon as its record is heard', async (context) => {
  const { finder, create, records, news } = await finderOnRecords(context);
  const id = await create();
  assert.equal((await finder.find(id))?.key.revokedAt, undefined);
  await revokeKey(records, id, BY);
  finder.forget(await news());
  assert.notEqual((await finder.find(id))?.key.revokedAt, undefined);
  await removeKey(records, id, BY);
  finder.forget(await news());
  assert.equal(await finder.find(id), undefined);
});

test('a change to a consumer reaches all of its keys, and no others', async (context) => {
  const { finder, create, records, news, asked } = await finderOnRecords(context);
  const other = { id: 'con_2', name: 'other', metadata: {}, disabled: false, source: 'admin', createdAt: 0 } as const;
  await records.consumers.create(other, []);
  const [one, two, theirs] = [await create(), await create(), await create('con_2')];
  finder.forget(await news());
  for (const id of [one, two, theirs]) await finder.find(id);
  await records.consumers.update('con_1', { disabled: true }, [
    { type: 'consumer.updated', actor: 'admin:ada', subject: 'consumer:con_1' },
  ]);
  finder.forget(await news());
  assert.equal((await finder.find(one))?.consumer.disabled, true);
  assert.equal((await finder.find(two))?.consumer.disabled, true);
  assert.equal((await finder.find(theirs))?.consumer.disabled, false);
  assert.deepEqual(asked, [one, two, theirs, one, two]);
});

test('an id that leads nowhere is asked for once a moment, and a new key under it works at once', async () => {
  const store = new ScriptedStore();
  const clock = { now: 1_000 };
  const finder = finderOn(store, { clock: () => clock.now });
  assert.equal(await finder.find('new'), undefined);
  assert.equal(finder.find('new'), undefined);
  assert.equal(store.asked.length, 1);
  store.keys.set('new', foundKey({ id: 'new' }));
  finder.forget([recordOf('key.created', 'key:new')]);
  assert.equal((await finder.find('new'))?.key.id, 'new');

  assert.equal(await finder.find('imported'), undefined);
  store.keys.set('imported', foundKey({ id: 'imported' }));
  clock.now += 1_000;
  assert.equal((await finder.find('imported'))?.key.id, 'imported');
});

test('nothing held is trusted while changes may have been missed', async () => {
  const store = new ScriptedStore();
  const fresh = { is: true };
  const finder = createKeyFinder({ records: { keys: store }, freshness: { isFresh: () => fresh.is }, capacity: 10 });
  store.keys.set('k', foundKey({ id: 'k' }));
  await finder.find('k');
  fresh.is = false;
  store.keys.set('k', foundKey({ id: 'k', revokedAt: 5 }));
  assert.equal((await finder.find('k'))?.key.revokedAt, 5);
  store.failure = new StoreUnavailable('down');
  await assert.rejects(async () => await finder.find('k'), StoreUnavailable);
  await assert.rejects(async () => await finder.find('never seen'), StoreUnavailable);
  fresh.is = true;
  assert.equal((finder.find('k') as KeyWithConsumer).key.revokedAt, 5); // held: no promise
  store.failure = undefined;
  assert.equal(await finder.find('never seen'), undefined, 'a failure is not remembered as an absence');
});

test('a key is read again after a minute, although no change to it was heard', async () => {
  const store = new ScriptedStore();
  const clock = { now: 1_000 };
  const finder = finderOn(store, { clock: () => clock.now });
  store.keys.set('k', foundKey({ id: 'k' }));
  await finder.find('k');
  store.keys.set('k', foundKey({ id: 'k', revokedAt: 5 }));
  clock.now += 59_999;
  assert.equal((finder.find('k') as KeyWithConsumer).key.revokedAt, undefined); // held: no promise
  clock.now += 1;
  assert.equal((await finder.find('k'))?.key.revokedAt, 5);
});

test('where nobody knows what was missed nothing is kept, nor what is on its way', async () => {
  const store = new ScriptedStore();
  store.keys.set('k', foundKey({ id: 'k' }));
  const finder = finderOn(store);
  await finder.find('k');
  assert.equal(await finder.find('absent'), undefined);
  store.hold();
  const early = finder.find('under way');
  for (const id of ['k', 'absent', 'under way']) store.keys.set(id, foundKey({ id, revokedAt: 5 }));
  finder.forgetAll();
  await store.release();
  await early;
  for (const id of ['k', 'absent', 'under way']) assert.equal((await finder.find(id))?.key.revokedAt, 5, id);
});

test('parallel look-ups of one key are one', async () => {
  const store = new ScriptedStore();
  store.keys.set('k', foundKey({ id: 'k' }));
  const finder = finderOn(store);
  const found = await Promise.all([finder.find('k'), finder.find('k'), finder.find('k')]);
  assert.ok(found.every((one) => one?.key.id === 'k'));
  assert.equal(store.asked.length, 1);
});

test('a look-up that began before a change is not kept, and nobody joins it afterwards', async () => {
  for (const change of [recordOf('key.revoked', 'key:k'), recordOf('consumer.updated', 'consumer:con_1')]) {
    const store = new ScriptedStore();
    store.keys.set('k', foundKey({ id: 'k' }));
    store.hold();
    const finder = finderOn(store);
    const early = finder.find('k');
    store.keys.set('k', foundKey({ id: 'k', revokedAt: 5 }));
    finder.forget([change]);
    const late = finder.find('k');
    await store.release();
    assert.equal((await early)?.key.revokedAt, undefined);
    assert.equal((await late)?.key.revokedAt, 5);
    assert.equal((await finder.find('k'))?.key.revokedAt, 5, 'the early answer was kept');
  }
});

test('nobody joins a look-up that hangs', async () => {
  const store = new ScriptedStore();
  const clock = { now: 1_000 };
  const finder = finderOn(store, { clock: () => clock.now });
  store.hold();
  const hanging = finder.find('k');
  clock.now += 1_000;
  const second = finder.find('k');
  assert.equal(store.asked.length, 2);
  await store.release();
  await Promise.all([hanging, second]);
});

test('a store that throws at once is no different', async () => {
  const finder = createKeyFinder({
    records: {
      keys: {
        find() {
          throw new StoreUnavailable('at once');
        },
      },
    },
    freshness: { isFresh: () => true },
    capacity: 10,
  });
  await assert.rejects(async () => await finder.find('k'), StoreUnavailable);
});

test('look-ups under way are bounded, and end with their answers', async () => {
  const store = new ScriptedStore();
  const finder = finderOn(store);
  store.hold();
  const flights = Array.from({ length: 1_000 }, (_, at) => finder.find(`k${at}`));
  await assert.rejects(async () => await finder.find('one more'), /looked up already/);
  await store.release();
  await Promise.all(flights);
  assert.equal(await finder.find('one more'), undefined);
});

test('a flood of unknown ids displaces no key in use, and a million keys leave no more than fit', async () => {
  const store = new ScriptedStore();
  store.keys.set('used', foundKey({ id: 'used' }));
  const finder = finderOn(store, { capacity: 100 });
  await finder.find('used');
  for (let at = 0; at < 20_000; at += 1) await finder.find(`unknown${at}`);
  store.asked.length = 0;
  await finder.find('used');
  assert.equal(store.asked.length, 0);

  for (let at = 0; at < 1_000; at += 1) {
    store.keys.set(`k${at}`, foundKey({ id: `k${at}` }));
    await finder.find(`k${at}`);
  }
  store.asked.length = 0;
  for (let at = 0; at < 1_000; at += 1) await finder.find(`k${at}`);
  assert.equal(store.asked.length, 1_000, 'in their turn all but the last hundred were let go');
});

test('keys with much metadata take the place of several', async () => {
  const store = new ScriptedStore();
  const finder = finderOn(store, { capacity: 10 });
  for (let at = 0; at < 10; at += 1) {
    store.keys.set(`k${at}`, foundKey({ id: `k${at}`, metadata: { text: 'x'.repeat(4_000) } }));
    await finder.find(`k${at}`);
  }
  store.asked.length = 0;
  await finder.find('k9');
  await finder.find('k0');
  assert.deepEqual(store.asked, ['k0']);
});

/** Answers from a map; while held, with what was there when it was asked. */
class ScriptedStore {
  readonly keys = new Map<string, KeyWithConsumer>();
  readonly asked: string[] = [];
  failure: Error | undefined;
  #gate = Promise.resolve();
  #open: () => void = () => undefined;

  async find(id: string): Promise<KeyWithConsumer | undefined> {
    this.asked.push(id);
    const answer = this.keys.get(id);
    const { failure } = this;
    await this.#gate;
    if (failure !== undefined) throw failure;
    return answer;
  }

  hold(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    this.#open = resolve;
  }

  async release(): Promise<void> {
    this.#open();
    await turn();
  }
}

function finderOn(store: ScriptedStore, options: { readonly clock?: () => number; readonly capacity?: number } = {}) {
  return createKeyFinder({ records: { keys: store }, freshness: { isFresh: () => true }, capacity: 2_000, ...options });
}

async function finderOnRecords(context: Parameters<typeof recordsWithConsumer>[0]) {
  const records = await recordsWithConsumer(context);
  const asked: string[] = [];
  let seq = (await records.audit.head()).seq;
  const keys = {
    find(id: string) {
      asked.push(id);
      return records.keys.find(id);
    },
  };
  return {
    records,
    asked,
    finder: createKeyFinder({ records: { keys }, freshness: { isFresh: () => true }, capacity: 100 }),
    async create(consumerId = 'con_1') {
      const made = await createKey(records, { consumerId, name: 'n' }, BY);
      if (made.refusal !== undefined) throw new Error(made.message);
      return made.key.id;
    },
    async news() {
      const changes = await records.audit.after(seq, 100);
      seq = changes.at(-1)?.seq ?? seq;
      return changes;
    },
  };
}

function recordOf(type: AuditRecord['type'], subject: string): AuditRecord {
  return { type, actor: 'admin:ada', subject, seq: 1, at: 0, previous: '', hash: '' };
}
