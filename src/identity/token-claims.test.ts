import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readClaims, type TokenClaims } from './token-claims.ts';

const CLAIMS = {
  iss: 'https://id.example',
  sub: 'alice',
  aud: 'https://api.example',
  exp: 1_800_000_000,
  iat: 1_799_999_000,
  jti: 'jti-1',
  client_id: 'app',
  scope: 'a b',
};

test('the claims of RFC 9068 are read into one form', () => {
  assert.deepEqual(readClaims(CLAIMS), {
    audiences: ['https://api.example'],
    expiresAt: 1_800_000_000,
    validFrom: 1_799_999_000,
    confirmation: undefined,
    foreignPurpose: false,
    facts: { jti: 'jti-1', grantId: undefined, clientId: 'app', subject: 'alice', issuedAt: 1_799_999_000 },
    principal: {
      id: 'https://id.example|alice',
      kind: 'user',
      method: 'oauth',
      issuer: 'https://id.example',
      subject: 'alice',
      clientId: 'app',
      consumer: undefined,
      credentialId: 'jti-1',
      scopes: ['a', 'b'],
      claims: CLAIMS,
    },
  } satisfies TokenClaims);
});

test('the later of nbf and iat is when a token begins; without either it always did', () => {
  assert.equal(read({ nbf: 1_799_999_500 }).validFrom, 1_799_999_500);
  assert.equal(read({ nbf: 5 }).validFrom, CLAIMS.iat);
  assert.equal(read({ iat: undefined }).validFrom, 0);
});

test('audiences and scopes come as a text or a list', () => {
  assert.deepEqual(read({ aud: ['a', 'b'] }).audiences, ['a', 'b']);
  assert.deepEqual(read({ aud: [] }).audiences, []);
  assert.deepEqual(read({ scope: ' a  b ' }).principal.scopes, ['a', 'b']);
  assert.deepEqual(read({ scope: ['a', 'b'] }).principal.scopes, ['a', 'b']);
  assert.deepEqual(read({ scope: undefined, scp: ['c'] }).principal.scopes, ['c']);
  assert.deepEqual(read({ scope: undefined, scp: 'c d' }).principal.scopes, ['c', 'd']);
});

test('scopes of another shape grant nothing', () => {
  for (const scope of [7, true, {}, { a: 'b' }, ['a', 7], [['a']]])
    assert.deepEqual(read({ scope }).principal.scopes, [], JSON.stringify(scope));
});

test('a token is of a client where its subject is the client, or it says so', () => {
  for (const change of [
    { sub: 'app' },
    { sub: undefined },
    { sub: 'app@clients' },
    { sub: 'x', gty: 'client-credentials' },
    { sub: 'x', idtyp: 'app' },
    { client_id: undefined, azp: 'me', sub: 'me' },
    { client_id: undefined, appid: 'me', sub: 'me' },
  ])
    assert.equal(read(change).principal.kind, 'client', JSON.stringify(change));
  for (const change of [{}, { client_id: undefined }, { sub: 'app@client' }, { gty: 'password' }, { idtyp: 'user' }])
    assert.equal(read(change).principal.kind, 'user', JSON.stringify(change));
  assert.equal(read({ sub: undefined }).principal.subject, 'app');
});

test('what a token is bound to is read, and a binding that cannot be checked is none to pass over', () => {
  assert.deepEqual(read({ cnf: { jkt: 'a' } }).confirmation, { jkt: 'a', x5tS256: undefined });
  assert.deepEqual(read({ cnf: { 'x5t#S256': 'b' } }).confirmation, { jkt: undefined, x5tS256: 'b' });
  assert.deepEqual(read({ cnf: { jkt: 'a', 'x5t#S256': 'b' } }).confirmation, { jkt: 'a', x5tS256: 'b' });
  const odd = [
    null,
    'a',
    7,
    [],
    {},
    { jkt: '' },
    { jkt: 7 },
    { 'x5t#S256': null },
    { jwk: {} },
    { jkt: 'a', kid: 'b' },
  ];
  for (const cnf of [...odd, JSON.parse('{"jkt":"a","__proto__":{}}')])
    assert.equal(readClaims({ ...CLAIMS, cnf }), 'unknown-binding', JSON.stringify(cnf));
});

test('odd shapes of what decides are refused, not repaired', () => {
  const odd: Readonly<Record<string, readonly unknown[]>> = {
    iss: [undefined, null, 7, ['https://id.example']],
    sub: [null, 7, '', ['alice'], {}],
    aud: [undefined, null, 7, {}, ['a', 7], [['a']]],
    exp: [undefined, null, '1800000000', -1, Number.NaN, Number.POSITIVE_INFINITY, true],
    nbf: [null, '5', -1, Number.POSITIVE_INFINITY],
    iat: [null, '5', -1, {}],
  };
  for (const [name, values] of Object.entries(odd))
    for (const value of values)
      assert.equal(readClaims({ ...CLAIMS, [name]: value }), 'bad-claims', `${name}: ${String(value)}`);
  assert.equal(readClaims({ ...CLAIMS, sub: undefined, client_id: undefined }), 'bad-claims', 'nobody');
});

test('attack 40: the marks of ID, refresh and logout tokens are seen', () => {
  for (const marks of [
    { nonce: 'n' },
    { at_hash: 'h' },
    { c_hash: 'h' },
    { s_hash: 'h' },
    { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
    { token_use: 'id' },
    { token_use: 'refresh' },
    { typ: 'ID' },
    { typ: 'Refresh' },
    { typ: 'Logout' },
    { typ: ['Bearer'] },
    { token_use: 'access', typ: 'ID' },
    { token_use: null, typ: 'ID' },
  ])
    assert.equal(read(marks).foreignPurpose, true, JSON.stringify(marks));
  for (const marks of [{ token_use: 'access' }, { typ: 'Bearer' }, { typ: 'DPoP' }, { typ: 'at+jwt' }])
    assert.equal(read(marks).foreignPurpose, false, JSON.stringify(marks));
});

test('property: claims of any shape are read or refused, and what is read has its own words alone', () => {
  const names = [...Object.keys(CLAIMS), 'nbf', 'azp', 'cnf', 'scp', 'typ', 'token_use', '__proto__', 'constructor'];
  const document = fc.dictionary(fc.constantFrom(...names), fc.jsonValue(), { noNullPrototype: false });
  fc.assert(
    fc.property(document, (changed) => {
      const outcome = readClaims({ ...CLAIMS, ...changed });
      if (typeof outcome === 'string') return;
      assert.equal(typeof outcome.principal.subject, 'string');
      assert.ok(outcome.expiresAt >= 0 && outcome.validFrom >= 0);
      assert.ok(outcome.audiences.every((audience) => typeof audience === 'string'));
      assert.ok(outcome.principal.scopes.every((scope) => typeof scope === 'string'));
    }),
    { numRuns: 500 },
  );
});

function read(changed: Readonly<Record<string, unknown>>): TokenClaims {
  const outcome = readClaims({ ...CLAIMS, ...changed });
  return typeof outcome === 'string' ? assert.fail(`${outcome}: ${JSON.stringify(changed)}`) : outcome;
}
