import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BoundedFetch, FetchFailed } from './bounded-fetch.ts';
import { discover, fetchKeys, readKeys } from './issuer-discovery.ts';

/** What a network would answer, by URL; 404 for all else. Bounds and addresses are bounded-fetch's matter and tested there. */
function network(documents: Readonly<Record<string, unknown>>) {
  const asked: string[] = [];
  const fetcher: BoundedFetch = {
    async fetch(url) {
      asked.push(url);
      const status = url in documents ? 200 : 404;
      return { status, contentType: undefined, cacheControl: undefined, text: JSON.stringify(documents[url] ?? {}) };
    },
    async close() {},
  };
  return { fetcher, asked };
}

test('metadata is looked for where OpenID Connect and RFC 8414 put it, with and without a path', async () => {
  for (const [issuer, openid, oauth] of [
    ['https://id.example', '/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'],
    ['https://id.example/', '/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'],
    ['https://id.example/a/b', '/a/b/.well-known/openid-configuration', '/.well-known/oauth-authorization-server/a/b'],
    ['https://id.example/a/', '/a/.well-known/openid-configuration', '/.well-known/oauth-authorization-server/a'],
  ] as const) {
    const document = { issuer, jwks_uri: 'https://keys.example', introspection_endpoint: 'https://ask.example' };
    for (const place of [openid, oauth]) {
      const { fetcher, asked } = network({ [`https://id.example${place}`]: document });
      assert.deepEqual(await discover(issuer, fetcher), {
        jwksUri: 'https://keys.example',
        introspectionEndpoint: 'https://ask.example',
      });
      assert.deepEqual(asked, place === openid ? [openid].map(at) : [openid, oauth].map(at), issuer);
    }
  }
});

test('metadata of another issuer is that one’s, and what is no text is not there', async () => {
  const openid = 'https://id.example/.well-known/openid-configuration';
  for (const issuer of [
    'https://id.example/',
    'https://ID.example',
    'https://evil.example',
    undefined,
    ['https://id.example'],
  ])
    await assert.rejects(
      discover('https://id.example', network({ [openid]: { issuer } }).fetcher),
      /not the metadata of/,
    );
  for (const document of [null, [], 'https://id.example'])
    await assert.rejects(discover('https://id.example', network({ [openid]: document }).fetcher), FetchFailed);
  const odd = { issuer: 'https://id.example', jwks_uri: ['https://keys.example'], introspection_endpoint: 7 };
  assert.deepEqual(await discover('https://id.example', network({ [openid]: odd }).fetcher), {
    jwksUri: undefined,
    introspectionEndpoint: undefined,
  });
});

test('where the first place has another’s document, the second is looked at', async () => {
  const { fetcher } = network({
    'https://id.example/.well-known/openid-configuration': {
      issuer: 'https://evil.example',
      jwks_uri: 'https://evil.example',
    },
    'https://id.example/.well-known/oauth-authorization-server': {
      issuer: 'https://id.example',
      jwks_uri: 'https://keys.example',
    },
  });
  assert.equal((await discover('https://id.example', fetcher)).jwksUri, 'https://keys.example');
});

test('of a set the public members of public keys come in, and nothing else', async () => {
  const rsa = { kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'r', alg: 'RS256', use: 'sig', key_ops: ['verify'] };
  const okp = { kty: 'OKP', crv: 'Ed25519', x: 'AA' };
  const written = [
    { ...rsa, d: 'secret', p: 'secret', x5c: ['AAAA'], x5u: 'https://evil.example', oth: [] },
    okp,
    { kty: 'oct', k: 'secret' },
    { ...okp, kid: 7 },
    { ...okp, key_ops: 'verify' },
    { ...okp, key_ops: [7] },
    { kty: ['OKP'] },
    null,
    'key',
    [okp],
  ];
  const url = 'https://keys.example';
  assert.deepEqual(await fetchKeys(url, network({ [url]: { keys: written } }).fetcher), { keys: [rsa, okp] });
  for (const document of [undefined, null, [], {}, { keys: {} }, { keys: 'a' }])
    assert.throws(() => readKeys(document, url), /is not a JWK set/);
  assert.equal(readKeys({ keys: Array.from({ length: 100 }, () => okp) }, url).keys.length, 100);
  assert.throws(() => readKeys({ keys: Array.from({ length: 101 }, () => okp) }, url), /more than 100 keys/);
  await assert.rejects(fetchKeys('https://missing.example', network({}).fetcher), /answered 404/);
});

function at(place: string): string {
  return `https://id.example${place}`;
}
