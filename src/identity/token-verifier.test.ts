import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { StoreUnavailable } from '../stores/stores.ts';
import { IssuerDirectory } from './issuer-directory.ts';
import { issuerSettings } from './issuer-settings.ts';
import { createIssuers } from './issuer-view.ts';
import { RevocationList } from './revocation-list.ts';
import { readToken, type UnverifiedToken } from './token-syntax.ts';
import { TokenVerifier, type VerifiedToken, verifierOf } from './token-verifier.ts';

const AUDIENCE = 'https://api.example';
/** Seconds; tokens are of this moment. */
const NOW = Math.floor(Date.now() / 1_000);

/** A worker that hears of an issuer's keys from the control plane, which fetches them from a server of its own. */
describe('proving tokens', () => {
  let issuer = '';
  let published: readonly JWK[] = [];
  let fetches = 0;
  let away = false;
  let now = 0;
  let questions = 0;
  let directory: IssuerDirectory;
  let issuers: ReturnType<typeof createIssuers>;
  let revocations: RevocationList;
  let verifier: TokenVerifier;
  let first: Signer;
  let second: Signer;
  const server = createServer((request, response) => {
    if (away) return void response.destroy();
    const metadata = { issuer, jwks_uri: `${issuer}/jwks` };
    if (request.url === '/jwks') fetches += 1;
    response.end(JSON.stringify(request.url === '/jwks' ? { keys: published } : metadata));
  });

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // listening on TCP
    [first, second] = await Promise.all([newSigner('ES256', 'k1'), newSigner('ES256', 'k2')]);
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(async () => {
    published = [first.jwk];
    away = false;
    await begin();
  });
  afterEach(() => directory.close());

  /** The control plane has tried to fetch the keys, and told the worker. */
  async function begin(): Promise<void> {
    [fetches, questions, now] = [0, 0, 1_000_000];
    directory = new IssuerDirectory({
      onChange: (set) => issuers.note(set),
      onFault: () => undefined,
      clock: () => now,
    });
    issuers = createIssuers({
      // The control plane answers what `Questions` says; only this question is asked here.
      ask: (async (_question: string, facts: { readonly issuer: string; readonly refresh: boolean }) => {
        questions += 1;
        return directory.keys(facts.issuer, facts);
      }) as Parameters<typeof createIssuers>[0]['ask'],
    });
    revocations = new RevocationList();
    verifier = new TokenVerifier({ issuers, revocations }, { clock: () => now });
    directory.update({ issuers: [issuerSettings.parse({ issuer })], own: undefined });
    await directory.keys(issuer, { refresh: false }).catch(() => undefined);
  }

  async function token(signer: Signer, changed: JWTPayload = {}, header: object = {}): Promise<UnverifiedToken> {
    const claims = { iss: issuer, sub: 'alice', aud: AUDIENCE, exp: NOW + 600, iat: NOW, ...changed };
    const text = await new SignJWT(claims)
      .setProtectedHeader({ alg: signer.algorithm, kid: signer.kid, typ: 'at+jwt', ...header })
      .sign(signer.privateKey);
    return read(text);
  }

  async function proved(one: UnverifiedToken): Promise<VerifiedToken> {
    const outcome = await verifier.verify(one);
    return typeof outcome === 'string' ? assert.fail(outcome) : outcome;
  }

  const pastCoolDown = () => {
    now += 30_000;
  };

  test('a token is proved once and remembered: the same object, without a promise', async () => {
    const one = await token(first);
    assert.equal(verifier.remembered(one.text, NOW), undefined);
    const verified = await proved(one);
    assert.equal(verified.principal.subject, 'alice');
    assert.equal(verified.issuer, issuer);
    assert.equal(verifier.remembered(one.text, NOW), verified);
    for (const other of ['', `${one.text}x`, `${one.text} `, `${one.text}\ufffd`, one.text.repeat(100)])
      assert.equal(verifier.remembered(other, NOW), undefined, 'the whole text counts, whatever is in it');
    assert.deepEqual([questions, fetches], [0, 1]);
  });

  test('what is remembered ends with its token, to the second', async () => {
    const one = await token(first, { exp: NOW + 5 });
    const verified = await proved(one);
    assert.equal(verifier.remembered(one.text, NOW + 4.999), verified);
    assert.equal(verifier.remembered(one.text, NOW + 5), undefined);
    assert.equal(verifier.remembered(one.text, NOW), undefined, 'it is gone');
  });

  test('other keys of the issuer end what was proved with the old ones', async () => {
    const [old, added] = [await token(first), await token(second)];
    await proved(old);
    published = [second.jwk];
    pastCoolDown();
    await proved(added);
    assert.equal(verifier.remembered(old.text, NOW), undefined);
    assert.equal(await verifier.verify(old), 'no-such-key', 'withdrawn');
    assert.notEqual(verifier.remembered(added.text, NOW), undefined);
  });

  test('a key that is not known is asked for once, and proves from then on', async () => {
    await proved(await token(first));
    published = [first.jwk, second.jwk];
    pastCoolDown();
    const before = questions;
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, at) => token(second, { jti: `${at}` })));
    const outcomes = await Promise.all(tokens.map((one) => verifier.verify(one)));
    assert.deepEqual([...new Set(outcomes.map((outcome) => typeof outcome))], ['object']);
    assert.equal(questions - before, 1);
    assert.equal(fetches, 2);
  });

  test('attack 37: a flood of unknown key ids sends few messages and one fetch in a cool-down', async () => {
    await proved(await token(first));
    const before = questions;
    for (let at = 0; at < 200; at += 1) {
      assert.equal(await verifier.verify(await token(second, {}, { kid: `unknown-${at}` })), 'no-such-key');
      now += 10; // 2 s in all
    }
    assert.ok(questions - before <= 8, `${questions - before} messages in 2 s`);
    assert.equal(fetches, 1);
  });

  test('a token without a key id may be signed by any key, a new one too', async () => {
    await proved(await token(first, {}, { kid: undefined }));
    published = [first.jwk, second.jwk];
    pastCoolDown();
    await proved(await token(second, {}, { kid: undefined }));
    const stranger = await newSigner('ES256', 'k1');
    assert.equal(await verifier.verify(await token(stranger, {}, { kid: undefined })), 'bad-signature');
    const before = questions;
    now += 1_000;
    assert.equal(await verifier.verify(await token(stranger)), 'bad-signature');
    assert.equal(questions, before, 'a key that is known and does not fit is no reason to ask');
  });

  test('where keys cannot be had nothing is said of the token', async () => {
    await directory.close();
    away = true;
    await begin();
    const one = await token(first);
    await assert.rejects(verifier.verify(one), StoreUnavailable);
    await assert.rejects(verifier.verify(one), StoreUnavailable);
    assert.equal(questions, 1, 'the answer of a moment ago holds');
    away = false;
    now += 5_000;
    await proved(one);
    away = true;
    pastCoolDown();
    await assert.rejects(verifier.verify(await token(second)), StoreUnavailable);
    assert.notEqual(verifier.remembered(one.text, NOW), undefined, 'what was proved goes on');
    await assert.rejects(verifier.verify({ ...one, issuer: 'https://evil.example' }), StoreUnavailable);
  });

  test('attack 35: neither none nor a secret made of the public key proves anything', async () => {
    const rsa = await newSigner('RS256', 'r');
    published = [rsa.jwk, { ...first.jwk, kid: 'without-alg' }];
    pastCoolDown();
    await proved(await token(rsa));
    const claims = { iss: issuer, sub: 'alice', aud: AUDIENCE, exp: NOW + 600 };
    const { publicKey } = rsa;
    const spki = new TextEncoder().encode(await exportSPKI(publicKey));
    const confused = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'r' }).sign(spki);
    assert.equal(await verifier.verify(read(confused)), 'no-such-key');
    const [, payload = ''] = confused.split('.');
    for (const alg of ['none', 'None', 'NONE', '']) {
      const header = Buffer.from(JSON.stringify({ alg, kid: 'r' })).toString('base64url');
      assert.equal(await verifier.verify(read(`${header}.${payload}.`)), 'no-such-key', alg);
    }
    // A key without `alg` is one of its own kind alone.
    assert.equal(await verifier.verify(await token(rsa, {}, { kid: 'without-alg' })), 'no-such-key');
  });

  test('attack 36: key ids, URLs and keys in the header lead nowhere', async () => {
    await proved(await token(first));
    for (const kid of ['../../../../dev/null', "k1' OR '1'='1", 'k1\0', '__proto__', `${issuer}/jwks`])
      assert.equal(await verifier.verify(await token(second, {}, { kid })), 'no-such-key', kid);
    const extra = { jwk: second.jwk, jku: 'https://evil.example/jwks', x5u: 'https://evil.example', x5c: ['AAAA'] };
    assert.equal(await verifier.verify(await token(second, {}, { ...extra, kid: 'k1' })), 'bad-signature');
    await proved(await token(first, {}, extra));
  });

  test('a token is held against the keys of the issuer it names, and of no other', async () => {
    directory.update({
      issuers: [issuerSettings.parse({ issuer })],
      own: { issuer: 'https://own.example', jwks: { keys: [second.jwk] } },
    });
    await proved(await token(second, { iss: 'https://own.example' }));
    await proved(await token(first));
    assert.equal(await verifier.verify(await token(second)), 'no-such-key');
    assert.equal(await verifier.verify(await token(first, { iss: 'https://own.example' })), 'no-such-key');
  });

  test('claims that say nothing clear are not remembered', async () => {
    const one = await token(first, { exp: 'soon' as unknown as number }); // what an issuer gone wrong may write
    assert.equal(await verifier.verify(one), 'bad-claims');
    assert.equal(verifier.remembered(one.text, NOW), undefined);
    assert.equal(await verifier.verify(await token(first, { cnf: { kid: 'x' } })), 'unknown-binding');
  });

  test('what is remembered is bounded: the oldest goes, and is proved again', async () => {
    const size = (await token(first, { jti: '000' })).text.length * 2 + 500;
    verifier = new TokenVerifier({ issuers, revocations }, { maxBytes: 3 * size + 100 });
    const tokens: UnverifiedToken[] = [];
    for (let at = 0; at < 5; at += 1) {
      const one = await token(first, { jti: `00${at}` });
      tokens.push(one);
      await proved(one);
    }
    assert.deepEqual(
      tokens.map(({ text }) => verifier.remembered(text, NOW) !== undefined),
      [false, false, true, true, true],
    );
    assert.equal((await proved(tokens[0] ?? assert.fail())).facts.jti, '000');
  });

  test('one process has one verifier for its services', () => {
    const services = { issuers, revocations };
    assert.equal(verifierOf(services), verifierOf(services));
    assert.notEqual(verifierOf(services), verifierOf({ issuers, revocations }));
  });
});

interface Signer {
  readonly algorithm: string;
  readonly kid: string;
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

async function newSigner(algorithm: string, kid: string): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return { algorithm, kid, jwk: { ...(await exportJWK(publicKey)), kid }, privateKey, publicKey };
}

function read(text: string): UnverifiedToken {
  const outcome = readToken(text);
  return typeof outcome === 'string' ? assert.fail(outcome) : outcome;
}
