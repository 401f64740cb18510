import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { FetchFailed } from './bounded-fetch.ts';
import { issuerAddresses, issuerFetch } from './issuer-fetch.ts';
import { issuerSettings } from './issuer-settings.ts';

const PRIVATE = ['10.0.0.1', '172.16.0.1', '192.168.1.1', '100.64.0.1', 'fd12:3456::1'];
const LOOPBACK = ['127.0.0.1', '127.9.9.9', '::1'];
/** What hands out the credentials of a machine to who asks from it. */
const METADATA = ['169.254.169.254', '169.254.170.2', 'fe80::1', 'fd00:ec2::254', '100.100.100.200', '192.0.0.192'];
const NEVER = ['0.0.0.0', '255.255.255.255', '224.0.0.1', '::', 'ff02::1', '192.0.2.1'];

const allowed = (settings: object, addresses: readonly string[]) =>
  addresses.filter(issuerAddresses(issuerSettings.parse({ issuer: 'https://id.example', ...settings })));

test('attack 44: an issuer on the internet is nowhere else', () => {
  assert.deepEqual(allowed({}, ['1.1.1.1', '2606:4700::1111']), ['1.1.1.1', '2606:4700::1111']);
  assert.deepEqual(allowed({}, [...PRIVATE, ...LOOPBACK, ...METADATA, ...NEVER]), []);
});

test('the file may allow private addresses, and never those of metadata services', () => {
  const settings = { allowPrivateAddresses: true };
  assert.deepEqual(allowed(settings, [...PRIVATE, ...LOOPBACK]), [...PRIVATE, ...LOOPBACK]);
  assert.deepEqual(allowed(settings, [...METADATA, ...NEVER]), []);
});

test('an address the file itself writes is that one alone', () => {
  assert.deepEqual(allowed({ issuer: 'https://10.0.0.1/realm' }, PRIVATE), ['10.0.0.1']);
  assert.deepEqual(allowed({ jwks: 'https://[fd12:3456:0::1]/jwks' }, PRIVATE), ['fd12:3456::1']);
  assert.deepEqual(allowed({ issuer: 'https://[::ffff:10.0.0.1]' }, PRIVATE), ['10.0.0.1']);
  const introspection = { endpoint: 'https://192.168.1.1/introspect', clientId: 'c', clientSecret: 's' };
  assert.deepEqual(allowed({ introspection }, PRIVATE), ['192.168.1.1']);
  assert.deepEqual(allowed({ issuer: 'http://127.0.0.1:4000' }, LOOPBACK), ['127.0.0.1']);
});

test('localhost is this machine, and nothing of its network', () => {
  assert.deepEqual(allowed({ issuer: 'http://localhost:4000' }, [...LOOPBACK, ...PRIVATE, ...METADATA]), LOOPBACK);
  assert.deepEqual(allowed({ issuer: 'https://localhost.example' }, LOOPBACK), []);
});

test('a name that resolves to what is not allowed is not connected to', async () => {
  let reached = 0;
  const server = createServer((_, response) => {
    reached += 1;
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // listening on TCP
  const url = `http://localhost:${port}/jwks`;
  const onTheInternet = issuerFetch(issuerSettings.parse({ issuer: 'https://id.example' }));
  const here = issuerFetch(issuerSettings.parse({ issuer: `http://localhost:${port}` }));
  try {
    const failure = await onTheInternet.fetch(url).catch((error: unknown) => error);
    assert.ok(failure instanceof FetchFailed);
    assert.equal(failure.fault, 'address');
    assert.equal(reached, 0);
    assert.equal((await here.fetch(url)).status, 200);
    assert.equal(reached, 1);
  } finally {
    await Promise.all([onTheInternet.close(), here.close()]);
    server.closeAllConnections();
    server.close();
  }
});
