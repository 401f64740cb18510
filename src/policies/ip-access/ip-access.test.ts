import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../errors/problem.ts';
import { publicRoute, testExchange } from '../test-exchange.ts';
import { ipAccessConfig } from './config.ts';
import { ipAccessPolicy } from './ip-access.ts';

test('only the allowed blocks may call', () => {
  const mayCall = rule({ allow: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'] });
  for (const address of ['10.0.0.0', '10.255.255.255', '2001:db8::1', '192.0.2.7'])
    assert.equal(mayCall(address), true, address);
  for (const address of ['9.255.255.255', '11.0.0.0', '2001:db9::1', '192.0.2.8', '::1'])
    assert.equal(mayCall(address), false, address);
});

test('without an allow list everyone may call but the denied', () => {
  const mayCall = rule({ deny: ['203.0.113.0/24', '2001:db8:bad::/48'] });
  assert.equal(mayCall('203.0.114.0'), true);
  assert.equal(mayCall('2001:db8:bae::1'), true);
  assert.equal(mayCall('203.0.113.255'), false);
  assert.equal(mayCall('2001:db8:bad::1'), false);
});

test('deny wins over allow, however narrow the allowed block is', () => {
  const mayCall = rule({ allow: ['10.0.0.0/8', '10.9.9.9'], deny: ['10.9.0.0/16'] });
  assert.equal(mayCall('10.8.0.1'), true);
  assert.equal(mayCall('10.9.9.9'), false);
});

test('attack 49: an IPv4 address is the same however it is written', () => {
  const denied = rule({ deny: ['203.0.113.7'] });
  const allowed = rule({ allow: ['203.0.113.7'] });
  for (const spelling of ['203.0.113.7', '::ffff:203.0.113.7', '::ffff:cb00:7107', '0:0:0:0:0:FFFF:CB00:7107']) {
    assert.equal(denied(spelling), false, spelling);
    assert.equal(allowed(spelling), true, spelling);
  }
});

test('a block of every IPv6 address holds no IPv4 address', () => {
  assert.equal(rule({ allow: ['::/0'] })('203.0.113.7'), false);
  assert.equal(rule({ allow: ['::/0'] })('::ffff:203.0.113.7'), false);
});

test('a mapped block of the file is the IPv4 block it stands for', () => {
  assert.equal(rule({ deny: ['::ffff:203.0.113.0/120'] })('203.0.113.7'), false);
});

test('what is no address may not call, even where nothing speaks against it', () => {
  const mayCall = rule({ deny: ['203.0.113.7'] });
  for (const text of ['', 'unknown', 'unix:', '203.0.113', '203.0.113.8:80', '[::1]', '0xcb.0.113.8']) {
    assert.equal(mayCall(text), false, JSON.stringify(text));
  }
});

test('the zone of a link-local address does not count', () => {
  assert.equal(rule({ allow: ['fe80::/10'] })('fe80::1%eth0'), true);
});

test('a denial is forbidden-address and says nothing of the lists', () => {
  const denial = ipAccessPolicy
    .compile(ipAccessConfig.parse({ allow: ['10.0.0.0/8'] }), publicRoute)
    ?.request?.(testExchange());
  assert.ok(denial instanceof Problem);
  assert.equal(denial.code, 'forbidden-address');
  assert.equal(denial.status, 403);
  assert.equal(denial.detail, undefined);
});

test('without any list the policy asks for nothing', () => {
  assert.equal(ipAccessPolicy.compile(ipAccessConfig.parse({}), publicRoute), undefined);
});

test('lists that could mean something else than they say are faults', () => {
  const faults: readonly object[] = [
    { allow: [] },
    { allow: ['10.0.0.1/8'] },
    { deny: ['10.0.0.0/33'] },
    { deny: ['10.0.0.*'] },
    { deny: ['example.com'] },
    { deny: [''] },
    { block: ['10.0.0.0/8'] },
  ];
  for (const config of faults) assert.equal(ipAccessConfig.safeParse(config).success, false, JSON.stringify(config));
});

function rule(config: object): (clientAddress: string) => boolean {
  const policy = ipAccessPolicy.compile(ipAccessConfig.parse(config), publicRoute);
  assert.ok(policy?.request !== undefined);
  const { request } = policy;
  return (clientAddress) => request(testExchange({ clientAddress })) === undefined;
}
