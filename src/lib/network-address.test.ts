import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  blockListOf,
  cidrContains,
  cidrOption,
  formatSocketAddress,
  isLoopback,
  isWildcard,
  parseCidr,
  parseSocketAddress,
} from './network-address.ts';

test('an address to listen on is an IP address or localhost, and a port', () => {
  assert.deepEqual(parseSocketAddress('127.0.0.1:8443'), { host: '127.0.0.1', port: 8443 });
  assert.deepEqual(parseSocketAddress('[::1]:0'), { host: '::1', port: 0 });
  assert.deepEqual(parseSocketAddress('localhost:80'), { host: 'localhost', port: 80 });
  for (const text of [
    '8443',
    ':8443',
    '::1:80',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '300.0.0.1:1',
    'example.com:1',
    '[127.0.0.1]:1',
    '[::1]',
    '127.1:80',
    ' 127.0.0.1:80',
  ]) {
    assert.equal(parseSocketAddress(text), undefined, text);
  }
});

test('an address is written as it is read', () => {
  for (const text of ['127.0.0.1:8443', '[::1]:0', 'localhost:80']) {
    const address = parseSocketAddress(text);
    assert.equal(address && formatSocketAddress(address), text);
  }
});

test('loopback and wildcard hosts are known in every spelling', () => {
  for (const host of [
    'localhost',
    '127.0.0.1',
    '127.8.9.10',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
  ]) {
    assert.ok(isLoopback(host), host);
  }
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '::2', 'example.com', '128.0.0.1'])
    assert.ok(!isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '0:0::0']) assert.ok(isWildcard(host), host);
  assert.ok(!isWildcard('127.0.0.1'));
});

test('a block has one spelling', () => {
  const spelt = (text: string) => parseCidr(text)?.text;
  assert.equal(spelt('10.1.2.3/8'), '10.0.0.0/8');
  assert.equal(spelt('192.0.2.7'), '192.0.2.7/32');
  assert.equal(spelt('2001:DB8:0:0::/32'), '2001:db8::/32');
  assert.equal(spelt('::ffff:10.0.0.0/104'), '10.0.0.0/8');
  assert.equal(spelt('::ffff:a00:1'), '10.0.0.1/32');
  assert.equal(spelt('::/0'), '::/0');
  for (const text of [
    '',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0/8',
    '::/129',
    '::ffff:10.0.0.0/95',
    'x',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '1::2::3',
    'fe80::1%eth0',
  ]) {
    assert.equal(spelt(text), undefined, text);
  }
});

test('containment and look-ups agree with the runtime', () => {
  const v4 = fc.ipV4();
  const v6 = fc.ipV6();
  fc.assert(
    fc.property(fc.oneof(fc.tuple(v4, fc.nat(32), v4), fc.tuple(v6, fc.nat(128), v6)), ([base, prefix, address]) => {
      const outer = parseCidr(`${base}/${prefix}`);
      const inner = parseCidr(address);
      assert.ok(outer !== undefined && inner !== undefined);
      if (outer.family !== inner.family || (base.includes(':') && outer.family === 4)) return;
      const list = new BlockList();
      const family = outer.family === 4 ? 'ipv4' : 'ipv6';
      list.addSubnet(base, prefix, family);
      assert.equal(cidrContains(outer, inner), list.check(address, family));
      assert.equal(blockListOf([outer.text]).check(address, family), list.check(address, family));
    }),
  );
});

test('a block contains smaller ones of its family only', () => {
  const block = (text: string) => parseCidr(text) ?? assert.fail(text);
  assert.ok(cidrContains(block('10.0.0.0/8'), block('10.1.0.0/16')));
  assert.ok(!cidrContains(block('10.1.0.0/16'), block('10.0.0.0/8')));
  assert.ok(!cidrContains(block('::/0'), block('10.0.0.0/8')));
});

test('an option refuses bits beyond the prefix and says the block that was meant', () => {
  const issue = cidrOption().safeParse('10.0.0.1/8').error?.issues[0];
  assert.equal(issue?.code === 'custom' && issue.params?.['hint'], 'write 10.0.0.0/8');
  assert.equal(cidrOption().parse('10.0.0.1'), '10.0.0.1/32');
});
