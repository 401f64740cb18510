import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KeyUse } from '../stores/stores.ts';
import { networkOf } from './key-network.ts';
import { KeyUses } from './key-uses.ts';

test('uses are added up by key; the newest says when, whence and where', () => {
  const uses = new KeyUses();
  uses.add(use('a', 5, '192.0.2.1', 'old'));
  uses.add(use('b', 6, '198.51.100.1', 'other'));
  uses.add(use('a', 9, '203.0.113.1', 'new'));
  uses.add(use('a', 7, '192.0.2.1', 'late'));
  assert.deepEqual(uses.drain(), [
    {
      id: 'a',
      uses: 3,
      lastUsedAt: 9,
      address: '203.0.113.1',
      route: 'new',
      networks: ['192.0.2.0/24', '203.0.113.0/24'],
    },
    { id: 'b', uses: 1, lastUsedAt: 6, address: '198.51.100.1', route: 'other', networks: ['198.51.100.0/24'] },
  ]);
  assert.deepEqual(uses.drain(), []);
});

test('a network between two others does not go unseen', () => {
  const uses = new KeyUses();
  for (const last of [1, 2, 3]) uses.add(use('a', last, `192.0.${last}.1`));
  uses.add(use('a', 4, '192.0.1.9'));
  assert.deepEqual(uses.drain()[0]?.networks, ['192.0.1.0/24', '192.0.2.0/24', '192.0.3.0/24']);
});

test('sums of workers can be added up again without losing anything', () => {
  const all = fc.array(
    fc.record({
      id: fc.constantFrom('a', 'b', 'c'),
      uses: fc.nat(100),
      lastUsedAt: fc.nat(1_000),
      address: fc.constantFrom('192.0.2.1', '198.51.100.7', '2001:db8::1'),
      route: fc.constant('r'),
    }),
  );
  fc.assert(
    fc.property(all, all, (one, other) => {
      const whole = new KeyUses();
      for (const part of [one, other]) {
        const worker = new KeyUses();
        for (const each of part) worker.add(each);
        for (const sum of worker.drain()) whole.add(sum);
      }
      for (const sum of whole.drain()) {
        const theirs = [...one, ...other].filter(({ id }) => id === sum.id);
        assert.equal(
          sum.uses,
          theirs.reduce((count, { uses }) => count + uses, 0),
        );
        assert.equal(sum.lastUsedAt, Math.max(...theirs.map(({ lastUsedAt }) => lastUsedAt)));
        assert.deepEqual(new Set(sum.networks), new Set(theirs.map(({ address }) => networkOf(address))));
      }
    }),
  );
});

test('where no room is left, uses are counted as dropped, and keys that have their place lose none', () => {
  const uses = new KeyUses(2);
  for (const id of ['a', 'b', 'c', 'a', 'd']) uses.add(use(id, 1, '192.0.2.1'));
  assert.equal(uses.takeDropped(), 2);
  assert.equal(uses.takeDropped(), 0);
  assert.deepEqual(
    uses.drain().map(({ id, uses: count }) => `${id}${count}`),
    ['a2', 'b1'],
  );
  uses.add(use('c', 1, '192.0.2.1'));
  assert.equal(uses.drain().length, 1);
});

test('the networks of one key are bounded', () => {
  const uses = new KeyUses();
  for (let at = 0; at < 250; at += 1) uses.add(use('a', at, `192.0.${at}.1`));
  assert.equal(uses.drain()[0]?.networks.length, 16);
});

test('networks are those of sites', () => {
  assert.equal(networkOf('192.0.2.77'), '192.0.2.0/24');
  assert.equal(networkOf('::ffff:192.0.2.77'), '192.0.2.0/24');
  assert.equal(networkOf('2001:db8:1:2::3'), '2001:db8:1::/48');
  assert.equal(networkOf('unix'), 'unix');
});

function use(id: string, lastUsedAt: number, address: string, route = 'r'): KeyUse {
  return { id, uses: 1, lastUsedAt, address, route };
}
