import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Problem } from '../../errors/problem.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { testExchange } from '../test-exchange.ts';
import { seconds, testSigner } from './test-issuer.ts';
import { ask, assertRefused, compiled, es, known, refused } from './test-oauth.ts';

describe('oauth: proof of possession', () => {
  const HOLDER = async () => testSigner('ES256', 'holder');

  async function proven(headers: readonly string[], config: object = {}, services = known()) {
    return (await ask(services, headers, config)).outcome;
  }

  test('attack 41: a DPoP-bound token counts with its proof alone, and each proof once', async () => {
    const holder = await HOLDER();
    const thief = await testSigner('ES256', 'thief');
    const token = await es.token({ cnf: { jkt: holder.thumbprint } });
    const other = await es.token({ cnf: { jkt: holder.thumbprint }, jti: 'jti-2' });
    const services = known();
    const dpop = (proof: string) => proven(['Authorization', `DPoP ${token}`, 'DPoP', proof], {}, services);

    const proof = await holder.proof(token);
    assert.ok(!((await dpop(proof)) instanceof Problem));
    assertRefused(await dpop(proof), 'proof-replayed');
    assertRefused(await proven(['Authorization', `Bearer ${token}`]), 'bound-to-a-key');
    assertRefused(
      await proven(['Authorization', `Bearer ${token}`, 'DPoP', await holder.proof(token)]),
      'bound-to-a-key',
    );
    assertRefused(await proven(['Authorization', `DPoP ${token}`]), 'no-proof');
    const several = ['DPoP', await holder.proof(token), 'DPoP', await holder.proof(token)];
    assertRefused(await proven(['Authorization', `DPoP ${token}`, ...several]), 'several-proofs');
    assertRefused(await dpop(await thief.proof(token)), 'proof-of-another-key');
    assertRefused(await dpop(await thief.proof(token, {}, { jwk: holder.jwk })), 'bad-proof-signature');
    assertRefused(await dpop(await holder.proof(other)), 'proof-of-another-token');
    assertRefused(await dpop(await holder.proof(token, { htm: 'POST' })), 'proof-of-another-request');
    assertRefused(
      await dpop(await holder.proof(token, { htu: 'https://api.example.com/other' })),
      'proof-of-another-request',
    );
    assertRefused(await dpop(await holder.proof(token, { iat: seconds() - 120 })), 'proof-out-of-time');
    assertRefused(await dpop(await holder.proof(token, { iat: seconds() + 60 })), 'proof-out-of-time');
    assertRefused(await dpop(await holder.proof(token, {}, { typ: 'JWT' })), 'malformed-proof');
    assertRefused(await dpop(await holder.proof(token, {}, { jwk: { ...holder.jwk, d: 'AA' } })), 'malformed-proof');
    assertRefused(await dpop(await holder.proof(token, { jti: 'x'.repeat(300) })), 'malformed-proof');
    assertRefused(await dpop('a.b.c'), 'malformed-proof');
  });

  test('a proof of a query, of the default port and of another spelling of the place counts', async () => {
    const holder = await HOLDER();
    const token = await es.token({ cnf: { jkt: holder.thumbprint } });
    for (const htu of ['https://api.example.com/?a=1#b', 'HTTPS://API.example.com:443/', 'https://api.example.com']) {
      const outcome = await proven(['Authorization', `DPoP ${token}`, 'DPoP', await holder.proof(token, { htu })]);
      assert.ok(!(outcome instanceof Problem), `${htu}: ${outcome instanceof Problem ? outcome.internal : ''}`);
    }
  });

  test('a token that is bound to nothing does not become bound by a proof', async () => {
    const holder = await HOLDER();
    const token = await es.token();
    assertRefused(
      await proven(['Authorization', `DPoP ${token}`, 'DPoP', await holder.proof(token)]),
      'not-bound-to-a-key',
    );
  });

  test('where a replay cannot be ruled out nobody gets in', async () => {
    const holder = await HOLDER();
    const token = await es.token({ cnf: { jkt: holder.thumbprint } });
    const services = known();
    services.replay.once = () => services.issuers.refresh('unknown') as unknown as boolean; // rejects as a store that is down
    const outcome = await proven(['Authorization', `DPoP ${token}`, 'DPoP', await holder.proof(token)], {}, services);
    assert.equal(outcome instanceof Problem && outcome.code, 'identity-unavailable');
  });

  test('attack 41: a certificate-bound token counts over a connection with that certificate alone', async () => {
    const fingerprint256 = `AB:${'CD:'.repeat(30)}EF`;
    const bound = Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
    const token = await es.token({ cnf: { 'x5t#S256': bound } });
    const tls = (fingerprint: string) => ({
      protocol: 'TLSv1.3',
      cipher: 'TLS_AES_128_GCM_SHA256',
      servername: undefined,
      clientCertificate: { fingerprint256: fingerprint, subject: 'CN=a', verified: false, raw: new Uint8Array() },
    });
    const headers = new HeaderList(['Authorization', `Bearer ${token}`]);
    const method = compiled(known(), { senderConstrained: 'require' });
    const good = await method.authenticate(testExchange({ headers, tls: tls(fingerprint256) }));
    assert.ok(good !== undefined && !(good instanceof Problem));
    assertRefused(
      await method.authenticate(testExchange({ headers, tls: tls(`00${fingerprint256.slice(2)}`) })),
      'bound-to-a-certificate',
    );
    assertRefused(await method.authenticate(testExchange({ headers })), 'bound-to-a-certificate');
  });

  test('a binding that cannot be checked is none to pass over', async () => {
    for (const cnf of [{}, { kid: 'a' }, { jwk: {} }, { jkt: 7 }, { jkt: '' }, 'x', { jkt: 'a', other: 1 }, null])
      await refused(await es.token({ cnf }), 'unknown-binding');
  });
});
