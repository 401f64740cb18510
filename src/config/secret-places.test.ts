import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLiteralSecrets, isSecretPath } from './secret-places.ts';

const file = {
  stores: {
    records: { postgres: { url: 'postgres://gateway:hunter22@db.example.com/sallyport' } },
    counters: { valkey: { url: 'rediss://valkey.example.com' } },
    encryptionKeys: ['c2VjcmV0IG9mIHRoaXJ0eS10d28gcmFuZG9tIGJ5dGVzLi4='],
  },
  authorizationServer: {
    issuer: 'https://api.example.com/oauth',
    lifetimes: { accessToken: '10m', refreshToken: '30d' },
    registration: { initialAccessToken: 'open-sesame-open-sesame' },
    clients: [{ id: 'app', secret: 'literal-secret' }],
    accounts: { upstream: { clientSecret: 'another-literal' } },
  },
  logins: { web: { clientId: 'app', clientSecret: 'one-more-literal' } },
  consumers: [{ name: 'acme', keys: [{ name: 'main', key: 'sp_live_0123456789ab_x' }] }],
};

test('secrets of identity that stand in the file are found, and nothing else is', () => {
  assert.deepEqual(findLiteralSecrets(file, new Set()).sort(), [
    'authorizationServer.accounts.upstream.clientSecret',
    'authorizationServer.clients[0].secret',
    'authorizationServer.registration.initialAccessToken',
    'consumers[0].keys[0].key',
    'logins.web.clientSecret',
    'stores.encryptionKeys[0]',
    'stores.records.postgres.url',
  ]);
  assert.deepEqual(findLiteralSecrets(file, new Set(['logins.web.clientSecret'])).length, 6);
});

test('no fault shows what stands at these places', () => {
  for (const path of [
    ['consumers', 0, 'keys', 2, 'key'],
    ['stores', 'encryptionKeys', 0],
    ['logins', 'web', 'clientSecret'],
    ['issuers', 0, 'introspection', 'clientSecret'],
  ])
    assert.equal(isSecretPath(path), true, path.join('.'));
  for (const path of [
    ['authorizationServer', 'lifetimes', 'accessToken'],
    ['consumers', 0, 'keys', 2, 'name'],
    ['apis', 0, 'path'],
  ])
    assert.equal(isSecretPath(path), false, path.join('.'));
});
