import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { readAll, statusOf, TestListener } from './test-listener.ts';

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
    ['a length in the trailers', '0\r\nContent-Length: 3\r\n\r\n'],
    ['a coding in the trailers', '0\r\ntransfer-encoding: chunked\r\n\r\n'],
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
