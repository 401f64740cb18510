import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { readAll, readUntil, statusOf, TestListener } from './test-listener.ts';

const FUZZ = Number(process.env['SALLYPORT_FUZZ'] ?? 1);

describe('a request that two readers could read in two ways is refused, and the connection closed', () => {
  let test: TestListener;
  before(async () => {
    test = await TestListener.start({ limits: { headerCount: 20, headerBytes: 4096, targetBytes: 1000 } });
  });
  after(() => test[Symbol.asyncDispose]());

  const H = 'Host: a.example\r\n';
  const POST = `POST / HTTP/1.1\r\n${H}`;
  const GET = `GET / HTTP/1.1\r\n${H}`;
  // biome-ignore format: aligned on purpose, one case a row
  const cases: readonly [status: number, why: string, bytes: string][] = [
    // Attack 18: two lengths.
    [400, 'Content-Length with Transfer-Encoding',    `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    [400, 'Transfer-Encoding with Content-Length',    `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`],
    [400, 'two Content-Lengths that differ',          `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`],
    [400, 'two Content-Lengths that agree',           `${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`],
    [400, 'a list in Content-Length',                 `${POST}Content-Length: 5, 5\r\n\r\nhello`],
    [400, 'a signed Content-Length',                  `${POST}Content-Length: +5\r\n\r\nhello`],
    [400, 'a negative Content-Length',                `${POST}Content-Length: -5\r\n\r\nhello`],
    [400, 'a blank inside Content-Length',            `${POST}Content-Length: 5 0\r\n\r\nhello`],
    [400, 'a hexadecimal Content-Length',             `${POST}Content-Length: 0x5\r\n\r\nhello`],
    [400, 'an empty Content-Length',                  `${POST}Content-Length: \r\n\r\n`],
    [400, 'a Content-Length over 2^64',               `${POST}Content-Length: 99999999999999999999999\r\n\r\n`],
    [400, 'chunked, identity',                        `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    [400, 'identity, chunked',                        `${POST}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n`],
    [400, 'chunked twice',                            `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    [400, 'chunked, chunked',                         `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`],
    [400, 'xchunked',                                 `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    [400, 'gzip, chunked',                            `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    [400, 'an empty Transfer-Encoding',               `${POST}Transfer-Encoding: \r\n\r\n`],
    [400, 'Transfer-Encoding in HTTP/1.0',            `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    // Attack 19: the grammar.
    [400, 'a folded field',                           `${GET}X-A: b\r\n c\r\n\r\n`],
    [400, 'a folded field with a tab',                `${GET}X-A: b\r\n\tc\r\n\r\n`],
    [400, 'a blank before the colon',                 `${GET}X-A : b\r\n\r\n`],
    [400, 'a blank before a name',                    `GET / HTTP/1.1\r\n Host: a.example\r\n\r\n`],
    [400, 'a field without a colon',                  `${GET}X-A\r\n\r\n`],
    [400, 'an empty name',                            `${GET}: b\r\n\r\n`],
    [400, 'bare LF after the request line',           `GET / HTTP/1.1\n${H}\r\n`],
    [400, 'bare LF after a field',                    `${GET}X-A: b\n\r\n`],
    [400, 'bare LF at the end of the head',           `${GET}\n`],
    [400, 'bare CR in a value',                       `${GET}X-A: b\rc\r\n\r\n`],
    [400, 'NUL in a value',                           `${GET}X-A: b\0c\r\n\r\n`],
    [400, 'NUL in a name',                            `${GET}X\0A: b\r\n\r\n`],
    [400, 'a control character in a value',           `${GET}X-A: b\x01c\r\n\r\n`],
    [400, 'DEL in a value',                           `${GET}X-A: b\x7fc\r\n\r\n`],
    [400, 'NUL in the target',                        `GET /\0 HTTP/1.1\r\n${H}\r\n`],
    [400, 'no version',                               `GET /\r\n${H}\r\n`],
    [400, 'HTTP/0.9',                                 `GET / HTTP/0.9\r\n${H}\r\n`],
    [400, 'HTTP/2.0 as text',                         `GET / HTTP/2.0\r\n${H}\r\n`],
    [400, 'HTTP/1.2',                                 `GET / HTTP/1.2\r\n${H}\r\n`],
    // Attack 16: obs-text.
    [400, 'obs-text in a value',                      `${GET}X-A: caf\xe9\r\n\r\n`],
    [400, 'obs-text in a field that would be dropped', `${GET}X-User: caf\xe9\r\n\r\n`],
    // Attack 15: who is meant.
    [400, 'no Host in HTTP/1.1',                      'GET / HTTP/1.1\r\n\r\n'],
    [400, 'no Host in HTTP/1.0',                      'GET / HTTP/1.0\r\n\r\n'],
    [400, 'an empty Host',                            'GET / HTTP/1.1\r\nHost: \r\n\r\n'],
    [400, 'two Hosts',                                `GET / HTTP/1.1\r\n${H}Host: b.example\r\n\r\n`],
    [400, 'two equal Hosts',                          `GET / HTTP/1.1\r\n${H}${H}\r\n`],
    [400, 'a list in Host',                           'GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n'],
    [400, 'credentials in Host',                      'GET / HTTP/1.1\r\nHost: user:pw@a.example\r\n\r\n'],
    [400, 'a blank in Host',                          'GET / HTTP/1.1\r\nHost: a .example\r\n\r\n'],
    [400, 'a path in Host',                           'GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n'],
    [400, 'two Authorizations',                       `${GET}Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n`],
    [400, 'two Content-Types',                        `${POST}Content-Type: a/b\r\nContent-type: c/d\r\nContent-Length: 0\r\n\r\n`],
    // Attack 10: absolute form.
    [400, 'another host in the target',               `GET http://b.example/ HTTP/1.1\r\n${H}\r\n`],
    [400, 'credentials in the target',                `GET http://u@a.example/ HTTP/1.1\r\n${H}\r\n`],
    [400, 'another port in the target',               `GET http://a.example:81/ HTTP/1.1\r\n${H}\r\n`],
    [400, 'another scheme in the target',             `GET https://a.example/ HTTP/1.1\r\n${H}\r\n`],
    [400, 'an unknown scheme in the target',          `GET ftp://a.example/ HTTP/1.1\r\n${H}\r\n`],
    // The target.
    [400, 'a dot segment',                            `GET /pub/../admin HTTP/1.1\r\n${H}\r\n`],
    [400, 'a fragment',                               `GET /a#b HTTP/1.1\r\n${H}\r\n`],
    [400, 'a target without a slash',                 `GET a HTTP/1.1\r\n${H}\r\n`],
    [400, '* for GET',                                `GET * HTTP/1.1\r\n${H}\r\n`],
    [414, 'a target that is too long',                `GET /${'a'.repeat(1000)} HTTP/1.1\r\n${H}\r\n`],
    // Limits and features.
    [431, 'too many fields',                          `${GET}${'X-A: b\r\n'.repeat(20)}\r\n`],
    [431, 'a head that is too large',                 `${GET}X-A: ${'b'.repeat(5000)}\r\n\r\n`],
    [417, 'an unknown expectation',                   `${POST}Expect: 200-ok\r\nContent-Length: 1\r\n\r\na`],
    [501, 'CONNECT',                                  `CONNECT a.example:443 HTTP/1.1\r\n${H}\r\n`],
    [501, 'TRACE',                                    `TRACE / HTTP/1.1\r\n${H}\r\n`],
    [501, 'an unknown method',                        `FROBNICATE / HTTP/1.1\r\n${H}\r\n`],
  ];
  for (const [status, why, bytes] of cases) {
    it(`${why} → ${status}`, async () => {
      const before = test.exchanges.length;
      // A second request behind it must never be served: whatever comes after the refused one is not to be believed.
      const text = await test.send(`${bytes}GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n`);
      assert.equal(statusOf(text), status, text);
      assert.match(text, /\r\nConnection: close\r\n/);
      assert.match(text, /\r\nContent-Type: application\/problem\+json\r\n/);
      assert.match(text, /\r\nDate: /);
      assert.equal(text.match(/HTTP\/1\.1 \d/g)?.length, 1, text);
      assert.equal(test.exchanges.length, before);
    });
  }

  it('an answer has the id that the log can be searched for, and no word of what was sent', async () => {
    const text = await test.send('GET /secret<script>\\ HTTP/1.1\r\nHost: a.example\r\n\r\n');
    const id = /\r\nX-Request-Id: (\S+)\r\n/.exec(text)?.[1];
    assert.ok(id !== undefined && text.includes(`"requestId":"${id}"`), text);
    assert.doesNotMatch(text, /script/);
  });

  for (const [why, bytes] of [
    ['a chunk size that is none', 'g\r\nhello\r\n0\r\n\r\n'],
    ['a negative chunk size', '-5\r\nhello\r\n0\r\n\r\n'],
    ['a chunk size over 2^64', '11111111111111111\r\n'],
    ['a chunk size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['bare LF after a chunk size', '5\nhello\r\n0\r\n\r\n'],
    ['bare LF in a chunk extension', '5;a\nhello\r\n0\r\n\r\n'],
    ['a bare CR in a chunk extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
    ['a chunk longer than it says', '5\r\nhello!\r\n0\r\n\r\n'],
    ['bare LF after a chunk', '5\r\nhello\n0\r\n\r\n'],
    ['bare LF after the last chunk', '5\r\nhello\r\n0\n\n'],
    ['a huge chunk extension (CVE-2024-22019)', `5;${'a'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`],
  ] as const) {
    it(`${why} ends the connection, and the body is not complete`, async () => {
      const started = await TestListener.start({}, (exchange) => {
        exchange.body?.on('data', () => {});
      });
      try {
        const text = await started.send(
          `${POST}Transfer-Encoding: chunked\r\n\r\n${bytes}GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n`,
        );
        assert.ok([400, 413].includes(statusOf(text)), text);
        assert.equal(started.exchanges.length, 1);
        assert.equal(started.last.aborted, true);
        assert.equal(started.last.body?.readableEnded, false);
      } finally {
        await started[Symbol.asyncDispose]();
      }
    });
  }

  it('random bytes never end the process, and nothing but valid requests reaches the road', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'GET ',
        'POST ',
        '/',
        '/a',
        ' HTTP/1.1',
        ' HTTP/1.0',
        '\r\n',
        '\n',
        '\r',
        'Host: a',
        'Content-Length: 3',
        'Content-Length: 0',
      ),
      fc.constantFrom(
        'Transfer-Encoding: chunked',
        'Connection: close',
        'Connection: Upgrade',
        'Upgrade: websocket',
        '0\r\n\r\n',
        '3\r\nabc\r\n',
        ':',
        ' ',
        '\0',
        '\xff',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 20 }), async (pieces) => {
        const before = test.exchanges.length;
        const socket = await test.connect();
        socket.end(Buffer.from(pieces.join(''), 'latin1'));
        await readAll(socket);
        for (const exchange of test.exchanges.slice(before)) {
          assert.equal(exchange.host, 'a');
          assert.match(exchange.target.path, /^\/|^\*$/);
        }
      }),
      { numRuns: 300 * FUZZ },
    );
    assert.equal(statusOf(await test.send('GET /alive HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n')), 200);
  });
});

describe('a request that is taken', () => {
  let test: TestListener;
  before(async () => {
    test = await TestListener.start();
  });
  after(() => test[Symbol.asyncDispose]());

  async function take(bytes: string) {
    const text = await test.send(`${bytes.replace('\r\n', '\r\nConnection: close\r\n')}\r\n`);
    assert.equal(statusOf(text), 200, text);
    return test.last;
  }

  it('has its canonical host, target and facts', async () => {
    const exchange = await take('GET /%61pi?b=c HTTP/1.1\r\nHost: A.Example.:80\r\n');
    assert.equal(exchange.host, 'a.example');
    assert.equal(exchange.authority, 'a.example');
    assert.deepEqual(exchange.target, { path: '/api', query: 'b=c', encodedDelimiters: false });
    assert.equal(exchange.scheme, 'http');
    assert.equal(exchange.httpVersion, '1.1');
    assert.equal(exchange.body, undefined);
    assert.equal(exchange.bodyLength, undefined);
    assert.equal(exchange.clientAddress, '127.0.0.1');
    assert.equal(exchange.peerAddress, '127.0.0.1');
    assert.equal(exchange.tls, undefined);
    assert.deepEqual(exchange.listener, { name: 'test', exposure: 'public' });
  });

  it('may have the absolute form of its own host', async () => {
    const exchange = await take('GET http://A.example:80/x HTTP/1.1\r\nHost: a.example\r\n');
    assert.equal(exchange.target.path, '/x');
  });

  it('OPTIONS may ask for *', async () => {
    assert.equal((await take('OPTIONS * HTTP/1.1\r\nHost: a\r\n')).target.path, '*');
  });

  it('keeps names objects have (attack 17)', async () => {
    const exchange = await take('GET / HTTP/1.1\r\nHost: a\r\nconstructor: x\r\nhasOwnProperty: y\r\n');
    assert.equal(exchange.headers.get('constructor'), 'x');
  });

  it('loses what says who the caller is, and its aliases (attacks 11 and 12)', async () => {
    const claims = [
      'X-User: root',
      'x-user-id: 1',
      'X_User: root',
      'X.User: root',
      'X-Forwarded-For: 1.1.1.1',
      'Forwarded: for=1.1.1.1',
      'X-Real-IP: 1.1.1.1',
    ];
    const more = [
      'X-Forwarded-Proto: https',
      'x_forwarded_for: 1.1.1.1',
      'Remote-User: root',
      'X-Original-URL: /admin',
      'X-HTTP-Method-Override: DELETE',
      'Proxy: x',
      '__proto__: x',
      'X-Request-Id: chosen-by-me',
    ];
    const exchange = await take(
      `GET / HTTP/1.1\r\nHost: a\r\n${[...claims, ...more].join('\r\n')}\r\nX-Mine: kept\r\nAuthorization: Bearer t\r\n`,
    );
    assert.deepEqual(exchange.headers.raw, [
      'Connection',
      'close',
      'Host',
      'a',
      'X-Mine',
      'kept',
      'Authorization',
      'Bearer t',
    ]);
    assert.equal(exchange.clientAddress, '127.0.0.1');
    assert.equal(exchange.scheme, 'http');
    assert.notEqual(exchange.id, 'chosen-by-me');
  });

  it('keeps Connection for the road to judge, and nothing it nominates is gone (attack 14)', async () => {
    const exchange = await take(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Mine, Authorization\r\nAuthorization: x\r\n',
    );
    assert.equal(exchange.headers.get('authorization'), 'x');
  });

  it('with an Upgrade nobody here knows is an ordinary one, and the last of its connection', async () => {
    const socket = await test.connect();
    socket.write(
      'GET /one HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    const text = await readAll(socket);
    assert.match(text, /200 OK[\s\S]*\r\nConnection: close[\s\S]*\/one$/);
  });

  it('in a pipeline is served in its turn', async () => {
    const order: string[] = [];
    const waiting = new Map<string, () => void>();
    const slow = await TestListener.start({}, async (exchange) => {
      order.push(exchange.target.path);
      await new Promise<void>((resolve) => waiting.set(exchange.target.path, resolve));
      exchange.wire.head(200, ['Content-Length', '2']);
      exchange.wire.end(exchange.target.path, undefined);
    });
    const socket = await slow.connect();
    socket.write(
      'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\nGET //bad HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    const all = readUntil(socket, /ambiguous-target/);
    while (!waiting.has('/a')) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(order, ['/a']);
    waiting.get('/a')?.();
    while (!waiting.has('/b')) await new Promise((resolve) => setImmediate(resolve));
    waiting.get('/b')?.();
    assert.match(await all, /200 OK[\s\S]*\/aHTTP\/1\.1 200 OK[\s\S]*\/bHTTP\/1\.1 400/);
    await slow[Symbol.asyncDispose]();
  });

  it('in an endless pipeline is not: the connection is cut and memory bounded', async () => {
    const stuck = await TestListener.start({}, () => new Promise(() => {}));
    await stuck.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2000));
    assert.equal(stuck.exchanges.length, 1);
    await stuck[Symbol.asyncDispose]();
  });
});
