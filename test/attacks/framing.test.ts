import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { freePort, startGateway, type TestGateway } from '../support/gateway.ts';
import { head, sendRaw } from '../support/raw-client.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

/** Attack cases 14, 15, 18 and 19: a message that two servers could frame differently is refused, and its connection ends. */
describe('attacks by framing and by malformed heads', () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;

  before(async () => {
    upstream = await startUpstream();
    port = await freePort();
    gateway = await startGateway(`
listeners: [{ name: public, address: 127.0.0.1:${port}, tls: none }]
workers: 1
apis: [{ name: all, upstream: '${upstream.url}', authenticate: none }]
`);
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';

  for (const [what, bytes] of [
    [
      'Content-Length with Transfer-Encoding',
      head('POST / HTTP/1.1', 'Content-Length: 5', 'Transfer-Encoding: chunked') + `0\r\n\r\n${smuggled}`,
    ],
    [
      'Transfer-Encoding with Content-Length',
      head('POST / HTTP/1.1', 'Transfer-Encoding: chunked', 'Content-Length: 5') + `0\r\n\r\n${smuggled}`,
    ],
    ['two Content-Length that differ', head('POST / HTTP/1.1', 'Content-Length: 0', 'Content-Length: 45') + smuggled],
    ['two Content-Length that agree', head('POST / HTTP/1.1', 'Content-Length: 3', 'Content-Length: 3') + 'abc'],
    ['a list of lengths', head('POST / HTTP/1.1', 'Content-Length: 3, 3') + 'abc'],
    ['a signed length', head('POST / HTTP/1.1', 'Content-Length: +3') + 'abc'],
    ['a negative length', head('POST / HTTP/1.1', 'Content-Length: -1')],
    ['a hexadecimal length', head('POST / HTTP/1.1', 'Content-Length: 0x3') + 'abc'],
    ['an empty length', head('POST / HTTP/1.1', 'Content-Length: ')],
    ['a length past 2^64', head('POST / HTTP/1.1', 'Content-Length: 18446744073709551617')],
    ['chunked, identity', head('POST / HTTP/1.1', 'Transfer-Encoding: chunked, identity') + '0\r\n\r\n'],
    ['identity', head('POST / HTTP/1.1', 'Transfer-Encoding: identity')],
    ['gzip, chunked', head('POST / HTTP/1.1', 'Transfer-Encoding: gzip, chunked') + '0\r\n\r\n'],
    ['xchunked', head('POST / HTTP/1.1', 'Transfer-Encoding: xchunked') + '0\r\n\r\n'],
    [
      'chunked twice',
      head('POST / HTTP/1.1', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked') + '0\r\n\r\n',
    ],
    ['a vertical tab in Transfer-Encoding', head('POST / HTTP/1.1', 'Transfer-Encoding: \x0bchunked') + '0\r\n\r\n'],
    ['chunked HTTP/1.0', head('POST / HTTP/1.0', 'Transfer-Encoding: chunked') + '0\r\n\r\n'],
    ['a folded line', head('GET / HTTP/1.1', 'X-A: b\r\n c')],
    ['a space before the colon', head('GET / HTTP/1.1', 'X-A : b')],
    ['a space before a name', head('GET / HTTP/1.1', ' X-A: b')],
    ['a bare LF between lines', 'GET / HTTP/1.1\nHost: localhost\n\n'],
    ['a bare LF behind a value', 'GET / HTTP/1.1\r\nHost: localhost\r\nX-A: b\nX-B: c\r\n\r\n'],
    ['a bare CR in a value', head('GET / HTTP/1.1', 'X-A: b\rc')],
    ['a NUL in a value', head('GET / HTTP/1.1', 'X-A: b\0c')],
    ['a NUL in a name', head('GET / HTTP/1.1', 'X\0A: b')],
    ['an obs-text byte in a value', head('GET / HTTP/1.1', 'X-A: caf\xe9')],
    ['a line without a colon', head('GET / HTTP/1.1', 'X-A')],
    ['an empty name', head('GET / HTTP/1.1', ': b')],
    ['a bad chunk size', head('POST / HTTP/1.1', 'Transfer-Encoding: chunked') + 'zz\r\nabc\r\n0\r\n\r\n'],
    ['a signed chunk size', head('POST / HTTP/1.1', 'Transfer-Encoding: chunked') + '+3\r\nabc\r\n0\r\n\r\n'],
    ['a chunk longer than its size', head('POST / HTTP/1.1', 'Transfer-Encoding: chunked') + '3\r\nabcd\r\n0\r\n\r\n'],
    [
      'a bare LF in a chunk extension',
      head('POST / HTTP/1.1', 'Transfer-Encoding: chunked') + '3;a\nb\r\nabc\r\n0\r\n\r\n',
    ],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two Host', head('GET / HTTP/1.1', 'Host: other')],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost: \r\n\r\n'],
    ['a Host with credentials', 'GET / HTTP/1.1\r\nHost: user:pw@localhost\r\n\r\n'],
    ['a Host with a space', 'GET / HTTP/1.1\r\nHost: local host\r\n\r\n'],
    ['a Host with a path', 'GET / HTTP/1.1\r\nHost: localhost/x\r\n\r\n'],
    ['a list of Hosts', 'GET / HTTP/1.1\r\nHost: localhost, other\r\n\r\n'],
    ['two Authorization', head('GET / HTTP/1.1', 'Authorization: Bearer a', 'Authorization: Bearer b')],
    ['another protocol version', 'GET / HTTP/1.7\r\nHost: localhost\r\n\r\n'],
    ['no version', 'GET /\r\nHost: localhost\r\n\r\n'],
    ['a method that is no token', 'G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['binary garbage', Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3])],
  ] as const) {
    it(`${what}: refused, closed, and nothing after it is read as a request`, async () => {
      const before = upstream.seen.length;
      const reply = await sendRaw({ port }, typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, {
        replies: 2,
        quietMs: 1_500,
      });
      assert.ok([400, 501, 505].includes(reply.status), `status ${reply.status}: ${reply.text.slice(0, 200)}`);
      assert.ok(reply.closed, 'the connection stayed open');
      assert.equal(reply.text.match(/HTTP\/1\.1 \d/g)?.length, 1, 'more than one reply');
      assert.ok(
        upstream.seen.slice(before).every((seen) => seen.target !== '/smuggled'),
        'a smuggled request got through',
      );
    });
  }

  it('two spaces in a request line are one, as RFC 9112 §3 allows, or it is refused', async () => {
    const before = upstream.seen.length;
    const reply = await sendRaw({ port }, 'GET  /two HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.ok(reply.status === 400 || reply.status === 200, reply.text.slice(0, 200));
    assert.deepEqual(
      upstream.seen.slice(before).map((seen) => seen.target),
      reply.status === 200 ? ['/two'] : [],
    );
    const three = await sendRaw({ port }, 'GET /two /three HTTP/1.1\r\nHost: localhost\r\n\r\n', { quietMs: 1_500 });
    assert.equal(three.status, 400);
  });

  it('a head past its limits is refused (431)', async () => {
    assert.equal((await sendRaw({ port }, head('GET / HTTP/1.1', `X-A: ${'a'.repeat(20_000)}`))).status, 431);
    assert.equal(
      (await sendRaw({ port }, head('GET / HTTP/1.1', ...Array.from({ length: 120 }, (_, at) => `X-${at}: a`)))).status,
      431,
    );
  });

  it('CONNECT and TRACE are refused', async () => {
    assert.ok(
      [400, 405, 501].includes(
        (await sendRaw({ port }, 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n')).status,
      ),
    );
    assert.ok([405, 501].includes((await sendRaw({ port }, head('TRACE / HTTP/1.1'))).status));
  });

  it('pipelined requests are answered in their order', async () => {
    const reply = await sendRaw({ port }, ['/1', '/2', '/3'].map((target) => head(`GET ${target} HTTP/1.1`)).join(''), {
      replies: 3,
    });
    assert.deepEqual(reply.text.match(/"target":"\/\d"/g), ['"target":"/1"', '"target":"/2"', '"target":"/3"']);
  });

  it('a body whose reply came early is not read as the next request', async () => {
    const before = upstream.seen.length;
    const reply = await sendRaw(
      { port },
      head('POST /x%2Fy HTTP/1.1', `Content-Length: ${smuggled.length}`) + smuggled,
      { replies: 2, quietMs: 1_000 },
    );
    assert.equal(reply.status, 400);
    assert.equal(upstream.seen.length, before);
  });
});
