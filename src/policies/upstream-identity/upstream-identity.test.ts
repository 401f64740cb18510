import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { exportJWK, generateKeyPair, type JWK, jwtVerify } from 'jose';
import { Problem } from '../../errors/problem.ts';
import type { Principal } from '../../exchange.ts';
import { createIdentitySigner } from '../../identity/identity-signer.ts';
import { inertServices } from '../../identity/inert-services.ts';
import type { IdentitySigner } from '../../identity/services.ts';
import { publicRoute, testExchange, testPrincipal } from '../test-exchange.ts';
import { upstreamIdentityConfig } from './config.ts';
import { upstreamIdentityPolicy } from './upstream-identity.ts';

describe('upstreamIdentity', () => {
  let jwk: JWK;

  before(async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    jwk = { ...(await exportJWK(privateKey)), kid: 'identity-1', alg: 'ES256' };
  });

  test('the upstream gets a JWT for it alone, that it can check and that soon expires', async () => {
    const principal = testPrincipal({ scopes: ['a', 'b'], claims: { email: 'a@b.example', iss: 'evil', nonce: 'n' } });
    const { set } = await told({ jwt: { claims: ['email', 'iss', 'missing', '__proto__'] } }, principal);
    const { payload, protectedHeader } = await jwtVerify(set.get('x-sallyport-identity') ?? '', publicPart(jwk), {
      issuer: 'sallyport',
      audience: 'widgets',
    });
    const { iat = 0, exp = 0, jti, ...claims } = payload;
    assert.equal(protectedHeader.kid, 'identity-1');
    assert.equal(exp - iat, 60);
    assert.equal(typeof jti, 'string');
    assert.deepEqual(claims, {
      iss: 'sallyport',
      aud: 'widgets',
      sub: 'https://issuer.example|alice',
      client_id: 'app',
      scope: 'a b',
      email: 'a@b.example',
      principal: {
        kind: 'user',
        method: 'oauth',
        subject: 'alice',
        issuer: 'https://issuer.example',
        credential: 'jti-1',
      },
    });
  });

  test('it is signed once for a caller, and never given to another', async () => {
    let signatures = 0;
    const signer: IdentitySigner = {
      async sign(claims) {
        signatures += 1;
        return `jwt-${signatures}-${String(claims['sub'])}`;
      },
    };
    const hook = compiled({ jwt: {} }, signer);
    const alice = testPrincipal();
    const bob = testPrincipal({ id: 'bob' });
    const jwtFor = async (principal: Principal) => {
      const exchange = testExchange();
      exchange.principal = principal;
      await hook(exchange);
      return exchange.upstreamHeaders.set.get('x-sallyport-identity');
    };
    assert.equal(await jwtFor(alice), 'jwt-1-https://issuer.example|alice');
    assert.equal(await jwtFor(alice), 'jwt-1-https://issuer.example|alice');
    assert.equal(await jwtFor(bob), 'jwt-2-bob');
    assert.equal(await jwtFor(testPrincipal({ scopes: ['more'] })), 'jwt-3-https://issuer.example|alice');
  });

  test('without a key the request is 503, and does not go on without its identity', async () => {
    const exchange = testExchange();
    exchange.principal = testPrincipal();
    const outcome = await compiled({ jwt: {} }, createIdentitySigner())(exchange);
    assert.ok(outcome instanceof Problem);
    assert.equal(outcome.code, 'identity-unavailable');
  });

  test('a key without kid or alg is refused', () => {
    const { kid, ...rest } = jwk;
    assert.equal(kid, 'identity-1');
    assert.throws(() => createIdentitySigner().use(rest, 'sallyport'), /kid/);
  });

  test('fields say what they are asked to of the caller; a client’s own go in any case', async () => {
    const headers = {
      'X-User-Id': 'subject',
      'X-User-Scopes': 'scope',
      'X-User-Client': 'client',
      'X-User-Consumer': 'consumer',
      'X-User-Roles': 'realm.roles',
      'X-User-Level': 'level',
      'X-User-Odd': 'odd',
    };
    const claims = { realm: { roles: ['x', 'y'] }, level: 3, odd: { a: 1 } };
    const { set, remove } = await told({ headers }, testPrincipal({ scopes: ['a', 'b'], claims }));
    assert.deepEqual(set.raw, [
      'X-User-Id',
      'alice',
      'X-User-Scopes',
      'a b',
      'X-User-Client',
      'app',
      'X-User-Roles',
      'x y',
      'X-User-Level',
      '3',
    ]);
    assert.deepEqual(
      remove,
      Object.keys(headers).map((name) => name.toLowerCase()),
    );
  });

  test('attack 23: no value ends its field, and no two values become one', async () => {
    const value = async (subject: string) =>
      (await told({ headers: { 'X-User-Id': 'subject' } }, testPrincipal({ subject }))).set.get('x-user-id');
    assert.equal(await value('a\r\nX-Admin: 1'), 'a%0D%0AX-Admin: 1');
    assert.equal(await value('a%0D%0AX-Admin: 1'), 'a%250D%250AX-Admin: 1');
    assert.equal(await value('Zoë\u{1f600}'), 'Zo%C3%AB%F0%9F%98%80');
    assert.equal(await value('a\0\x7f'), 'a%00%7F');
    assert.equal(await value('  '), undefined);
    assert.equal(await value('a'.repeat(5_000)), undefined);
  });

  test('blanks neither get lost at the ends of a value nor part the item of a list in two', async () => {
    const headers = { 'X-User-Id': 'subject', 'X-User-Roles': 'roles' };
    const spoken = async (subject: string, roles: unknown) => {
      const { set } = await told({ headers }, testPrincipal({ subject, claims: { roles } }));
      return [set.get('x-user-id'), set.get('x-user-roles')];
    };
    assert.deepEqual(await spoken('alice', ['guest', 'admin']), ['alice', 'guest admin']);
    assert.deepEqual(await spoken(' alice ', ['guest admin']), ['%20alice%20', 'guest%20admin']);
    assert.deepEqual(await spoken('alice b', [' ', {}, 'x']), ['alice b', '%20 x']);
    assert.deepEqual(await spoken('alice', [{}]), ['alice', undefined]);
  });

  test('a field carries one thing', () => {
    for (const config of [
      { headers: { 'X-User': 'id', 'x-user': 'subject' } },
      { jwt: { header: 'X-User' }, headers: { 'x-USER': 'id' } },
      { jwt: {}, headers: { 'X-Sallyport-Identity': 'id' } },
    ])
      assert.equal(upstreamIdentityConfig.safeParse(config).success, false, JSON.stringify(config));
    assert.equal(upstreamIdentityConfig.safeParse({ jwt: {}, headers: { 'X-User': 'id' } }).success, true);
  });

  test('a policy that says nothing is none; without a caller it is a fault', () => {
    assert.equal(upstreamIdentityPolicy.compile(upstreamIdentityConfig.parse({}), publicRoute), undefined);
    const hook = compiled({ headers: { 'X-User-Id': 'id' } }, createIdentitySigner());
    assert.throws(() => hook(testExchange()), /without a principal/);
  });

  test('names that frame, route or mean something else are faults', () => {
    for (const name of [
      'Host',
      'content-length',
      'Connection',
      'X-Forwarded-For',
      'Cookie',
      'X_User',
      'X User',
      '',
      'Via',
    ])
      assert.equal(upstreamIdentityConfig.safeParse({ headers: { [name]: 'id' } }).success, false, name);
    assert.equal(upstreamIdentityConfig.safeParse({ jwt: { header: 'Transfer-Encoding' } }).success, false);
    assert.equal(upstreamIdentityConfig.safeParse({ jwt: { ttl: '1h' } }).success, false);
  });

  async function told(config: object, principal: Principal) {
    const signer = createIdentitySigner();
    signer.use(jwk, 'sallyport');
    const exchange = testExchange();
    exchange.principal = principal;
    assert.equal(await compiled(config, signer)(exchange), undefined);
    return exchange.upstreamHeaders;
  }
});

function compiled(config: object, signer: IdentitySigner) {
  const identity = { ...inertServices, signer };
  const hook = upstreamIdentityPolicy.compile(upstreamIdentityConfig.parse(config), {
    ...publicRoute,
    identity,
  })?.request;
  assert.ok(hook !== undefined);
  return hook;
}

function publicPart({ kty, crv, x, y }: JWK): JWK {
  return Object.fromEntries(Object.entries({ kty, crv, x, y }).filter(([, value]) => value !== undefined));
}
