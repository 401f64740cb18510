import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { makeApiKey } from '../../src/lib/api-key.ts';
import { FORGED_AUDIENCE, type ForgingIssuer, startForgingIssuer } from '../support/forging-issuer.ts';
import { freePort, startGateway, type TestGateway } from '../support/gateway.ts';
import { ask } from '../support/http-client.ts';
import { head, sendRaw } from '../support/raw-client.ts';
import { type Seen, startUpstream, type TestUpstream } from '../support/upstream.ts';

const KEY = makeApiKey('live').key;
const ADMIN_KEY = makeApiKey('admin').key;

/** Attack cases 11 to 15 where callers are known, bad credentials beside good ones, and 58: nobody is who he says he is. */
describe('attacks by what callers say of themselves', { timeout: 60_000 }, () => {
  let issuer: ForgingIssuer;
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;
  let internal: number;

  before(async () => {
    issuer = await startForgingIssuer();
    upstream = await startUpstream();
    [port, internal] = [await freePort(), await freePort()];
    const oauth = `issuer: '${issuer.url}', audience: '${FORGED_AUDIENCE}'`;
    gateway = await startGateway(`
listeners:
  - { name: public, address: 127.0.0.1:${port}, tls: none }
  - { name: internal, exposure: internal, address: 127.0.0.1:${internal}, tls: none }
workers: 2
authorizationServer: { issuer: 'http://127.0.0.1:${port}/oauth' }
consumers:
  - name: acme
    keys:
      - { name: main, key: '${KEY}' }
      - { name: admin, key: '${ADMIN_KEY}', scopes: [admin], apis: [sallyport-admin] }
apis:
  - { name: all, upstream: '${upstream.url}', authenticate: none }
  - { name: either, path: /either, upstream: '${upstream.url}', authenticate: [{ oauth: { ${oauth} } }, { apiKey: {} }] }
  - name: told
    path: /told
    upstream: ${upstream.url}
    authenticate: [{ oauth: { ${oauth} } }]
    upstreamIdentity: { jwt: {}, headers: { X-User-Id: subject, X-Team: team, Tenant: tenant } }
`);
  });

  after(async () => {
    await gateway?.stop();
    await Promise.all([issuer?.close(), upstream?.close()]);
  });

  async function call(path: string, token: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
    return (await ask({ port, path, headers: { Authorization: `Bearer ${token}`, ...headers } })).status;
  }

  /** What the upstream sees of alice, whatever she says besides. */
  async function told(...fields: readonly string[]): Promise<Seen> {
    const token = await issuer.token({ sub: 'alice' });
    const request = head('GET /told HTTP/1.1', `Authorization: Bearer ${token}`, ...fields);
    const reply = await sendRaw({ port }, request);
    assert.equal(reply.status, 200, reply.text.slice(0, 300));
    const seen = upstream.seen.at(-1);
    assert.ok(seen !== undefined);
    return seen;
  }

  const IDENTITY_FIELDS = [
    'X-User-Id',
    'X-Team',
    'Tenant',
    'X-Sallyport-Identity',
    'X-Sallyport-Actor',
    'X-Sallyport-Scopes',
    'Client-Cert',
    'Client-Cert-Chain',
    'X-Client-Cert-Verified',
    'X-Client-Cert',
    'X-SSL-Client-Verify',
    'X-Forwarded-User',
    'X-Remote-User',
  ];

  it('11: fields that name a caller are the gateway’s to write, in any case', async () => {
    for (const spell of [String, (name: string) => name.toLowerCase(), (name: string) => name.toUpperCase()]) {
      const seen = await told(...IDENTITY_FIELDS.map((name) => `${spell(name)}: mallory`));
      assert.ok(!JSON.stringify(seen.rawHeaders).includes('mallory'), JSON.stringify(seen.rawHeaders));
      assert.equal(seen.headers['x-user-id'], 'alice');
      assert.equal(seen.headers['x-team'], undefined, 'a claim that is not there is nobody’s to fill in');
      assert.equal(seen.headers['tenant'], undefined);
    }
  });

  it('11: the identity JWT is the gateway’s, for this upstream, and can be checked', async () => {
    const { headers } = await told('X-Sallyport-Identity: eyJhbGciOiJub25lIn0.e30.');
    const keys = createRemoteJWKSet(new URL(`http://127.0.0.1:${internal}/.well-known/jwks.json`));
    const { payload } = await jwtVerify(String(headers['x-sallyport-identity']), keys, { audience: 'told' });
    assert.equal(payload.sub, `${issuer.url}|alice`);
    assert.equal(Number(payload.exp) - Number(payload.iat), 60);
    assert.equal(headers.authorization, undefined);
  });

  it('12: aliases with _ and . are dropped', async () => {
    const aliases = IDENTITY_FIELDS.flatMap((name) => [
      name.replaceAll('-', '_'),
      name.replaceAll('-', '.'),
      `${name}_`,
    ]);
    const seen = await told(...aliases.filter((name) => name !== 'Tenant').map((name) => `${name}: mallory`));
    assert.ok(!JSON.stringify(seen.rawHeaders).includes('mallory'), JSON.stringify(seen.rawHeaders));
  });

  it('11, 12: nor do they come in behind a body, as trailers', async () => {
    const token = await issuer.token({ sub: 'alice' });
    const trailers = ['X-User-Id', 'x-team', 'TENANT', 'X_User_Id', 'X-Sallyport-Identity', 'Authorization'];
    const body = `1\r\nx\r\n0\r\nX-Checksum: 1\r\n${trailers.map((name) => `${name}: mallory\r\n`).join('')}\r\n`;
    const fields = [`Authorization: Bearer ${token}`, 'Transfer-Encoding: chunked', 'Connection: close'];
    const before = upstream.seen.length;
    const reply = await sendRaw({ port }, head('POST /told HTTP/1.1', ...fields) + body);
    const seen = upstream.seen[before];
    assert.equal(reply.status, 200, reply.text.slice(0, 300));
    assert.equal(seen?.headers['x-user-id'], 'alice');
    assert.deepEqual(seen.rawTrailers, ['X-Checksum', '1']);
  });

  it('14: Connection takes nothing away of what the gateway says, nor of what it checks', async () => {
    const seen = await told('Connection: X-User-Id, Authorization, X-Sallyport-Identity, X-Team', 'X-User-Id: mallory');
    assert.equal(seen.headers['x-user-id'], 'alice');
    assert.ok(seen.headers['x-sallyport-identity'] !== undefined);
    const before = upstream.seen.length;
    const bare = await sendRaw({ port }, head('GET /told HTTP/1.1', 'Connection: Authorization', 'X-User-Id: alice'));
    assert.equal(bare.status, 401);
    assert.equal(upstream.seen.length, before);
  });

  it('a bad credential does not get by beside a good one, and a good one does not get lost', async () => {
    const [good, bad] = [await issuer.token(), await issuer.token({ exp: 1 })];
    const unknownKey = makeApiKey('live').key;
    assert.equal(await call('/either', good), 200);
    const key = await ask({ port, path: '/either', headers: { 'X-API-Key': KEY } });
    assert.equal(key.status, 200);
    assert.equal(await call('/either', bad, { 'X-API-Key': KEY }), 401);
    assert.equal(await call('/either', `${good}x`, { 'X-API-Key': KEY }), 401);
    const before = upstream.seen.length;
    assert.equal(await call('/either', good, { 'X-API-Key': unknownKey }), 200);
    const seen = JSON.stringify(upstream.seen.slice(before));
    assert.ok(!seen.includes(unknownKey) && !seen.includes(good), 'credentials end at the gateway');
    const neither = await ask({ port, path: '/either' });
    assert.equal(neither.status, 401);
    assert.match(String(neither.headers['www-authenticate']), /Bearer .*DPoP .*ApiKey /);
  });

  it('15: several credentials in one place are none', async () => {
    const good = await issuer.token();
    const bad = await issuer.token({ exp: 1 });
    for (const [first, second] of [
      [good, bad],
      [bad, good],
      [good, good],
    ]) {
      const twice = head('GET /told HTTP/1.1', `Authorization: Bearer ${first}`, `authorization: Bearer ${second}`);
      assert.equal((await sendRaw({ port }, twice)).status, 400);
      const joined = head('GET /told HTTP/1.1', `Authorization: Bearer ${first}, Bearer ${second}`);
      assert.equal((await sendRaw({ port }, joined)).status, 401);
    }
    const keys = head('GET /either HTTP/1.1', `X-API-Key: ${KEY}`, `x-api-key: ${makeApiKey('live').key}`);
    assert.equal((await sendRaw({ port }, keys)).status, 400);
    for (const alias of ['X_API_Key', 'X.API.Key'])
      assert.equal((await ask({ port, path: '/either', headers: { [alias]: KEY } })).status, 401, alias);
  });

  it('58: the admin API and the internal pages are not there for the public listener, whatever it is asked', async () => {
    const good = { 'X-API-Key': ADMIN_KEY };
    assert.equal((await ask({ port: internal, path: '/admin/v1/consumers', headers: good })).status, 200);
    const before = upstream.seen.length;
    // An API at the root takes every path: what comes there is the upstream's answer, never the gateway's own.
    const targets = ['/admin/v1/consumers', '/Admin/v1/consumers', '/admin/v1/', '/%61dmin/v1/consumers', '/metrics'];
    for (const target of [
      ...targets,
      '/.well-known/jwks.json',
      '/readyz',
      `http://127.0.0.1:${internal}/admin/v1/consumers`,
    ])
      for (const host of ['localhost', `127.0.0.1:${internal}`, 'internal', 'admin.sallyport']) {
        const request = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nX-API-Key: ${ADMIN_KEY}\r\nX-Original-URL: /admin/v1/consumers\r\n\r\n`;
        const { status, body } = await sendRaw({ port }, request);
        assert.ok(
          status === 400 || (status === 200 && body.startsWith('{"method":')),
          `${target} ${host}: ${status} ${body}`,
        );
      }
    for (const target of [
      '//admin/v1/consumers',
      '/x/../admin/v1/consumers',
      '/admin%2Fv1/consumers',
      '/either/..;/admin/v1',
    ]) {
      const { status, body } = await sendRaw({ port }, head(`GET ${target} HTTP/1.1`, `X-API-Key: ${ADMIN_KEY}`));
      assert.ok(status === 400 || status === 401 || body.startsWith('{"method":'), `${target}: ${status} ${body}`);
    }
    assert.ok(upstream.seen.length > before);
    assert.equal(await keyAt('/either', ADMIN_KEY), 401, 'a key for administrators opens nothing else');
    assert.equal(await keyAt('/admin/v1/consumers', KEY, internal), 401, 'nor does another key open the admin API');
  });

  it('58: another site cannot have a browser administer the gateway', async () => {
    const body = JSON.stringify({ name: 'mallory' });
    const headers = { 'X-API-Key': ADMIN_KEY, 'Content-Type': 'application/json', Origin: 'https://evil.example' };
    const forged = { ...headers, 'Sec-Fetch-Site': 'cross-site' };
    const reply = await ask({ port: internal, path: '/admin/v1/consumers', method: 'POST', headers: forged, body });
    assert.equal(reply.status, 403);
    const list = await ask({ port: internal, path: '/admin/v1/consumers', headers: { 'X-API-Key': ADMIN_KEY } });
    assert.ok(!list.body.includes('mallory'));
  });

  async function keyAt(path: string, key: string, at = port): Promise<number> {
    return (await ask({ port: at, path, headers: { 'X-API-Key': key } })).status;
  }
});
