import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SharedCounts } from '../lib/shared-counts.ts';
import { ConnectionRegister, clientKey } from './connection-limits.ts';

describe('clientKey', () => {
  // biome-ignore format: aligned on purpose, one case a row
  for (const [address, key] of [
    ['192.0.2.7',                  '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6',       '2001:db8:1:2/64'],
    ['2001:db8:1:2::',             '2001:db8:1:2/64'],
    ['2001:db8:1:2::9',            '2001:db8:1:2/64'],
    ['2001:db8::1',                '2001:db8:0:0/64'],
    ['2001:db8::4:5:6:7:8',        '2001:db8:0:4/64'],
    ['::1',                        '0:0:0:0/64'],
    ['::',                         '0:0:0:0/64'],
    ['1::',                        '1:0:0:0/64'],
    ['::4:5:6:7:8',                '0:0:0:4/64'],
  ] as const) {
    it(`${address} → ${key}`, () => assert.equal(clientKey(address), key));
  }
});

describe('ConnectionRegister', () => {
  it('counts up and down, and forgets clients without connections', () => {
    const register = new ConnectionRegister('test', new SharedCounts(SharedCounts.allocate(1), 0));
    assert.equal(register.countClient('2001:db8::1', 2), true);
    assert.equal(register.countClient('2001:db8::2', 2), true);
    assert.equal(register.countClient('2001:db8::3', 2), false);
    assert.equal(register.countClient('2001:db8:0:1::3', 2), true);
    register.uncountClient('2001:db8::1');
    assert.equal(register.countClient('2001:db8::3', 2), true);
    assert.equal(register.countClient('2001:db8::4', 2), false);
  });
});
