import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { freePort, startGateway, type TestGateway } from '../support/gateway.ts';
import { head, sendRaw } from '../support/raw-client.ts';
import { type Seen, startUpstream, type TestUpstream } from '../support/upstream.ts';

/** Attack cases 11–14, 17 and 48: what a client says of itself never reaches an upstream as if the gateway had said it. */
describe('attacks by header fields', () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;
  let trusting: number;

  before(async () => {
    upstream = await startUpstream();
    port = await freePort();
    trusting = await freePort();
    gateway = await startGateway(`
listeners:
  - { name: public, address: 127.0.0.1:${port}, tls: none }
  - { name: behind-proxy, address: 127.0.0.1:${trusting}, tls: none, trustedProxies: [127.0.0.0/8] }
workers: 1
apis:
  - name: all
    upstream: '${upstream.url}'
    authenticate: none
    headers: { request: { set: { X-Tenant: acme } } }
`);
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  async function seenWith(fields: readonly string[], at = port): Promise<Seen> {
    const reply = await sendRaw({ port: at }, head('GET /x HTTP/1.1', ...fields));
    assert.equal(reply.status, 200, reply.text.slice(0, 300));
    const seen = upstream.seen.at(-1);
    assert.ok(seen !== undefined);
    return seen;
  }

  it('identity headers and their aliases are dropped', async () => {
    const names = [
      'X-User',
      'X-Forwarded-User',
      'X-Remote-User',
      'Remote-User',
      'X-Auth-Request-Email',
      'X-Consumer-Id',
      'X-Authenticated-Userid',
      'X-Client-Cert',
      'X-SSL-Client-S-DN',
      'X-Sallyport-Principal',
      'X-Original-URL',
      'X-Rewrite-URL',
      'X-HTTP-Method-Override',
    ];
    const aliases = ['X_User', 'X.User', 'x_forwarded_for', 'X_Forwarded-For', 'REMOTE_USER', 'x-USER'];
    const seen = await seenWith([...names, ...aliases].map((name) => `${name}: mallory`));
    assert.ok(!JSON.stringify(seen.rawHeaders).includes('mallory'), JSON.stringify(seen.rawHeaders));
  });

  it('forwarding headers of an untrusted peer are made anew', async () => {
    const seen = await seenWith([
      'X-Forwarded-For: 1.2.3.4',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil',
      'Forwarded: for=1.2.3.4;host=evil',
      'X-Real-IP: 1.2.3.4',
      'X-Forwarded-Port: 1',
      'X-Forwarded-Prefix: /evil',
      'X-Request-Id: mallory-chosen',
    ]);
    assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(seen.headers['x-forwarded-proto'], 'http');
    assert.equal(seen.headers['x-forwarded-host'], 'localhost');
    assert.ok(!/1\.2\.3\.4|evil|mallory/.test(JSON.stringify(seen.rawHeaders)), JSON.stringify(seen.rawHeaders));
  });

  it('a trusted proxy is believed as far as the trusted chain goes', async () => {
    const seen = await seenWith(['X-Forwarded-For: 6.6.6.6, 1.2.3.4, 127.0.0.9'], trusting);
    assert.match(String(seen.headers['x-forwarded-for']), /^1\.2\.3\.4(, 127\.0\.0\.1)?$/);
  });

  it('Connection cannot remove what the gateway sets, and what it names is not passed on', async () => {
    const seen = await seenWith([
      'Connection: X-Tenant, X-Forwarded-For, Forwarded, Host, X-Request-Id, X-Hop',
      'X-Hop: 1',
      'X-Kept: 1',
    ]);
    assert.equal(seen.headers['x-tenant'], 'acme');
    assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1');
    assert.ok(
      seen.headers['x-request-id'] !== undefined &&
        seen.headers['forwarded'] !== undefined &&
        seen.headers.host !== undefined,
    );
    assert.equal(seen.headers['x-hop'], undefined);
    assert.equal(seen.headers['x-kept'], '1');
  });

  it('a client cannot send a field the gateway sets', async () => {
    const seen = await seenWith(['X-Tenant: evil', 'x-tenant: evil2']);
    assert.equal(seen.rawHeaders.filter((name) => name.toLowerCase() === 'x-tenant').length, 1);
    assert.equal(seen.headers['x-tenant'], 'acme');
  });

  it('fields of the connection end at the gateway', async () => {
    const seen = await seenWith([
      'Keep-Alive: timeout=1000',
      'Proxy-Connection: keep-alive',
      'Proxy-Authorization: Basic eDp5',
      'TE: trailers',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
    ]);
    for (const name of ['keep-alive', 'proxy-connection', 'proxy-authorization', 'te', 'upgrade', 'http2-settings'])
      assert.equal(seen.headers[name], undefined, name);
  });

  it('names of Object.prototype are names like any other', async () => {
    const reply = await sendRaw(
      { port },
      head('GET /?__proto__=1&constructor[prototype]=2 HTTP/1.1', '__proto__: 1', 'constructor: 2', 'toString: 3'),
    );
    assert.equal(reply.status, 200);
    assert.equal((await seenWith(['hasOwnProperty: x'])).headers['hasownproperty'], 'x');
  });

  it('every reply carries its request id, and the log has it', async () => {
    const reply = await sendRaw({ port }, head('GET /y HTTP/1.1'));
    const id = /x-request-id: (\S+)/i.exec(reply.head)?.[1];
    assert.ok(id !== undefined);
    await gateway.logged((line) => line['requestId'] === id);
  });
});
