import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { keyRing } from './key-ring.ts';
import { fits, publicPart, tokenAlgorithms } from './token-keys.ts';

describe('the keys of a set', () => {
  let rsa: JWK;
  let ec: JWK;
  let ed: JWK;

  before(async () => {
    const made = ['RS256', 'ES256', 'Ed25519'].map((algorithm) => generateKeyPair(algorithm, { extractable: true }));
    const [one, two, three] = await Promise.all(made);
    [rsa, ec, ed] = (await Promise.all(
      [one, two, three].map((pair) => exportJWK(pair?.publicKey ?? assert.fail())),
    )) as [
      JWK, // of three come three
      JWK,
      JWK,
    ];
  });

  test('attack 35: which algorithms a key proves is decided by its kind and its own word', () => {
    const provenBy = (jwk: JWK) =>
      [...tokenAlgorithms, 'HS256', 'none', ''].filter((algorithm) => fits(jwk, algorithm));
    assert.deepEqual(provenBy(rsa), ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512']);
    assert.deepEqual(provenBy({ ...rsa, alg: 'RS256' }), ['RS256']);
    assert.deepEqual(provenBy({ ...rsa, alg: 'HS256' }), []);
    assert.deepEqual(provenBy(ec), ['ES256']);
    assert.deepEqual(provenBy({ ...ec, crv: 'P-384' }), ['ES384']);
    assert.deepEqual(provenBy({ ...ec, crv: 'P-521' }), ['ES512']);
    assert.deepEqual(provenBy({ ...ec, crv: 'secp256k1' }), []);
    assert.deepEqual(provenBy({ ...ec, alg: 'ES384' }), []);
    // RFC 9864 names Ed25519 what RFC 8037 called EdDSA: a key may be marked with either.
    for (const alg of [undefined, 'EdDSA', 'Ed25519'])
      assert.deepEqual(provenBy({ ...ed, ...(alg === undefined ? {} : { alg }) }), ['EdDSA', 'Ed25519']);
    assert.deepEqual(provenBy({ ...ed, alg: 'ES256' }), []);
    assert.deepEqual(provenBy({ kty: 'oct', k: 'c2VjcmV0' }), []);
    assert.deepEqual(provenBy({ kty: 'OKP', crv: 'X25519', x: 'AA' }), []);
  });

  test('a key id is looked up as it is written; without one every fitting key may be meant', () => {
    const ring = keyRing({ keys: [{ ...rsa, kid: 'r' }, { ...ec, kid: 'e' }, ed] });
    assert.equal(ring.fitting('r', 'RS256').length, 1);
    assert.equal(ring.fitting('e', 'ES256').length, 1);
    assert.equal(ring.fitting('r', 'ES256').length, 0, 'of another kind');
    assert.equal(ring.fitting(undefined, 'EdDSA').length, 1);
    for (const kid of ['R', 'x', '', '../../dev/null', "r' OR '1'='1", '__proto__', 'constructor'])
      assert.equal(ring.fitting(kid, 'RS256').length, 0, kid);
    for (const algorithm of ['HS256', 'none', '', 'rs256', 'toString'])
      assert.equal(ring.fitting(undefined, algorithm).length, 0, algorithm);
    assert.equal(ring.fitting('r', 'RS256')[0], ring.fitting(undefined, 'RS256')[0], 'made ready once');
  });

  test('keys for another purpose, secrets and what is no key prove nothing', () => {
    const ring = keyRing({
      keys: [
        { ...ec, use: 'enc' },
        { ...ec, key_ops: ['deriveBits'] },
        { ...ec, x: 'AA' },
        { kty: 'oct', k: 'c2VjcmV0', alg: 'ES256' },
        {},
      ] as JWK[], // a set may hold anything
    });
    assert.deepEqual(ring.fitting(undefined, 'ES256'), []);
    const verifying = keyRing({ keys: [{ ...ec, use: 'sig', key_ops: ['verify'] }] });
    assert.equal(verifying.fitting(undefined, 'ES256').length, 1);
  });

  test('a token without a key id is held against four keys at most', () => {
    const ring = keyRing({ keys: Array.from({ length: 50 }, () => ec) });
    assert.equal(ring.fitting(undefined, 'ES256').length, 4);
    assert.equal(keyRing({ keys: [] }).fitting(undefined, 'ES256').length, 0);
  });

  test('of a JWK only the public members are imported', () => {
    const odd = { ...ec, d: 'secret', k: 'secret', kid: 'e', use: 'enc', ext: true, key_ops: ['sign'], oth: [] };
    assert.deepEqual(publicPart(odd), ec);
  });
});
