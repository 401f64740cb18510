import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeRefusals, judgeUses, type KeyMemory, newKeyMemory } from './key-anomalies.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const HOME = '192.0.2.0/24';
const AWAY = '198.51.100.0/24';

test('the first network of a key is nothing unusual, the second is, the first again is not', () => {
  const memory = fresh();
  assert.deepEqual(reasons(memory, { at: 1, networks: [HOME] }), []);
  assert.deepEqual(reasons(memory, { at: 2, networks: [HOME, AWAY] }), ['new-network']);
  assert.deepEqual(reasons(memory, { at: 3, networks: [AWAY] }), []);
  assert.deepEqual(reasons(memory, { at: 4, networks: [HOME] }), []);
});

test('the network of the records counts as known after a restart', () => {
  const memory = newKeyMemory({ createdAt: 0, lastUsedAt: 1, lastNetwork: HOME });
  assert.deepEqual(reasons(memory, { at: 2, networks: [HOME] }), []);
  const [found] = judgeUses(memory, { uses: 1, at: 3, networks: [AWAY] });
  assert.deepEqual(found, { reason: 'new-network', detail: { networks: [AWAY] } });
});

test('the networks of a key are bounded; those seen last are remembered', () => {
  const memory = fresh();
  for (let at = 0; at < 100; at += 1) reasons(memory, { at, networks: [`10.0.${at}.0/24`] });
  assert.equal(memory.networks.length, 16);
  assert.equal(memory.networks.at(-1), '10.0.99.0/24');
});

test('each finding is told once an hour', () => {
  const memory = fresh();
  reasons(memory, { at: 0, networks: [HOME] });
  assert.deepEqual(reasons(memory, { at: 1, networks: ['10.0.1.0/24'] }), ['new-network']);
  assert.deepEqual(reasons(memory, { at: 60 * MINUTE, networks: ['10.0.2.0/24'] }), []);
  assert.deepEqual(reasons(memory, { at: 60 * MINUTE + 1, networks: ['10.0.3.0/24'] }), ['new-network']);
});

test('use after thirty days is told of, whether there was a use before or none since creation', () => {
  for (const lastUsedAt of [undefined, 0]) {
    const asleep = () => newKeyMemory({ createdAt: 0, lastUsedAt, lastNetwork: undefined });
    assert.deepEqual(reasons(asleep(), { at: 30 * DAY - 1 }), []);
    const [found] = judgeUses(asleep(), { uses: 1, at: 30 * DAY, networks: [] });
    assert.deepEqual(found, { reason: 'long-sleep', detail: { days: 30 } });
  }
});

test('ten times the usual rate is told of, within the very minute', () => {
  const memory = usedFor(20, 100);
  assert.deepEqual(reasons(memory, { at: 20 * MINUTE, uses: 999 }), []);
  const [found] = judgeUses(memory, { uses: 1, at: 20 * MINUTE + 5_000, networks: [] });
  assert.deepEqual(found, { reason: 'sudden-rate', detail: { usesInMinute: 1_000, usual: 100 } });
});

test('no rate is sudden before it is known what is usual, nor while it is small', () => {
  assert.deepEqual(reasons(usedFor(9, 1), { at: 10 * MINUTE, uses: 100_000 }), []);
  assert.deepEqual(reasons(usedFor(20, 1), { at: 20 * MINUTE, uses: 299 }), []);
  assert.deepEqual(reasons(usedFor(20, 1), { at: 20 * MINUTE, uses: 300 }), ['sudden-rate']);
});

test('a key that works in bursts once a night is not told of each time', () => {
  const memory = fresh();
  for (let night = 0; night < 20; night += 1) {
    for (let minute = 0; minute < 5; minute += 1) {
      assert.deepEqual(reasons(memory, { at: night * DAY + minute * MINUTE, uses: 5_000 }), []);
    }
  }
});

test('a rate that grows slowly becomes the usual one', () => {
  const memory = fresh();
  for (let minute = 0; minute < 300; minute += 1) {
    assert.deepEqual(reasons(memory, { at: minute * MINUTE, uses: 10 + minute * 10 }), []);
  }
});

test('twenty refusals within ten minutes are told of, fewer are not, and time forgives', () => {
  const memory = fresh();
  assert.deepEqual(judgeRefusals(memory, { count: 19, at: 10 * MINUTE }), []);
  assert.deepEqual(judgeRefusals(memory, { count: 19, at: 20 * MINUTE }), []);
  const [found] = judgeRefusals(memory, { count: 1, at: 21 * MINUTE });
  assert.deepEqual(found, { reason: 'many-refusals', detail: { refusals: 20, minutes: 10 } });
  assert.deepEqual(judgeRefusals(memory, { count: 1_000, at: 22 * MINUTE }), [], 'once an hour');
});

function fresh(): KeyMemory {
  return newKeyMemory({ createdAt: 0, lastUsedAt: undefined, lastNetwork: undefined });
}

/** A key that was used so often in each of so many minutes. */
function usedFor(minutes: number, uses: number): KeyMemory {
  const memory = fresh();
  for (let minute = 0; minute < minutes; minute += 1) {
    assert.deepEqual(reasons(memory, { at: minute * MINUTE, uses }), []);
  }
  return memory;
}

function reasons(
  memory: KeyMemory,
  batch: { readonly at: number; readonly uses?: number; readonly networks?: readonly string[] },
): readonly string[] {
  return judgeUses(memory, { uses: 1, networks: [], ...batch }).map(({ reason }) => reason);
}
