import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { createLocalJWKSet, decodeProtectedHeader, exportJWK, generateKeyPair, type JWK, jwtVerify } from 'jose';
import { StoreUnavailable } from '../stores/stores.ts';
import { createIdentitySigner } from './identity-signer.ts';

describe('the signer of identities', () => {
  let first: { readonly jwk: JWK; readonly published: JWK };
  let second: typeof first;

  before(async () => {
    [first, second] = await Promise.all([newKey('ES256', 'k1'), newKey('RS256', 'k2')]);
  });

  test('signs a short-lived JWT for one audience, which any verifier of JWTs takes', async () => {
    const signer = createIdentitySigner();
    signer.use(first.jwk, 'sallyport');
    const asked = Math.floor(Date.now() / 1_000);
    const text = await signer.sign({ sub: 'alice', scope: 'a b' }, { audience: 'widgets', ttlSeconds: 60 });
    const keys = createLocalJWKSet({ keys: [first.published] });
    const { payload } = await jwtVerify(text, keys, { issuer: 'sallyport', audience: 'widgets', typ: 'JWT' });
    const { iat = 0, exp, jti, ...rest } = payload;
    assert.deepEqual(rest, { sub: 'alice', scope: 'a b', iss: 'sallyport', aud: 'widgets' });
    assert.equal(exp, iat + 60);
    assert.ok(iat >= asked && iat <= Date.now() / 1_000);
    assert.deepEqual(decodeProtectedHeader(text), { alg: 'ES256', kid: 'k1', typ: 'JWT' });
    const other = await signer.sign({ sub: 'alice' }, { audience: 'widgets', ttlSeconds: 60 });
    assert.notEqual((await jwtVerify(other, keys)).payload.jti, jti);
  });

  test('claims of a caller never say who signed, for whom or for how long', async () => {
    const signer = createIdentitySigner();
    signer.use(first.jwk, 'sallyport');
    const claims = { iss: 'evil', aud: 'other', iat: 1, exp: 9_999_999_999, jti: 'fixed', sub: 'alice' };
    const text = await signer.sign(claims, { audience: 'widgets', ttlSeconds: 60 });
    const { payload } = await jwtVerify(text, createLocalJWKSet({ keys: [first.published] }));
    assert.deepEqual([payload.iss, payload.aud], ['sallyport', 'widgets']);
    assert.ok(payload.exp !== 9_999_999_999 && payload.iat !== 1 && payload.jti !== 'fixed');
  });

  test('a key that follows signs from then on; what was begun before is signed with the one before', async () => {
    const signer = createIdentitySigner();
    signer.use(first.jwk, 'sallyport');
    const begun = signer.sign({}, { audience: 'a', ttlSeconds: 60 });
    signer.use(second.jwk, 'sallyport');
    const after = signer.sign({}, { audience: 'a', ttlSeconds: 60 });
    assert.equal(decodeProtectedHeader(await begun).kid, 'k1');
    assert.deepEqual(decodeProtectedHeader(await after), { alg: 'RS256', kid: 'k2', typ: 'JWT' });
    await jwtVerify(await begun, createLocalJWKSet({ keys: [first.published, second.published] }));
  });

  test('before a key has arrived nothing is signed', async () => {
    await assert.rejects(createIdentitySigner().sign({}, { audience: 'a', ttlSeconds: 60 }), StoreUnavailable);
  });

  test('a key that cannot be told by verifiers is refused, and the one before stays', async () => {
    const signer = createIdentitySigner();
    signer.use(first.jwk, 'sallyport');
    for (const name of ['kid', 'alg'] as const) {
      const { [name]: _, ...without } = first.jwk;
      assert.throws(() => signer.use(without, 'sallyport'), TypeError);
    }
    assert.equal(decodeProtectedHeader(await signer.sign({}, { audience: 'a', ttlSeconds: 60 })).kid, 'k1');
  });

  test('a key that is none fails who signs with it, and nothing else', async () => {
    const signer = createIdentitySigner();
    signer.use({ kty: 'EC', crv: 'P-256', kid: 'bad', alg: 'ES256' }, 'sallyport');
    await assert.rejects(signer.sign({}, { audience: 'a', ttlSeconds: 60 }));
    signer.use(first.jwk, 'sallyport');
    await signer.sign({}, { audience: 'a', ttlSeconds: 60 });
  });
});

async function newKey(alg: string, kid: string) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const [jwk, published] = await Promise.all([exportJWK(privateKey), exportJWK(publicKey)]);
  return { jwk: { ...jwk, kid, alg }, published: { ...published, kid, alg } };
}
