import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompactSign, exportJWK, generateKeyPair, type JWK } from 'jose';
import { tokenAlgorithms } from './token-keys.ts';
import { isSignedBy, verifyingKey } from './token-signature.ts';

for (const algorithm of tokenAlgorithms) {
  test(`${algorithm}: what jose signs is good here, and nothing else is`, async () => {
    const { jwk, sign } = await signer(algorithm);
    const other = await signer(algorithm);
    const key = verifyingKey(jwk);
    assert.ok(key !== undefined);
    const token = await sign('{"sub":"alice"}');
    assert.equal(isSignedBy(token, key, algorithm), true);
    assert.equal(isSignedBy(await other.sign('{"sub":"alice"}'), key, algorithm), false);
    const [head = '', payload = '', signature = ''] = token.split('.');
    const elsewhere = Buffer.from('{"sub":"mallory"}').toString('base64url');
    assert.equal(isSignedBy(`${head}.${elsewhere}.${signature}`, key, algorithm), false);
    assert.equal(isSignedBy(`${head}.${payload}.`, key, algorithm), false);
    assert.equal(isSignedBy(`${head}.${payload}.${signature.slice(0, -8)}`, key, algorithm), false);
    assert.equal(isSignedBy(`${head}.${payload}.${signature}AAAA`, key, algorithm), false);
  });
}

test('a signature counts under the algorithm it was made with alone', async () => {
  const { jwk, sign } = await signer('RS256');
  const key = verifyingKey(jwk);
  assert.ok(key !== undefined);
  const token = await sign('{}');
  for (const algorithm of ['RS384', 'PS256', 'ES256', 'HS256', 'none', '']) {
    assert.equal(isSignedBy(token, key, algorithm), false, algorithm);
  }
});

test('a signature of ECDSA in DER is not one of JWS', async () => {
  const { createSign, generateKeyPairSync } = await import('node:crypto');
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = verifyingKey(publicKey.export({ format: 'jwk' }));
  assert.ok(key !== undefined);
  const input = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${Buffer.from('{}').toString('base64url')}`;
  const der = createSign('sha256').update(input).sign(privateKey).toString('base64url');
  assert.equal(isSignedBy(`${input}.${der}`, key, 'ES256'), false);
});

test('keys that prove nothing are none', async () => {
  const { generateKeyPairSync } = await import('node:crypto');
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
  assert.equal(verifyingKey(weak), undefined);
  assert.equal(verifyingKey({ kty: 'oct', k: 'c2VjcmV0' }), undefined);
  assert.equal(verifyingKey({ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }), undefined);
});

async function signer(algorithm: string): Promise<{ readonly jwk: JWK; sign(payload: string): Promise<string> }> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return {
    jwk: await exportJWK(publicKey),
    sign: (payload) =>
      new CompactSign(new TextEncoder().encode(payload)).setProtectedHeader({ alg: algorithm }).sign(privateKey),
  };
}
