import assert from 'node:assert/strict';
import { before, beforeEach, describe, test } from 'node:test';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { AuditRecord, AuditType } from '../stores/audit.ts';
import { inertServices } from './inert-services.ts';
import { RevocationList } from './revocation-list.ts';
import type { IssuerKeySet, Issuers } from './services.ts';
import { refuseUnverified, refuseVerified, type TokenRules } from './token-rules.ts';
import { readToken, type UnverifiedToken } from './token-syntax.ts';
import { TokenVerifier, type VerifiedToken } from './token-verifier.ts';

const ISSUER = 'https://id.example';
const AUDIENCE = 'https://api.example';
/** Seconds; tokens are of this moment. */
const NOW = Math.floor(Date.now() / 1_000);

describe('what an API asks of tokens', () => {
  let privateKey: CryptoKey;
  let issuers: Issuers;
  let revocations: RevocationList;
  let verifier: TokenVerifier;

  before(async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    privateKey = pair.privateKey;
    const jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1' }] };
    const set: IssuerKeySet = { issuer: ISSUER, jwks, generation: 1 };
    issuers = { ...inertServices.issuers, known: () => set };
  });
  beforeEach(() => {
    revocations = new RevocationList();
    verifier = new TokenVerifier({ issuers, revocations });
  });

  async function token(changed: JWTPayload = {}, header: object = {}): Promise<UnverifiedToken> {
    const claims = { iss: ISSUER, sub: 'alice', aud: AUDIENCE, exp: NOW + 600, iat: NOW, ...changed };
    const text = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'at+jwt', ...header })
      .sign(privateKey);
    const read = readToken(text);
    return typeof read === 'string' ? assert.fail(read) : read;
  }

  async function proved(one: UnverifiedToken): Promise<VerifiedToken> {
    const outcome = await verifier.verify(one);
    return typeof outcome === 'string' ? assert.fail(outcome) : outcome;
  }

  test('before any work: an algorithm or a type that could not pass', async () => {
    const one = await token();
    assert.equal(refuseUnverified(one, rules()), undefined);
    for (const algorithm of ['none', 'HS256', 'es256', 'RS512', ''])
      assert.equal(refuseUnverified({ ...one, algorithm }, rules()), 'algorithm-not-allowed', algorithm);
    for (const type of ['jwt', undefined, 'dpop+jwt', '']) {
      assert.equal(refuseUnverified({ ...one, type }, rules()), 'type-not-allowed', String(type));
      const isPlain = type === 'jwt' || type === undefined;
      const fault = refuseUnverified({ ...one, type }, rules({ acceptPlainJwt: true }));
      assert.equal(fault, isPlain ? undefined : 'type-not-allowed', String(type));
    }
  });

  test('one audience of several is enough, and none is not', async () => {
    const at = async (aud: string | string[]) =>
      refuseVerified(await proved(await token({ aud })), rules(), verifier, NOW);
    assert.equal(await at([AUDIENCE, 'https://other.example']), undefined);
    for (const aud of [[], 'https://other.example', `${AUDIENCE}/`, AUDIENCE.toUpperCase(), ['a', 'b']])
      assert.equal(await at(aud), 'wrong-audience', String(aud));
  });

  test('attack 39: audience, issuer, algorithm and type are asked at each use', async () => {
    const verified = await proved(await token());
    const at = (changed: Partial<TokenRules>) => refuseVerified(verified, rules(changed), verifier, NOW);
    assert.equal(at({}), undefined);
    assert.equal(at({ audiences: new Set(['https://other.example']) }), 'wrong-audience');
    assert.equal(at({ issuer: 'https://other.example' }), 'unknown-issuer');
    assert.equal(at({ algorithms: new Set(['RS256']) }), 'algorithm-not-allowed');
    assert.equal(at({ types: new Set(['secevent+jwt']) }), 'type-not-allowed');
    assert.equal(at({}), undefined);
  });

  test('attack 40: an expired token is expired; one from the future waits, but for the leeway', async () => {
    const verified = await proved(await token({ exp: NOW + 600, nbf: NOW + 60 }));
    const at = (now: number, clockLeeway: number) => refuseVerified(verified, rules({ clockLeeway }), verifier, now);
    assert.equal(at(NOW, 0), 'not-valid-yet');
    assert.equal(at(NOW + 59, 0), 'not-valid-yet');
    assert.equal(at(NOW + 60, 0), undefined);
    assert.equal(at(NOW + 55, 5), undefined);
    assert.equal(at(NOW + 599.9, 5), undefined);
    assert.equal(at(NOW + 600, 5), 'expired', 'leeway never makes a token live longer');
  });

  test('attack 40: what is signed for another purpose is no access token, whatever it is called', async () => {
    const plain = (claims: JWTPayload, typ?: string) => token(claims, { typ });
    const takesPlain = rules({ acceptPlainJwt: true });
    for (const [one, fault] of [
      [await plain({}), undefined],
      [await plain({}, 'JWT'), undefined],
      [await plain({ nonce: 'n' }), 'not-an-access-token'],
      [await plain({ at_hash: 'h' }, 'jwt'), 'not-an-access-token'],
      [await token({ nonce: 'n' }), undefined],
      [await plain({}, 'logout+jwt'), 'type-not-allowed'],
      [await plain({}, 'dpop+jwt'), 'type-not-allowed'],
      [await token({}, { typ: 'application/at+jwt' }), undefined],
    ] as const) {
      assert.equal(refuseVerified(await proved(one), takesPlain, verifier, NOW), fault, String(one.type));
    }
    for (const one of [await plain({}), await plain({}, 'JWT')]) {
      assert.equal(refuseUnverified(one, rules()), 'type-not-allowed');
      assert.equal(refuseVerified(await proved(one), rules(), verifier, NOW), 'type-not-allowed');
    }
    assert.equal(refuseUnverified(await token(), rules()), undefined);
  });

  test('revocations are looked at again only when there are new ones, and only for our own tokens', async () => {
    let looks = 0;
    const counting = {
      get epoch() {
        return revocations.epoch;
      },
      isRevoked(facts: VerifiedToken['facts']) {
        looks += 1;
        return revocations.isRevoked(facts);
      },
    };
    verifier = new TokenVerifier({ issuers, revocations: counting });
    const verified = await proved(await token({ jti: 'mine' }));
    const use = (own: boolean) => refuseVerified(verified, rules({ own }), verifier, NOW);
    for (let at = 0; at < 10; at += 1) assert.equal(use(true), undefined);
    assert.equal(looks, 1);
    revocations.note([record('token.revoked', 'token:other')]);
    for (let at = 0; at < 10; at += 1) assert.equal(use(true), undefined);
    assert.equal(looks, 2);
    revocations.note([record('token.revoked', 'token:mine')]);
    for (let at = 0; at < 3; at += 1) assert.equal(use(true), 'revoked');
    const before = looks;
    assert.equal(use(false), undefined, 'of others nothing is known here');
    assert.equal(looks, before);
  });

  function rules(changed: Partial<TokenRules> = {}): TokenRules {
    return {
      issuer: ISSUER,
      own: false,
      audiences: new Set([AUDIENCE]),
      algorithms: new Set(['ES256', 'RS256']),
      types: new Set(['at+jwt']),
      acceptPlainJwt: false,
      clockLeeway: 0,
      ...changed,
    };
  }
});

function record(type: AuditType, subject: string): AuditRecord {
  return { type, actor: 'system', subject, seq: 1, at: NOW * 1_000, previous: '', hash: '' };
}
