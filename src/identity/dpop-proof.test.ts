import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { allocateCounters, openCounters } from '../stores/open-counters.ts';
import { StoreUnavailable } from '../stores/stores.ts';
import { type ProofRules, type ProvenRequest, refuseProof } from './dpop-proof.ts';
import type { ReplayGuard } from './services.ts';

const NOW = 1_800_000_000;
const TOKEN = 'the.access.token';
const RULES: ProofRules = { algorithms: new Set(['ES256', 'RS256', 'EdDSA']), lifetime: 60, clockLeeway: 5 };

describe('DPoP proofs', () => {
  let client: Client;
  let thief: Client;
  const once: ReplayGuard = { once: () => true };

  before(async () => {
    [client, thief] = await Promise.all([newClient('ES256'), newClient('ES256')]);
  });

  const request = (changed: Partial<ProvenRequest> = {}): ProvenRequest => ({
    method: 'GET',
    scheme: 'https',
    authority: 'api.example',
    path: '/v1/widgets',
    accessToken: TOKEN,
    jkt: client.jkt,
    ...changed,
  });

  const refuse = (fields: readonly string[], replay: ReplayGuard = once, now = NOW, rules = RULES) =>
    refuseProof(fields, request(), rules, replay, now);

  test('a proof of this key for this request and this token is good, by every kind of key', async () => {
    for (const algorithm of ['ES256', 'RS256', 'EdDSA']) {
      const holder = await newClient(algorithm);
      const fault = await refuseProof([await proof(holder)], request({ jkt: holder.jkt }), RULES, once, NOW);
      assert.equal(fault, undefined, algorithm);
    }
    assert.equal(await refuse([await proof(client, { htu: 'https://API.example:443/v1/%77idgets?a=b' })]), undefined);
    assert.equal(await refuse([await proof(client, {}, { typ: 'application/DPoP+JWT', kid: 'ignored' })]), undefined);
  });

  test('attack 41: no proof, or more than one, is none', async () => {
    assert.equal(await refuse([]), 'no-proof');
    assert.equal(await refuse([await proof(client), await proof(client)]), 'several-proofs');
  });

  test('attack 41: what is no proof in form is refused before any key is touched', async () => {
    const { privateJwk } = client;
    for (const [what, text] of [
      ['nothing', ''],
      ['no JWS', 'abc'],
      ['two parts', 'a.b'],
      ['no signature', (await proof(client)).replace(/[^.]*$/, '')],
      ['too long', await proof(client, { pad: 'x'.repeat(9_000) })],
      ['no JSON', 'YQ.YQ.YQ'],
      ['no type', await proof(client, {}, { typ: undefined })],
      ['type of a token', await proof(client, {}, { typ: 'at+jwt' })],
      ['no key', await proof(client, {}, { jwk: undefined })],
      ['a private key', await proof(client, {}, { jwk: privateJwk })],
      ['a secret', await proof(client, {}, { jwk: { kty: 'oct', k: 'c2VjcmV0' } })],
      ['an odd key', await proof(client, {}, { jwk: [client.jwk] })],
      ['b64', await proof(client, {}, { b64: true })],
      ['no jti', await proof(client, { jti: undefined })],
      ['empty jti', await proof(client, { jti: '' })],
      ['long jti', await proof(client, { jti: 'x'.repeat(257) })],
      ['no htm', await proof(client, { htm: undefined })],
      ['odd htm', await proof(client, { htm: ['GET'] })],
      ['no htu', await proof(client, { htu: undefined })],
      ['no ath', await proof(client, { ath: undefined })],
      ['no iat', await proof(client, { iat: undefined })],
      ['odd iat', await proof(client, { iat: `${NOW}` })],
    ] as const)
      assert.equal(await refuse([text]), 'malformed-proof', what);
    // jose would not sign what it does not understand.
    const [head = '', ...rest] = (await proof(client)).split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString());
    const critical = Buffer.from(JSON.stringify({ ...header, crit: ['exp'] })).toString('base64url');
    assert.equal(await refuse([[critical, ...rest].join('.')]), 'malformed-proof', 'critical');
  });

  test('attack 41: algorithms that are not allowed, or do not fit the key', async () => {
    const rsa = await newClient('PS256');
    assert.equal(await refuse([await proof(rsa)]), 'proof-algorithm-not-allowed');
    assert.equal(await refuse([await proof(client, {}, { jwk: rsa.jwk })]), 'proof-algorithm-not-allowed');
    for (const alg of ['none', 'HS256', 'RS256'])
      assert.equal(await refuse([await forged(alg)]), 'proof-algorithm-not-allowed', alg);
  });

  test('attack 41: a proof for another method, place or token', async () => {
    const other = 'proof-of-another-request';
    for (const htm of ['POST', 'get', 'GET ']) assert.equal(await refuse([await proof(client, { htm })]), other, htm);
    for (const htu of [
      'https://api.example/v1/others',
      'http://api.example/v1/widgets',
      'https://evil.example/v1/widgets',
      '',
    ])
      assert.equal(await refuse([await proof(client, { htu })]), other, htu);
    for (const ath of [hashed('another.access.token'), TOKEN, ''])
      assert.equal(await refuse([await proof(client, { ath })]), 'proof-of-another-token', ath);
  });

  test('attack 41: a proof of another key, and one with a key but without its signature', async () => {
    assert.equal(await refuse([await proof(thief)]), 'proof-of-another-key');
    assert.equal(await refuse([await proof(thief, {}, { jwk: client.jwk })]), 'bad-proof-signature');
    const [head, claims, signature = ''] = (await proof(client)).split('.');
    const flipped = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
    assert.equal(await refuse([`${head}.${claims}.${flipped}`]), 'bad-proof-signature');
    assert.equal(await refuse([await proof(client, {}, { jwk: { ...client.jwk, x: 'AA' } })]), 'proof-of-another-key');
  });

  test('an RSA key too short to prove anything is refused although it signed', async () => {
    const { createSign, generateKeyPairSync } = await import('node:crypto');
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const jwk = publicKey.export({ format: 'jwk' });
    const header = encoded({ typ: 'dpop+jwt', alg: 'RS256', jwk });
    const input = `${header}.${encoded(claims())}`;
    const text = `${input}.${createSign('sha256').update(input).sign(privateKey).toString('base64url')}`;
    const jkt = await calculateJwkThumbprint(jwk as JWK); // Node's type of a JWK is looser
    assert.equal(await refuseProof([text], request({ jkt }), RULES, once, NOW), 'bad-proof-signature');
  });

  test('a proof counts from its iat, but for the leeway, to the end of its lifetime', async () => {
    const text = await proof(client);
    for (const [now, fault] of [
      [NOW - 6, 'proof-out-of-time'],
      [NOW - 5, undefined],
      [NOW + 60, undefined],
      [NOW + 60.5, 'proof-out-of-time'],
      [NOW + 3_600, 'proof-out-of-time'],
    ] as const)
      assert.equal(await refuse([text], once, now), fault, String(now));
  });

  test('attack 41: a proof counts once over all who share the counters', async () => {
    const memory = allocateCounters(64 * 1_024);
    const [one, other] = [
      await openCounters({ driver: 'memory', memory }),
      await openCounters({ driver: 'memory', memory }),
    ];
    const text = await proof(client);
    assert.equal(await refuse([text], one), undefined);
    assert.equal(await refuse([text], other), 'proof-replayed');
    assert.equal(await refuse([text], one), 'proof-replayed');
    const sameId = await proof(client, { jti: 'fixed' });
    assert.equal(await refuse([sameId], other), undefined);
    assert.equal(await refuse([await proof(client, { jti: 'fixed', iat: NOW - 1 })], one), 'proof-replayed');
    // The same id of another client is another proof.
    const theirs = await proof(thief, { jti: 'fixed' });
    assert.equal(await refuseProof([theirs], request({ jkt: thief.jkt }), RULES, one, NOW), undefined);
    const many = await Promise.all(Array.from({ length: 20 }, async () => refuse([await proof(client)], one)));
    assert.deepEqual([...new Set(many)], [undefined]);
    const raced = await Promise.all(
      Array.from({ length: 20 }, (_, at) => refuse([theText], at % 2 === 0 ? one : other)),
    );
    assert.equal(raced.filter((fault) => fault === undefined).length, 1);
    await Promise.all([one.close(), other.close()]);
  });

  test('an id is remembered until its proof would be too old anyway', async () => {
    const kept: number[] = [];
    const keeping: ReplayGuard = { once: (_, ttlMs) => kept.push(ttlMs) > 0 };
    await refuse([await proof(client)], keeping, NOW);
    await refuse([await proof(client)], keeping, NOW + 60);
    await refuse([await proof(client)], keeping, NOW - 5);
    assert.deepEqual(kept, [61_000, 1_000, 66_000]);
  });

  test('what is refused otherwise leaves no id behind: a thief cannot use up the proof of its owner', async () => {
    const asked: string[] = [];
    const keeping: ReplayGuard = { once: (key) => asked.push(key) > 0 };
    for (const text of [
      await proof(thief),
      await proof(thief, {}, { jwk: client.jwk }),
      await proof(client, { htm: 'PUT' }),
    ])
      assert.notEqual(await refuse([text], keeping), undefined);
    assert.deepEqual(asked, []);
    await refuse([await proof(client, { jti: 'a secret id' })], keeping);
    const [key = ''] = asked.splice(0);
    assert.match(key, /^dpop:.{43}:.{43}$/, 'bounded, whatever id a client chooses');
  });

  test('where a replay cannot be ruled out, that is said, however the store says it', async () => {
    const text = await proof(client);
    const away = new StoreUnavailable('away');
    const rejecting: ReplayGuard = { once: () => Promise.reject(away) };
    const throwing: ReplayGuard = {
      once() {
        throw away;
      },
    };
    await assert.rejects(refuse([text], rejecting), away);
    await assert.rejects(refuse([text], throwing), away);
  });

  let theText = '';
  before(async () => {
    theText = await proof(client);
  });

  function claims(changed: Changed = {}): JWTPayload {
    const proven = {
      jti: randomUUID(),
      htm: 'GET',
      htu: 'https://api.example/v1/widgets',
      iat: NOW,
      ath: hashed(TOKEN),
      ...changed,
    };
    return proven as JWTPayload; // or what a client gone wrong may write
  }

  async function proof(holder: Client, changed: Changed = {}, header: object = {}): Promise<string> {
    const protectedHeader = { typ: 'dpop+jwt', alg: holder.algorithm, jwk: holder.jwk, ...header };
    if ('b64' in header) return `${encoded(protectedHeader)}.${encoded(claims(changed))}.c2ln`;
    return new SignJWT(claims(changed)).setProtectedHeader(protectedHeader).sign(holder.privateKey);
  }

  async function forged(alg: string): Promise<string> {
    return `${encoded({ typ: 'dpop+jwt', alg, jwk: client.jwk })}.${encoded(claims())}.c2ln`;
  }
});

type Changed = Readonly<Record<string, unknown>>;

interface Client {
  readonly algorithm: string;
  readonly jwk: JWK;
  readonly privateJwk: JWK;
  readonly jkt: string;
  readonly privateKey: CryptoKey;
}

async function newClient(algorithm: string): Promise<Client> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const [jwk, privateJwk] = await Promise.all([exportJWK(publicKey), exportJWK(privateKey)]);
  return { algorithm, jwk, privateJwk, jkt: await calculateJwkThumbprint(jwk), privateKey };
}

function hashed(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function encoded(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
