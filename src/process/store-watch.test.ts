import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreWatch } from './store-watch.ts';

test('an outage is told of twice, when it begins and when it is over, and every failure is counted', () => {
  let now = 0;
  let counted = 0;
  const lines: string[] = [];
  const log = {
    error: (_fields: object, message: string) => void lines.push(`error: ${message}`),
    info: (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`),
  };
  const watch = new StoreWatch(
    log,
    (failures) => {
      counted += failures;
    },
    () => now,
  );
  watch.look();
  for (; now < 60_000; now += 200) {
    watch.failed(new Error('gone'));
    watch.look(); // a store that still answers something does not end the outage of another
  }
  now += 60_000; // a store with a long deadline fails seldom
  watch.failed(new Error('gone'), 50);
  now += 4_999;
  watch.look();
  assert.deepEqual(lines, ['error: the stores do not answer; what cannot be checked is refused until they do']);
  now += 1;
  watch.look();
  watch.look();
  assert.deepEqual(lines.slice(1), ['the stores answer again {"failures":350,"lastedMs":120000}']);
  assert.equal(counted, 350);
  watch.failed(new Error('gone again'));
  assert.equal(lines.length, 3);
});
