import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Problem } from '../../errors/problem.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { testExchange } from '../test-exchange.ts';
import { oauthConfig } from './config.ts';
import { AUDIENCE, ISSUER, seconds, TestServices, testSigner } from './test-issuer.ts';
import { accepted, ask, assertRefused, compiled, es, known, refused, rs } from './test-oauth.ts';

describe('oauth', () => {
  test('a good token names its caller, and does not reach the upstream', async () => {
    const { principal, exchange } = await accepted(await es.token());
    const { claims, ...facts } = principal;
    assert.deepEqual(facts, {
      id: `${ISSUER}|alice`,
      kind: 'user',
      method: 'oauth',
      issuer: ISSUER,
      subject: 'alice',
      clientId: 'app',
      consumer: undefined,
      credentialId: 'jti-1',
      scopes: ['widgets:read', 'widgets:write'],
    });
    assert.equal(claims['aud'], AUDIENCE);
    assert.deepEqual(exchange.upstreamHeaders.remove, ['authorization', 'dpop']);
  });

  test('passToken leaves the token to the upstream', async () => {
    const { exchange } = await accepted(await es.token(), { passToken: true });
    assert.deepEqual(exchange.upstreamHeaders.remove, []);
  });

  test('a token nobody looked at is not passed on, passToken or not', () => {
    const method = compiled(known(), { passToken: true });
    const exchange = testExchange();
    method.conceal?.(exchange);
    assert.deepEqual(exchange.upstreamHeaders.remove, ['authorization', 'dpop']);
  });

  test('other algorithms count: RS256, and what the file allows', async () => {
    await accepted(await rs.token());
    const ed = await testSigner('Ed25519');
    const services = new TestServices();
    services.know([ed.jwk]);
    await accepted(await ed.token({}, { alg: 'EdDSA' }), {}, services);
    await refused(await ed.token({}, { alg: 'EdDSA' }), 'algorithm-not-allowed', { algorithms: ['ES256'] }, services);
  });

  test('a client acting for itself is a client', async () => {
    assert.equal((await accepted(await es.token({ sub: 'app' }))).principal.kind, 'client');
    assert.equal((await accepted(await es.token({ sub: undefined }))).principal.subject, 'app');
    assert.equal((await accepted(await es.token({ sub: 'app@clients', azp: 'app' }))).principal.kind, 'client');
  });

  test('scopes come as text, as a list or under scp; of another shape they grant nothing', async () => {
    const scopes = async (claims: Record<string, unknown>) => (await accepted(await es.token(claims))).principal.scopes;
    assert.deepEqual(await scopes({ scope: ['a', 'b'] }), ['a', 'b']);
    assert.deepEqual(await scopes({ scope: undefined, scp: 'a  b' }), ['a', 'b']);
    assert.deepEqual(await scopes({ scope: undefined }), []);
    for (const scope of [7, { a: true }, ['a', 1], null])
      assert.deepEqual(await scopes({ scope, scp: undefined }), [], JSON.stringify(scope));
  });

  test('no credential, or one of another scheme, is nobody', async () => {
    for (const headers of [[], ['Authorization', 'Basic YTpi'], ['Authorization', 'Bearer']]) {
      const { outcome } = await ask(known(), headers, {});
      assert.equal(outcome, undefined, String(headers));
    }
  });

  test('a revoked token of the embedded server is refused from then on; nothing else is looked up twice', async () => {
    const services = known();
    const token = await es.token();
    const own = { ownIssuer: ISSUER };
    const outcome = async () =>
      (await ask(services, ['Authorization', `Bearer ${token}`], { issuer: undefined }, own)).outcome;
    assert.ok(!((await outcome()) instanceof Problem));
    await outcome();
    assert.equal(services.revocations.looked, 1);
    services.revocations.revoked.add('jti-1');
    services.revocations.epoch += 1;
    assertRefused(await outcome(), 'revoked');
    assertRefused(await outcome(), 'revoked');
  });

  test('a token that was proved before is answered without a promise', async () => {
    const services = known();
    const token = await es.token();
    await accepted(token, {}, services);
    const exchange = testExchange({ headers: new HeaderList(['Authorization', `Bearer ${token}`]) });
    assert.ok(!(compiled(services, {}).authenticate(exchange) instanceof Promise));
  });

  test('challenges name the schemes and the metadata; an error only where there was a token', async () => {
    const method = compiled(known(), {});
    const metadata = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/v1"';
    assert.equal(
      method.challenge(testExchange()),
      `Bearer ${metadata}, DPoP ${metadata}, algs="ES256 RS256 PS256 EdDSA"`,
    );
    const problem = await refused(await es.token({ exp: seconds() - 1 }), 'expired');
    assert.deepEqual(problem.headers, [
      'WWW-Authenticate',
      `Bearer error="invalid_token", error_description="the access token has expired", ${metadata}`,
    ]);
    const bound = await refused(await es.token({ cnf: { jkt: 'a' } }), 'bound-to-a-key');
    assert.match(bound.headers[1] ?? '', /^DPoP error="invalid_token".*algs="ES256/);
  });

  test('an alternative without an issuer needs the embedded server', () => {
    assert.throws(() => compiled(known(), { issuer: undefined }), /without an issuer/);
  });

  test('options that could not be meant are faults', () => {
    for (const config of [
      {},
      { audience: [] },
      { audience: 'a', algorithms: ['HS256'] },
      { audience: 'a', algorithms: ['none'] },
      { audience: 'a', issuer: 'http://id.example' },
      { audience: 'a', issuer: 'https://user:pw@id.example' },
      { audience: 'a', clockLeeway: '1h' },
      { audience: 'a', nobodyKnows: 1 },
    ])
      assert.equal(oauthConfig.safeParse(config).success, false, JSON.stringify(config));
  });
});
