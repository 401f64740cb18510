import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Counters } from '../stores/counters.ts';
import { type Records, StoreUnavailable } from '../stores/stores.ts';
import { watchStores } from './watched-stores.ts';

test('a worker can only look keys and sessions up, by stores that are classes as well', async () => {
  class Found {
    readonly #answer = undefined;
    async find() {
      return this.#answer;
    }
    async remove() {
      return true;
    }
  }
  const { records } = watchStores(stores({ keys: new Found(), sessions: new Found() }), assert.fail);
  for (const store of [records.keys, records.sessions]) {
    assert.equal(await store.find('a'), undefined);
    assert.deepEqual(Object.keys(store), ['find']);
  }
});

test('a store that gives no answer is told of each time, and a fault of another kind is not', async () => {
  const told: string[] = [];
  let error: Error = new StoreUnavailable('down');
  const failing = { find: async () => Promise.reject(error) };
  const counters = {
    once(key: string) {
      if (key === 'at once') throw error;
      return Promise.reject(error);
    },
  };
  const watched = watchStores(stores({ keys: failing, sessions: failing }, counters), (message) => told.push(message));
  const askAll = async () => {
    await assert.rejects(watched.records.keys.find('a'), error);
    await assert.rejects(watched.records.sessions.find('a'), error);
    await assert.rejects(async () => watched.replay.once('later', 1), error);
    assert.throws(() => watched.replay.once('at once', 1), error);
  };
  await askAll();
  assert.deepEqual(told, ['down', 'down', 'down', 'down']);
  error = new TypeError('broken');
  await askAll();
  assert.equal(told.length, 4);
});

/** Those parts of the stores that are looked at. */
function stores(records: object, counters: object = {}) {
  return { records: records as Records, counters: counters as Counters };
}
