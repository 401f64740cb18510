import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { freePort, startGateway, type TestGateway } from '../support/gateway.ts';
import { head, sendRaw } from '../support/raw-client.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

/**
 * Attack cases 1–10: what is matched and what is forwarded are one string. `/pub` is open, `/admin` is published to nobody:
 * no spelling may bring a request for the former to the latter.
 */
describe('attacks by the path', () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;

  before(async () => {
    upstream = await startUpstream();
    port = await freePort();
    const hosts = Array.from({ length: 120 }, (_, index) => `h${index}.example.com`);
    gateway = await startGateway(`
listeners: [{ name: public, address: 127.0.0.1:${port}, tls: none }]
workers: 1
apis:
  - { name: pub, path: /pub, upstream: '${upstream.url}', authenticate: none }
  - { name: api, path: /api, rewrite: /internal, upstream: '${upstream.url}', authenticate: none }
  - { name: open, path: /open, upstream: '${upstream.url}', authenticate: none, requestLimits: { allowEncodedDelimiters: true } }
  - { name: many, path: /host, hosts: [${hosts.join(', ')}], upstream: '${upstream.url}', authenticate: none }
`);
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  async function ask(target: string, ...fields: string[]): Promise<{ status: number; forwarded: string | undefined }> {
    const before = upstream.seen.length;
    const reply = await sendRaw(
      { port },
      `GET ${target} HTTP/1.1\r\n${[...(fields.some((field) => /^host:/i.test(field)) ? [] : ['Host: localhost']), ...fields].join('\r\n')}\r\n\r\n`,
    );
    return { status: reply.status, forwarded: upstream.seen[before]?.target };
  }

  for (const target of [
    '/pub/%2e%2e/admin',
    '/pub/%2E./admin',
    '/pub/.%2e/admin',
    '/pub/../admin',
    '//pub',
    '/./pub',
    '/pub//x',
    '/pub/.',
    '/pub/..',
    '/pub/%252e%252e/admin',
    '/pub/%25%32%65%25%32%65/admin',
    '/pub/..%2fadmin',
    '/pub%2F..%2Fadmin',
    '/pub/%2F',
    '/pub/%5C',
    '/pub/%00',
    '/pub/%23',
    '/pub/%3F',
    '/pub/%3B',
    '/pub/%0d%0aX:%20y',
    '/pub\\..\\admin',
    '/\\..\\admin',
    '/pub/..;a=b/admin',
    '/pub/.;x/admin',
    '/pub/%2e%2e;x/admin',
    '/pub#x',
    '/pub?a#b',
    '/pub/%c0%ae%c0%ae/admin',
    '/pub/%',
    '/pub/%zz',
    'pub',
    '?pub',
    'ftp://localhost/pub',
  ]) {
    it(`${target} is refused and nothing is forwarded`, async () => {
      const { status, forwarded } = await ask(target);
      assert.equal(status, 400);
      assert.equal(forwarded, undefined);
    });
  }

  for (const [target, forwarded] of [
    ['/pub', '/pub'],
    ['/%70ub/x', '/pub/x'],
    ['/pub/%7Ea?b=%2F../c', '/pub/~a?b=%2F../c'],
    ['/pub/..a/b;c', '/pub/..a/b;c'],
    ['/%61pi/x', '/internal/x'],
    ['/api', '/internal'],
    ['/api/', '/internal/'],
    ['/open/a%2fb', '/open/a%2Fb'],
    ['http://localhost/pub', '/pub'],
    ['HTTP://LOCALHOST/pub', '/pub'],
  ] as const) {
    it(`${target} reaches the upstream as ${forwarded}`, async () =>
      assert.deepEqual(await ask(target), { status: 200, forwarded }));
  }

  for (const target of ['/pubX', '/PUB', '/admin', '/pub;x', '/', '/apis']) {
    it(`${target} is published to nobody`, async () =>
      assert.deepEqual(await ask(target), { status: 404, forwarded: undefined }));
  }

  it('a target that is too long is refused (414)', async () => {
    assert.deepEqual(await ask(`/pub/${'a'.repeat(9_000)}`), { status: 414, forwarded: undefined });
  });

  it('a host decides alike in any case, with a trailing dot and with a port, whatever the number of hosts', async () => {
    for (const host of ['h7.example.com', 'H7.EXAMPLE.COM', 'h7.example.com.', `h7.example.com:${port}`]) {
      assert.equal((await ask('/host/x', `Host: ${host}`)).status, 200, host);
    }
    assert.equal((await ask('/host/x', 'Host: h120.example.com')).status, 404);
    assert.equal((await ask('/host/x', 'Host: xh7.example.com')).status, 404);
  });

  it('an absolute target of another authority than Host is refused', async () => {
    assert.equal((await ask('http://other.example.com/pub')).status, 400);
    assert.equal((await ask('http://localhost/pub', 'Host: other.example.com')).status, 400);
    assert.equal((await ask('http://user@localhost/pub')).status, 400);
  });

  it('a WebSocket upgrade takes the same checks', async () => {
    const upgrade = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    for (const target of ['/pub/../admin', '/pub/%2e%2e/admin', '//pub']) {
      assert.deepEqual(await ask(target, ...upgrade), { status: 400, forwarded: undefined }, target);
    }
    assert.equal((await ask('/admin', ...upgrade)).status, 404);
  });

  it('the gateway is unharmed', async () => {
    assert.equal((await sendRaw({ port }, head('GET /pub HTTP/1.1'))).status, 200);
  });
});
