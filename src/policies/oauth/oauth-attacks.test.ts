import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { exportSPKI, importJWK } from 'jose';
import { Problem } from '../../errors/problem.ts';
import { AUDIENCE, ISSUER, seconds, TestServices, testSigner } from './test-issuer.ts';
import { accepted, ask, es, known, part, refused, rs } from './test-oauth.ts';

describe('oauth under attack', () => {
  test('attack 35: alg none, and HS256 with the public key as secret', async () => {
    const none = `${part({ alg: 'none', typ: 'at+jwt' })}.${(await es.token()).split('.')[1]}.`;
    await refused(none, 'algorithm-not-allowed');
    const pem = await exportSPKI(
      (await importJWK({ ...rs.jwk, alg: 'RS256' }, 'RS256', { extractable: true })) as CryptoKey,
    ); // no secret
    const input = `${part({ alg: 'HS256', typ: 'at+jwt', kid: rs.jwk.kid })}.${(await rs.token()).split('.')[1]}`;
    await refused(`${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`, 'algorithm-not-allowed');
  });

  test('attack 35: a key proves only algorithms of its kind, whatever the token says', async () => {
    await refused(await es.token({}, { kid: rs.jwk.kid }), 'no-such-key');
    const services = new TestServices();
    services.know([
      { kty: 'oct', k: 'c2VjcmV0', kid: 'ES256-1' },
      { ...es.jwk, use: 'enc' },
    ]);
    await refused(await es.token(), 'no-such-key', {}, services);
    services.know([{ ...rs.jwk, alg: 'PS256' }], 2);
    await refused(await rs.token(), 'no-such-key', {}, services);
  });

  test('attack 36: kid is only compared; jku, x5u, x5c and an embedded jwk are ignored', async () => {
    for (const kid of ['../../etc/passwd', "' OR 1=1 --", 'http://evil.example/jwks', ''])
      await refused(await es.token({}, { kid }), 'no-such-key');
    const evil = await testSigner('ES256', 'evil');
    for (const header of [{ jwk: evil.jwk }, { jku: 'http://127.0.0.1:1/' }, { x5u: 'http://127.0.0.1:1/' }])
      await refused(await evil.token({}, { ...header, kid: undefined }), 'bad-signature');
  });

  test('attack 37: a flood of unknown key ids asks once', async () => {
    const services = known();
    for (let at = 0; at < 50; at += 1)
      await refused(await es.token({}, { kid: `k${at}` }), 'no-such-key', {}, services);
    assert.equal(services.refreshes, 1);
  });

  test('a key that is not known may be new: it is asked for, and the token is taken', async () => {
    const services = new TestServices();
    services.know([rs.jwk]);
    services.coming.set(ISSUER, { issuer: ISSUER, jwks: { keys: [es.jwk] }, generation: 2 });
    await accepted(await es.token(), {}, services);
  });

  test('keys that were never had are 503, never an open door', async () => {
    const { outcome } = await ask(new TestServices(), ['Authorization', `Bearer ${await es.token()}`], {});
    assert.ok(outcome instanceof Problem);
    assert.equal(outcome.code, 'identity-unavailable');
  });

  test('attack 38: JWEs and huge tokens are refused without work', async () => {
    const header = part({ alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', p2c: 2_000_000_000, zip: 'DEF' });
    await refused(`${header}.AA.AA.AA.AA`, 'encrypted');
    await refused('a'.repeat(2 ** 20), 'malformed');
    await refused(`${await es.token()}!`, 'malformed');
  });

  test('attack 39: a token proved once is held against each place’s own rules', async () => {
    const services = known();
    services.know([es.jwk], 1, 'https://other.example');
    const token = await es.token();
    await accepted(token, {}, services);
    await refused(token, 'wrong-audience', { audience: 'https://other.example/api' }, services);
    await refused(token, 'algorithm-not-allowed', { algorithms: ['RS256'] }, services);
    await refused(token, 'type-not-allowed', { types: ['other+jwt'] }, services);
    await refused(token, 'not-bound', { senderConstrained: 'require' }, services);
    const { outcome } = await ask(services, ['Authorization', `Bearer ${token}`], { issuer: 'https://other.example' });
    assert.equal(outcome, undefined);
  });

  test('attack 39: what was proved under keys that are gone is proved again', async () => {
    const services = known();
    const token = await es.token();
    await accepted(token, {}, services);
    services.know([rs.jwk], 2);
    await refused(token, 'no-such-key', {}, services);
  });

  test('attack 40: wrong issuer, audience or time', async () => {
    const now = seconds();
    await refused(await es.token({ aud: 'https://evil.example' }), 'wrong-audience');
    await refused(await es.token({ aud: undefined }), 'bad-claims');
    await refused(await es.token({ aud: [AUDIENCE, 7] }), 'bad-claims');
    await refused(await es.token({ exp: now - 1 }), 'expired');
    await refused(await es.token({ exp: undefined }), 'bad-claims');
    await refused(await es.token({ exp: `${now + 60}` }), 'bad-claims');
    await refused(await es.token({ nbf: now + 60 }), 'not-valid-yet');
    await refused(await es.token({ iat: now + 60 }), 'not-valid-yet');
    await accepted(await es.token({ nbf: now + 10, iat: now + 10 }));
    await refused(await es.token({ nbf: now + 10 }), 'not-valid-yet', { clockLeeway: '0s' });
    await refused(await es.token({ exp: now - 1 }), 'expired', { clockLeeway: '5m' });
    const { outcome } = await ask(known(), ['Authorization', `Bearer ${await es.token({ iss: `${ISSUER}/` })}`], {});
    assert.equal(outcome, undefined, 'another issuer’s token is left to another alternative');
  });

  test('attack 40: only access tokens count, whatever else the issuer signed', async () => {
    for (const typ of [undefined, 'JWT', 'logout+jwt', 'dpop+jwt', 'id+jwt'])
      await refused(await es.token({}, { typ }), 'type-not-allowed');
    await accepted(await es.token({}, { typ: 'application/at+JWT' }));
    const plain = { acceptPlainJwt: true };
    for (const typ of [undefined, 'JWT']) await accepted(await es.token({}, { typ }), plain);
    await accepted(await es.token({ typ: 'Bearer' }, { typ: 'JWT' }), plain);
    for (const mark of [{ nonce: 'n' }, { at_hash: 'h' }, { events: {} }, { typ: 'Refresh' }, { token_use: 'id' }])
      await refused(await es.token(mark, { typ: 'JWT' }), 'not-an-access-token', plain);
  });

  test('critical extensions and unencoded payloads are refused', async () => {
    const payload = (await es.token()).split('.')[1];
    await refused(`${part({ alg: 'ES256', typ: 'at+jwt', crit: ['exp'] })}.${payload}.AA`, 'critical-extension');
    await refused(`${part({ alg: 'ES256', typ: 'at+jwt', b64: false })}.${payload}.AA`, 'critical-extension');
  });

  test('a changed payload or signature is refused', async () => {
    const [header, , signature] = (await es.token()).split('.');
    await refused(
      `${header}.${part({ iss: ISSUER, aud: AUDIENCE, sub: 'root', exp: 9e9 })}.${signature}`,
      'bad-signature',
    );
    await refused(`${(await es.token()).split('.').slice(0, 2).join('.')}.`, 'bad-signature');
  });
});
