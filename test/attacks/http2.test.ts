import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { freePort, startGateway, type TestGateway } from '../support/gateway.ts';
import { assertAlive, devCaOf } from '../support/gateway-under-attack.ts';
import { headerBlock } from '../support/hpack.ts';
import {
  dataFrame,
  FLAG,
  FRAME,
  frame,
  type Http2Reply,
  type Http2Target,
  headersFrame,
  openHttp2,
  openSilent,
  priorityFrame,
  requestFields,
  uint32,
} from '../support/http2-frames.ts';
import { type Seen, startUpstream, type TestUpstream } from '../support/upstream.ts';

type Fields = readonly (readonly [string, string])[];

/** Attack case 20, and cases 1–12 once more: HTTP/2 frames written by hand, as no client library would. */
describe('attacks by HTTP/2', () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let target: Http2Target;

  before(async () => {
    upstream = await startUpstream();
    const port = await freePort();
    gateway = await startGateway(`
listeners: [{ name: public, address: 127.0.0.1:${port} }]
workers: 1
apis:
  - { name: all, upstream: '${upstream.url}', authenticate: none, hosts: [localhost] }
  - { name: rewritten, path: /api, rewrite: /internal, upstream: '${upstream.url}', authenticate: none, hosts: [localhost] }
`);
    target = { port, ca: devCaOf(gateway) };
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  /** Sends one request on a connection of its own. */
  async function ask(fields: Fields, options: Ask = {}): Promise<{ reply: Http2Reply; seen: Seen | undefined }> {
    const before = upstream.seen.length;
    const connection = await openHttp2(target);
    const frames = [
      headersFrame(1, headerBlock(fields), { endStream: options.rest === undefined }),
      ...(options.rest ?? []),
    ];
    connection.write(...frames);
    const reply = await connection.reply(1);
    connection.close();
    return { reply, seen: upstream.seen[before] };
  }

  /** Refused by a status of the client's fault, or by a reset of the stream, or by the end of the connection. */
  async function assertRefused(fields: Fields, options: Ask = {}): Promise<void> {
    const { reply, seen } = await ask(fields, options);
    assert.equal(seen, undefined, 'it reached the upstream');
    assert.ok(
      reply.broken || (reply.status >= 400 && reply.status < 500) || reply.status === 501,
      `status ${reply.status}`,
    );
    assert.ok(reply.status === 0 || reply.status >= 400, `status ${reply.status}`);
  }

  const plain = requestFields('/x');
  const post = requestFields('/x', 'POST');
  const without = (name: string): Fields => plain.filter(([each]) => each !== name);
  const replaced = (name: string, value: string): Fields =>
    plain.map(([each, before]) => [each, each === name ? value : before] as const);

  /**
   * nghttp2 takes such a field out of the request without a word, where RFC 9113 §8.2.1 would have the request refused. What matters is
   * that nothing of it goes on.
   */
  const dropped: readonly (readonly [what: string, fields: Fields])[] = [
    ['CR LF in a value', [...plain, ['x-a', 'mallory\r\nx-user: mallory']]],
    ['a bare LF in a value', [...plain, ['x-a', 'mallory\nc']]],
    ['a bare CR in a value', [...plain, ['x-a', 'mallory\rc']]],
    ['NUL in a value', [...plain, ['x-a', 'mallory\0c']]],
    ['CR LF in a name', [...plain, ['x-a\r\nx-user', 'mallory']]],
    ['a space in a name', [...plain, ['x a', 'mallory']]],
    ['a colon in a name', [...plain, ['x-a: b', 'mallory']]],
    ['an empty name', [...plain, ['', 'mallory']]],
  ];
  for (const [what, fields] of dropped) {
    it(`${what}: refused, or the field is gone before anybody sees it`, async () => {
      const { seen } = await ask(fields);
      assert.ok(!/mallory|x-a|x a/.test(JSON.stringify(seen ?? null)), JSON.stringify(seen));
    });
  }

  const refused: readonly (readonly [what: string, fields: Fields])[] = [
    ['obs-text in a value', [...plain, ['x-a', 'caf\xe9']]],
    ['an uppercase name', [...plain, ['X-A', 'b']]],
    ['transfer-encoding', [...post, ['transfer-encoding', 'chunked']]],
    ['connection', [...plain, ['connection', 'x-user']]],
    ['keep-alive', [...plain, ['keep-alive', 'timeout=5']]],
    ['proxy-connection', [...plain, ['proxy-connection', 'keep-alive']]],
    ['upgrade', [...plain, ['upgrade', 'websocket']]],
    ['te: gzip', [...plain, ['te', 'gzip']]],
    ['te: trailers, gzip', [...plain, ['te', 'trailers, gzip']]],
    ['no :method', without(':method')],
    ['no :scheme', without(':scheme')],
    ['no :path', without(':path')],
    ['neither :authority nor host', without(':authority')],
    ['two :method', [[':method', 'GET'], ...plain]],
    ['two :path', [[':path', '/admin'], ...plain]],
    ['two :authority', [[':authority', 'other.example.com'], ...plain]],
    ['an unknown pseudo-header', [...plain, [':user', 'mallory']]],
    [':status in a request', [...plain, [':status', '200']]],
    [':protocol without extended CONNECT', [...plain, [':protocol', 'websocket']]],
    ['a pseudo-header behind a field', [['x-a', 'b'], ...plain]],
    [':path behind a field', [...without(':path'), ['x-a', 'b'], [':path', '/x']]],
    ['an empty :method', replaced(':method', '')],
    ['a :method with a space', replaced(':method', 'GET /admin')],
    ['a :method with CR LF', replaced(':method', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET')],
    ['an empty :path', replaced(':path', '')],
    ['a :path without a slash', replaced(':path', 'x')],
    ['a :path in absolute form', replaced(':path', 'https://localhost/x')],
    ['a :path of *', replaced(':path', '*')],
    ['a :path with a space', replaced(':path', '/x HTTP/1.1')],
    ['a :path with CR LF', replaced(':path', '/x\r\nx-user: mallory')],
    ['a :path with NUL', replaced(':path', '/x\0')],
    ['an empty :scheme', replaced(':scheme', '')],
    [':scheme http over TLS', replaced(':scheme', 'http')],
    ['a made-up :scheme', replaced(':scheme', 'file')],
    ['a :scheme with a path', replaced(':scheme', 'https://localhost/admin?')],
    ['an empty :authority', replaced(':authority', '')],
    [':authority with credentials', replaced(':authority', 'user:pw@localhost')],
    [':authority with a path', replaced(':authority', 'localhost/admin')],
    [':authority with a space', replaced(':authority', 'local host')],
    [':authority with a list', replaced(':authority', 'localhost, other')],
    [':authority with CR LF', replaced(':authority', 'localhost\r\nx-user: mallory')],
    [':authority that disagrees with host', [...plain, ['host', 'other.example.com']]],
    [':authority that agrees with one of two hosts', [...plain, ['host', 'localhost'], ['host', 'other.example.com']]],
    ['two authorization', [...plain, ['authorization', 'Bearer a'], ['authorization', 'Bearer b']]],
    ['a content-length without a body', [...post, ['content-length', '5']]],
    ['a signed content-length', [...post, ['content-length', '+0']]],
    ['two content-length', [...post, ['content-length', '0'], ['content-length', '5']]],
    [
      'CONNECT',
      [
        [':method', 'CONNECT'],
        [':authority', 'localhost:80'],
      ],
    ],
    ['CONNECT with a path', requestFields('/x', 'CONNECT')],
    [
      'extended CONNECT (RFC 8441), which was not offered',
      [...requestFields('/x', 'CONNECT'), [':protocol', 'websocket']],
    ],
    ['TRACE', requestFields('/x', 'TRACE')],
  ];
  for (const [what, fields] of refused) {
    it(`${what}: refused, and nothing reaches the upstream`, () => assertRefused(fields));
  }

  for (const path of [
    '/pub/%2e%2e/admin',
    '/pub/../admin',
    '/pub/.',
    '/./pub',
    '//pub',
    '/pub//x',
    '/pub/..;a=b/admin',
    '/pub/%2F',
    '/pub/%5C',
    '/pub/%00',
    '/pub/%23',
    '/pub/%3F',
    '/pub/%3B',
    '/pub\\..\\admin',
    '/\\evil',
    '/pub#x',
    '/pub?a#b',
    '/pub/%252e%252e/admin',
    '/pub/%c0%ae',
    '/pub/%',
    '/pub/%zz',
    '/pub/caf\xe9',
  ]) {
    it(`:path ${path} is refused`, () => assertRefused(requestFields(path)));
  }

  for (const [path, forwarded] of [
    ['/%61pi/x', '/internal/x'],
    ['/a/%7Eb?c=%2F../d', '/a/~b?c=%2F../d'],
    ['/..a/b;c', '/..a/b;c'],
  ] as const) {
    it(`:path ${path} reaches the upstream as ${forwarded}`, async () =>
      assert.equal((await ask(requestFields(path))).seen?.target, forwarded));
  }

  for (const [what, length, body] of [
    ['less', '3', 'abcde'],
    ['more', '9', 'abcde'],
  ] as const) {
    it(`a content-length that announces ${what} than comes: no complete request reaches the upstream`, async () => {
      const { reply, seen } = await ask([...post, ['content-length', length]], { rest: [dataFrame(1, body)] });
      assert.equal(seen, undefined);
      assert.ok(reply.broken || reply.status >= 400, `status ${reply.status}`);
    });
  }

  it('a content-length of 0 with a body: not a byte of it passes', async () => {
    const { reply, seen } = await ask([...post, ['content-length', '0']], {
      rest: [dataFrame(1, 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    });
    assert.equal(seen?.body ?? '', '');
    assert.ok(upstream.seen.every((each) => each.target !== '/smuggled'));
    assert.ok(reply.broken || reply.status >= 400, `status ${reply.status}`);
  });

  it('a body over several frames that keeps its word passes', async () => {
    const { seen } = await ask([...post, ['content-length', '6']], {
      rest: [dataFrame(1, 'abc', { endStream: false }), dataFrame(1, '', { endStream: false }), dataFrame(1, 'def')],
    });
    assert.equal(seen?.body, 'abcdef');
    assert.equal(seen?.headers['content-length'], '6');
  });

  it('an authority decides alike in any case, with its port and with an agreeing host', async () => {
    for (const authority of ['LOCALHOST', 'localhost.', `localhost:${target.port}`]) {
      assert.equal((await ask(requestFields('/x', 'GET', authority))).reply.status, 200, authority);
    }
    assert.equal((await ask([...plain, ['host', 'LOCALHOST']])).reply.status, 200);
    assert.equal((await ask([...without(':authority'), ['host', 'localhost']])).reply.status, 200);
    assert.equal((await ask(requestFields('/x', 'GET', 'other.example.com'))).reply.status, 404);
  });

  it('identity headers and their aliases are dropped, forwarding fields made anew', async () => {
    const names = [
      'x-user',
      'x-forwarded-user',
      'remote-user',
      'x-auth-request-email',
      'x-client-cert',
      'x-original-url',
      'x-http-method-override',
      'x_user',
      'x.user',
      'x_forwarded_for',
      'x-forwarded-for',
      'x-forwarded-host',
      'forwarded',
      'x-real-ip',
      'x-request-id',
    ];
    const { reply, seen } = await ask([...plain, ...names.map((name) => [name, 'mallory'] as const)]);
    assert.equal(reply.status, 200);
    assert.ok(!JSON.stringify(seen?.rawHeaders).includes('mallory'), JSON.stringify(seen?.rawHeaders));
    assert.equal(seen?.headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(seen?.headers['x-forwarded-proto'], 'https');
    assert.equal(seen?.headers['x-forwarded-host'], `localhost`);
  });

  it('the crumbs of a cookie are joined, and only they', async () => {
    const { seen } = await ask([...plain, ['cookie', 'a=1'], ['x-a', 'b'], ['cookie', 'b=2'], ['cookie', 'c=3']]);
    assert.equal(seen?.rawHeaders.filter((name) => name.toLowerCase() === 'cookie').length, 1);
    assert.equal(seen?.headers.cookie, 'a=1; b=2; c=3');
    assert.equal(seen?.headers['x-a'], 'b');
  });

  it('te: trailers is allowed, and ends at the gateway', async () => {
    const { reply, seen } = await ask([...plain, ['te', 'trailers']]);
    assert.equal(reply.status, 200);
    assert.equal(seen?.headers.te, undefined);
  });

  const trailers = (fields: Fields): readonly Buffer[] => [
    dataFrame(1, 'abc', { endStream: false }),
    headersFrame(1, headerBlock(fields)),
  ];

  it('trailers that frame, route or authenticate do not reach the upstream', async () => {
    const { seen } = await ask(post, {
      rest: trailers([
        ['authorization', 'mallory'],
        ['host', 'mallory'],
        ['content-length', '3'],
        ['x-user', 'mallory'],
        ['x_user', 'mallory'],
        ['content-type', 'mallory'],
        ['cookie', 'mallory'],
      ]),
    });
    assert.ok(!JSON.stringify(seen ?? null).includes('mallory'), JSON.stringify(seen));
  });

  for (const [what, fields] of [
    ['a pseudo-header', [[':path', '/admin']]],
    ['transfer-encoding', [['transfer-encoding', 'chunked']]],
    ['an uppercase name', [['X-A', 'b']]],
  ] as const) {
    it(`${what} in a trailer section: the request is never complete`, async () => {
      const { seen } = await ask(post, { rest: trailers(fields) });
      assert.equal(seen, undefined);
    });
  }

  it('CR LF in the value of a trailer goes nowhere', async () => {
    const { seen } = await ask(post, {
      rest: trailers([['x-a', 'b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n']]),
    });
    assert.ok(!JSON.stringify(seen ?? null).includes('smuggled'));
    assert.ok(upstream.seen.every((each) => each.target !== '/smuggled'));
  });

  it('a trailer section that does not end its stream is refused', async () => {
    const { seen } = await ask(post, {
      rest: [
        dataFrame(1, 'abc', { endStream: false }),
        headersFrame(1, headerBlock([['x-a', 'b']]), { endStream: false }),
      ],
    });
    assert.equal(seen, undefined);
  });

  it('priorities of any content are ignored', async () => {
    const { reply, seen } = await ask([...plain, ['priority', 'u=9, i=?2, ((((']]);
    assert.equal(reply.status, 200);
    assert.ok(seen !== undefined);
    const connection = await openHttp2(target);
    connection.write(
      priorityFrame(1, 0, 255),
      priorityFrame(99, 3, 0),
      priorityFrame(3, 0x80000001),
      priorityFrame(0x7fffffff, 1),
    );
    connection.write(
      frame(
        FRAME.headers,
        FLAG.endHeaders | FLAG.endStream | FLAG.priority,
        5,
        Buffer.concat([uint32(7), Buffer.from([9]), headerBlock(plain)]),
      ),
    );
    assert.equal((await connection.reply(5)).status, 200);
    connection.close();
  });

  const connectionFaults: readonly (readonly [what: string, bytes: readonly Buffer[]])[] = [
    ['a frame larger than allowed', [frame(FRAME.data, 0, 1, Buffer.alloc(20_000))]],
    ['DATA on stream 0', [frame(FRAME.data, 0, 0, 'x')]],
    ['HEADERS on stream 0', [headersFrame(0, headerBlock(plain))]],
    ['an even stream', [headersFrame(2, headerBlock(plain))]],
    ['DATA on a stream never opened', [dataFrame(7, 'x')]],
    [
      'HEADERS between CONTINUATIONs',
      [headersFrame(1, headerBlock(plain), { endHeaders: false }), headersFrame(3, headerBlock(plain))],
    ],
    ['a CONTINUATION of nothing', [frame(FRAME.continuation, FLAG.endHeaders, 1, headerBlock(plain))]],
    [
      'PUSH_PROMISE of a client',
      [frame(FRAME.push, FLAG.endHeaders, 1, Buffer.concat([uint32(2), headerBlock(plain)]))],
    ],
    ['SETTINGS of an odd length', [frame(FRAME.settings, 0, 0, 'abc')]],
    ['SETTINGS with ENABLE_PUSH 2', [frame(FRAME.settings, 0, 0, Buffer.from([0, 2, 0, 0, 0, 2]))]],
    ['SETTINGS with a window past 2^31', [frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0xff, 0xff, 0xff, 0xff]))]],
    ['SETTINGS with frames of one byte', [frame(FRAME.settings, 0, 0, Buffer.from([0, 5, 0, 0, 0, 1]))]],
    ['PING of an odd length', [frame(FRAME.ping, 0, 0, 'abc')]],
    ['RST_STREAM of a stream never opened', [frame(FRAME.reset, 0, 7, uint32(8))]],
    ['WINDOW_UPDATE of 0 on the connection', [frame(FRAME.windowUpdate, 0, 0, uint32(0))]],
    [
      'WINDOW_UPDATE past 2^31 on the connection',
      [frame(FRAME.windowUpdate, 0, 0, uint32(0x7fffffff)), frame(FRAME.windowUpdate, 0, 0, uint32(0x7fffffff))],
    ],
    ['an HPACK index out of the table', [headersFrame(1, Buffer.from([0xff, 0xff, 0x03]))]],
    ['an HPACK integer without an end', [headersFrame(1, Buffer.alloc(40, 0xff))]],
    ['HPACK Huffman padding that is none', [headersFrame(1, Buffer.from([0x00, 0x81, 0x00, 0x81, 0x00]))]],
    [
      'an HPACK table larger than allowed',
      [headersFrame(1, Buffer.concat([Buffer.from([0x3f, 0xe1, 0xff, 0x7f]), headerBlock(plain)]))],
    ],
    [
      'padding longer than its frame',
      [frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream | FLAG.padded, 1, Buffer.from([255, 0x82]))],
    ],
  ];
  for (const [what, bytes] of connectionFaults) {
    it(`${what} ends the connection`, async () => {
      const connection = await openHttp2(target);
      connection.write(...bytes);
      assert.ok(await connection.until(() => connection.isOver, 5_000), 'the connection goes on');
      connection.close();
    });
  }

  it('a stream number that goes back is not served', async () => {
    const before = upstream.seen.length;
    const connection = await openHttp2(target);
    connection.write(
      headersFrame(9, headerBlock(plain)),
      headersFrame(5, headerBlock(plain)),
      headersFrame(11, headerBlock(plain)),
    );
    await connection.reply(11);
    assert.ok(!connection.frames.some((each) => each.stream === 5 && each.type === FRAME.headers));
    assert.ok(upstream.seen.length - before <= 2, 'stream 5 reached the upstream');
    connection.close();
  });

  it('HTTP/1.1 bytes where HTTP/2 was agreed on end the connection', async () => {
    const connection = await openSilent(target);
    const before = upstream.seen.length;
    connection.write(Buffer.from('GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n'));
    assert.ok(await connection.until(() => connection.isOver, 5_000));
    assert.equal(upstream.seen.length, before);
    connection.close();
  });

  it('an honest client of a library is served, and the gateway is unharmed', async () => {
    const session = connectHttp2(`https://localhost:${target.port}`, { ca: target.ca });
    const stream = session.request({ ':path': '/x', ':method': 'POST' });
    stream.end('hello');
    let body = '';
    stream.setEncoding('utf8');
    for await (const part of stream) body += part;
    session.close();
    assert.equal(JSON.parse(body).body, 'hello');
    await assertAlive(gateway, target);
  });
});

interface Ask {
  /** Frames after the head, which then does not end the stream. */
  readonly rest?: readonly Buffer[];
}
