import assert from 'node:assert/strict';
import { createHmac, createPublicKey, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { FORGED_AUDIENCE, type ForgingIssuer, looseJws, startForgingIssuer } from '../support/forging-issuer.ts';
import { freePort, startGateway, type TestGateway } from '../support/gateway.ts';
import { assertAlive } from '../support/gateway-under-attack.ts';
import { ask } from '../support/http-client.ts';
import { head, sendRaw } from '../support/raw-client.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

const OTHER_AUDIENCE = 'https://api.example.com/v2';

/** Attack cases 35 to 40: what was not authenticated never reaches the upstream. */
describe('attacks by tokens', { timeout: 60_000 }, () => {
  let issuer: ForgingIssuer;
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;

  before(async () => {
    issuer = await startForgingIssuer();
    upstream = await startUpstream();
    port = await freePort();
    const oauth = `issuer: '${issuer.url}', audience: '${FORGED_AUDIENCE}'`;
    gateway = await startGateway(`
listeners:
  - { name: plain, address: 127.0.0.1:${port}, tls: none }
workers: 2
authorizationServer: { issuer: 'http://127.0.0.1:${port}/oauth' }
apis:
  - { name: open, path: /open, upstream: '${upstream.url}', authenticate: none }
  - { name: strict, path: /strict, upstream: '${upstream.url}', authenticate: [{ oauth: { ${oauth} } }] }
  - { name: legacy, path: /legacy, upstream: '${upstream.url}', authenticate: [{ oauth: { ${oauth}, acceptPlainJwt: true } }] }
  - { name: es-only, path: /es-only, upstream: '${upstream.url}', authenticate: [{ oauth: { ${oauth}, algorithms: [ES256] } }] }
  - { name: other, path: /other, upstream: '${upstream.url}', authenticate: [{ oauth: { issuer: '${issuer.url}', audience: '${OTHER_AUDIENCE}' } }] }
  - { name: own, path: /own, upstream: '${upstream.url}', authenticate: [{ oauth: { audience: '${FORGED_AUDIENCE}' } }] }
  - name: scoped
    path: /scoped
    upstream: ${upstream.url}
    authenticate: [{ oauth: { ${oauth} } }]
    authorize: { scopes: { GET: [read], '*': [write] } }
  - { name: bound, path: /bound, upstream: '${upstream.url}', authenticate: [{ oauth: { ${oauth}, senderConstrained: require } }] }
`);
    await gateway.logged(({ msg }) => msg === 'the gateway is ready');
    // The first look at the issuer is under way since the start.
    assert.equal(await call('/strict', await issuer.token()), 200);
  });

  after(async () => {
    await gateway?.stop();
    await Promise.all([issuer?.close(), upstream?.close()]);
  });

  async function call(path: string, token: string): Promise<number> {
    return (await ask({ port, path, headers: { Authorization: `Bearer ${token}` } })).status;
  }

  /** Refused, and nothing of it reached the upstream. */
  async function refused(path: string, token: string, what: string, status = 401): Promise<void> {
    const before = upstream.seen.length;
    const reply = await ask({ port, path, headers: { Authorization: `Bearer ${token}` } });
    assert.equal(reply.status, status, what);
    assert.equal(upstream.seen.length, before, `${what}: it reached the upstream`);
    if (status !== 401) return;
    const challenge = String(reply.headers['www-authenticate']);
    assert.match(challenge, /^Bearer error="invalid_token", /, what);
    assert.match(challenge, /resource_metadata="http:\/\/127\.0\.0\.1:\d+\/\.well-known\/oauth-protected-resource\//);
  }

  const goodClaims = () => ({
    iss: issuer.url,
    sub: 'alice',
    aud: FORGED_AUDIENCE,
    client_id: 'app',
    iat: Math.floor(Date.now() / 1_000),
    exp: Math.floor(Date.now() / 1_000) + 300,
  });

  it('35: alg none, in any spelling, with and without a signature', async () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', 'ES256\0'])
      for (const signature of ['', 'forged'])
        for (const path of ['/strict', '/legacy']) {
          const header = { alg, typ: 'at+jwt', kid: 'ec-1' };
          const token = looseJws(header, goodClaims(), () => Buffer.from(signature));
          await refused(path, token, `${JSON.stringify(alg)} at ${path}`);
        }
  });

  it('35: a MAC made with the public key', async () => {
    const key = createPublicKey({ key: { ...issuer.rsa }, format: 'jwk' });
    const secrets = [
      key.export({ type: 'spki', format: 'pem' }),
      key.export({ type: 'pkcs1', format: 'pem' }),
      key.export({ type: 'spki', format: 'der' }),
      Buffer.from(String(issuer.rsa.n), 'base64url'),
      Buffer.from(JSON.stringify(issuer.rsa)),
      Buffer.alloc(0),
    ];
    for (const [at, secret] of secrets.entries())
      for (const [alg, digest] of [
        ['HS256', 'sha256'],
        ['HS384', 'sha384'],
        ['HS512', 'sha512'],
      ] as const) {
        const mac = (input: string) => createHmac(digest, secret).update(input).digest();
        await refused('/strict', looseJws({ alg, typ: 'at+jwt', kid: 'rsa-1' }, goodClaims(), mac), `${alg} ${at}`);
      }
  });

  it('35: a key without alg signs with the algorithms of its kind alone, and only those the API takes', async () => {
    assert.equal(await call('/strict', await issuer.token({}, { alg: 'RS256', kid: 'rsa-1' })), 200);
    assert.equal(await call('/strict', await issuer.token({}, { alg: 'PS256', kid: 'rsa-1' })), 200);
    await refused('/strict', await issuer.token({}, { alg: 'RS512', kid: 'rsa-1' }), 'not among the algorithms');
    await refused(
      '/es-only',
      await issuer.token({}, { alg: 'RS256', kid: 'rsa-1' }),
      'another algorithm of the issuer',
    );
    await refused('/strict', await issuer.token({}, { alg: 'ES256', kid: 'rsa-1' }), 'the kid of another kind');
    await refused('/strict', await issuer.token({}, { alg: 'RS256', kid: 'ec-1' }), 'the kid of another kind');
    const lying = looseJws({ alg: 'RS256', typ: 'at+jwt', kid: 'rsa-1' }, goodClaims(), signer(attackerRsa.privateKey));
    await refused('/strict', lying, 'another key under the kid');
  });

  it('36: a kid is a name and no path or query; keys a token brings along are not looked at', async () => {
    const kids = ['../../../../dev/null', '/etc/passwd', "' OR 1=1 --", 'rsa-1\0', '__proto__', 'constructor', ' '];
    for (const kid of kids) await refused('/strict', await forged({ kid }), `kid ${JSON.stringify(kid)}`);
    const jwk = createPublicKey(attackerRsa.privateKey).export({ format: 'jwk' });
    const brought = [
      { kid: 42 },
      { kid: { rsa: 1 } },
      { jku: issuer.lure },
      { x5u: issuer.lure },
      { jwk },
      { jwk, kid: undefined },
      { x5c: ['MIIB'], x5t: 'x' },
      { crit: ['b64'], b64: false },
    ];
    for (const parameters of brought) await refused('/strict', await forged(parameters), JSON.stringify(parameters));
    // A good token that also points elsewhere is proved by the issuer's key, and by nothing else.
    assert.equal(await call('/strict', await issuer.token({}, { jku: issuer.lure, x5u: issuer.lure })), 200);
    assert.ok(!issuer.asked.includes('/lure'), 'the gateway went where a token pointed');

    function forged(parameters: object): string {
      const header = { alg: 'RS256', typ: 'at+jwt', kid: 'rsa-1', ...parameters };
      return looseJws(header, goodClaims(), signer(attackerRsa.privateKey));
    }
  });

  it('37: all this has the issuer’s keys fetched no more often than once a cool-down', () => {
    // The cool-down is left at its 30 s: one fetch at the start, and one for the first key nobody knew.
    assert.ok(issuer.asked.filter((path) => path === '/jwks').length <= 2, issuer.asked.join(' '));
  });

  it('38: encrypted, inflated and huge tokens are not opened', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const jwes = [
      { alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2_000_000_000, p2s: 'c2FsdA' },
      { alg: 'dir', enc: 'A256GCM', zip: 'DEF' },
      { alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: 'rsa-1' },
    ];
    for (const header of jwes)
      await refused('/strict', `${part(header)}.AAAA.AAAA.${'A'.repeat(4_000)}.AAAA`, header.alg);
    await refused('/strict', await issuer.token({}, { zip: 'DEF' }), 'a JWS that says it is deflated');
    await refused('/strict', 'a'.repeat(15_000), 'an opaque text');
    await refused('/strict', `${'.'.repeat(10_000)}`, 'dots');
    const { status } = await sendRaw(
      { port },
      head('GET /strict HTTP/1.1', `Authorization: Bearer ${'A'.repeat(2 ** 20)}`),
    );
    assert.equal(status, 431);
    const deep = Buffer.from(`${'['.repeat(5_000)}${']'.repeat(5_000)}`).toString('base64url');
    await refused(
      '/strict',
      looseJws({ alg: 'ES256', kid: 'ec-1' }, deep, () => Buffer.alloc(64)),
      'deep claims',
    );
    await assertAlive(gateway, { port }, '/open');
  });

  it('39: a token that was found good is not good elsewhere, and no cache says so', async () => {
    const token = await issuer.token({ scope: 'read' });
    for (let round = 0; round < 6; round += 1) {
      // Each call has a connection of its own, so both workers have proved it after a few rounds.
      assert.equal(await call('/strict', token), 200);
      assert.equal(await call('/scoped', token), 200);
      await refused('/other', token, 'another audience');
      await refused('/own', token, 'another issuer');
      const post = await ask({ port, path: '/scoped', method: 'POST', headers: { Authorization: `Bearer ${token}` } });
      assert.equal(post.status, 403);
      assert.match(String(post.headers['www-authenticate']), /error="insufficient_scope", scope="write"/);
      await refused('/bound', token, 'bound to nothing');
    }
    await refused('/strict', `${token.slice(0, -4)}AAAA`, 'one letter of the signature');
  });

  it('40: wrong audiences and issuers, ID tokens, expired ones and those of the future', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const wrong: readonly (readonly [what: string, claims: Readonly<Record<string, unknown>>, header?: object])[] = [
      ['another audience', { aud: OTHER_AUDIENCE }],
      ['a prefix of the audience', { aud: FORGED_AUDIENCE.slice(0, -1) }],
      ['an audience in another case', { aud: FORGED_AUDIENCE.toUpperCase() }],
      ['no audience', { aud: undefined }],
      ['an audience of an odd shape', { aud: { 0: FORGED_AUDIENCE } }],
      ['another issuer', { iss: 'https://other.example.com' }],
      ['the issuer with a slash', { iss: `${issuer.url}/` }],
      ['the embedded server as issuer', { iss: `http://127.0.0.1:${port}/oauth` }],
      ['no issuer', { iss: undefined }],
      ['an ID token by its type', { nonce: 'n' }, { typ: 'JWT' }],
      ['no type', {}, { typ: undefined }],
      ['a logout token', {}, { typ: 'logout+jwt' }],
      ['a DPoP proof', {}, { typ: 'dpop+jwt' }],
      ['expired by a second', { exp: now - 1 }],
      ['no expiry', { exp: undefined }],
      ['an expiry of an odd shape', { exp: '9999999999' }],
      ['not valid yet', { nbf: now + 3_600 }],
      ['issued in the future', { iat: now + 3_600 }],
    ];
    for (const [what, claims, header] of wrong) await refused('/strict', await issuer.token(claims, header), what);
    for (const marks of [
      { nonce: 'n' },
      { at_hash: 'x' },
      { c_hash: 'x' },
      { events: {} },
      { token_use: 'id' },
      { typ: 'Refresh' },
    ])
      await refused('/legacy', await issuer.token(marks, { typ: 'JWT' }), `plain, with ${Object.keys(marks)}`);
    assert.equal(await call('/legacy', await issuer.token({}, { typ: 'JWT' })), 200);
  });
});

const attackerRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

function signer(key: KeyObject) {
  return (input: string): Buffer => createSign('sha256').update(input).sign(key);
}
