import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashClientSecret, matchesClientSecret, newClient, readClientRequest } from './client-keeper.ts';

const CALLBACK = 'https://app.example.com/callback';

function made(input: unknown) {
  const read = readClientRequest(input);
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return newClient(read.request, { source: 'admin', at: 1_000 });
}

function faults(input: unknown): Record<string, string> {
  const read = readClientRequest(input);
  if (!('faults' in read)) return {};
  return Object.fromEntries(read.faults.map(({ path, message }) => [path.join('.'), message]));
}

test('a machine gets client credentials and a secret, of which a hash is kept', () => {
  const { client, secret = '' } = made({ name: 'Job' });
  assert.ok(secret.length >= 43);
  assert.equal(client.secretHash, hashClientSecret(secret));
  assert.ok(!JSON.stringify(client).includes(secret));
  assert.equal(client.metadata['token_endpoint_auth_method'], 'client_secret_basic');
  assert.deepEqual(client.metadata['grant_types'], ['client_credentials']);
  assert.deepEqual(client.metadata['response_types'], []);
  assert.equal(client.metadata['client_name'], 'Job');
  assert.equal(client.createdAt, 1_000);
});

test('a web application gets the code flow; one on the device gets no secret', () => {
  const web = made({ name: 'Web', redirect_uris: [CALLBACK] });
  assert.deepEqual(web.client.metadata['grant_types'], ['authorization_code', 'refresh_token']);
  assert.deepEqual(web.client.metadata['response_types'], ['code']);
  assert.equal(typeof web.secret, 'string');
  for (const uri of ['http://127.0.0.1/callback', 'com.example.app:/callback']) {
    const native = made({ name: 'Native', redirect_uris: [uri] });
    assert.equal(native.secret, undefined);
    assert.equal(native.client.secretHash, undefined);
    assert.equal(native.client.metadata['token_endpoint_auth_method'], 'none');
  }
});

test('a client that is given no scopes gets none but those its grants need', () => {
  const scopeOf = (input: object) => made({ name: 'A', ...input }).client.metadata['scope'];
  assert.equal(scopeOf({}), 'openid');
  assert.equal(scopeOf({ redirect_uris: [CALLBACK] }), 'openid offline_access');
  assert.equal(scopeOf({ redirect_uris: [CALLBACK], grant_types: ['authorization_code'] }), 'openid');
  assert.equal(scopeOf({ redirect_uris: [CALLBACK], scope: 'widgets:read' }), 'widgets:read');
});

test('ids are unlike each other, and one of your own is kept, as is a secret, which is not shown again', () => {
  assert.notEqual(made({ name: 'A' }).client.id, made({ name: 'A' }).client.id);
  const own = 'x'.repeat(32);
  const { client, secret } = made({ name: 'A', id: 'job-1', secret: own });
  assert.equal(client.id, 'job-1');
  assert.equal(secret, undefined);
  assert.ok(client.secretHash !== undefined && matchesClientSecret(own, client.secretHash));
});

test('all faults of a description are told at once, each with its place', () => {
  const found = faults({
    name: '',
    id: 'with space',
    secret: 'short',
    grant_types: ['implicit'],
    redirect_uris: ['https://*.example.com/', 'javascript:alert(1)'],
    jwks_uri: 'http://10.0.0.1/jwks',
    scope: 'two  spaces',
    colour: 'red',
  });
  const places = [
    '',
    'grant_types.0',
    'id',
    'jwks_uri',
    'name',
    'redirect_uris.0',
    'redirect_uris.1',
    'scope',
    'secret',
  ];
  assert.deepEqual(Object.keys(found).sort(), places);
  assert.match(found['redirect_uris.0'] ?? '', /wildcard/);
  assert.match(found[''] ?? '', /colour/);
});

test('what does not fit together is refused, with what would', () => {
  const cases: readonly [string, Record<string, unknown>][] = [
    ['redirect_uris', { grant_types: ['authorization_code'] }],
    ['redirect_uris', { grant_types: ['client_credentials'], redirect_uris: [CALLBACK] }],
    ['grant_types', { grant_types: ['refresh_token'] }],
    ['grant_types', { grant_types: ['client_credentials'], token_endpoint_auth_method: 'none' }],
    ['jwks', { token_endpoint_auth_method: 'private_key_jwt' }],
    ['tls_client_auth_subject_dn', { token_endpoint_auth_method: 'tls_client_auth' }],
    ['tls_client_auth_subject_dn', { tls_client_auth_san_dns: 'a.example' }],
    [
      'secret',
      { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_san_dns: 'a.example', secret: 'x'.repeat(40) },
    ],
    ['dpop_bound_access_tokens', { dpop_bound_access_tokens: true, tls_client_certificate_bound_access_tokens: true }],
    ['jwks.keys.0', { jwks: { keys: [{ kty: 'RSA', n: 'x', e: 'AQAB', d: 'private' }] } }],
    ['jwks.keys.0', { jwks: { keys: [{ kty: 'oct', k: 'secret' }] } }],
  ];
  for (const [place, input] of cases) {
    const found = faults({ name: 'Odd', ...input });
    assert.ok(place in found, `${JSON.stringify(input)} gave ${JSON.stringify(found)}`);
  }
});

test('a secret is matched whole, against its hash only', () => {
  const hash = hashClientSecret('the secret');
  assert.equal(matchesClientSecret('the secret', hash), true);
  for (const other of ['', 'the secre', 'the secret ', hash]) assert.equal(matchesClientSecret(other, hash), false);
  assert.equal(matchesClientSecret('', ''), false);
});
