import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BadResponse } from './response-head.ts';
import { type ExpectedResponse, ResponseParser } from './response-parser.ts';

interface Heard {
  status: number;
  headers: string[];
  body: string;
  ended: 'open' | 'reusable' | 'spent';
  trailers: readonly string[] | undefined;
  switched: string | undefined;
}

const GET: ExpectedResponse = { toHead: false, upgrade: false };

function parse(pieces: readonly (string | Buffer)[], expected = GET, eof = false): Heard {
  const heard: Heard = { status: 0, headers: [], body: '', ended: 'open', trailers: undefined, switched: undefined };
  const parser = new ResponseParser({
    onHead(status, fields) {
      heard.status = status;
      heard.headers = fields.endToEnd.raw;
    },
    onData(chunk) {
      heard.body += chunk.toString('latin1');
    },
    onEnd(trailers, reusable) {
      heard.ended = reusable ? 'reusable' : 'spent';
      heard.trailers = trailers;
    },
    onSwitched(headers, surplus) {
      heard.headers = headers.raw;
      heard.switched = surplus.toString('latin1');
    },
  });
  parser.expect(expected);
  for (const piece of pieces) parser.feed(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
  if (eof) parser.eof();
  return heard;
}

describe('framing of responses (RFC 9112 §6.3)', () => {
  it('reads a body by its Content-Length and frees the connection', () => {
    const heard = parse(['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello']);
    assert.deepEqual(heard, {
      status: 200,
      headers: ['Content-Length', '5', 'X-A', 'b'],
      body: 'hello',
      ended: 'reusable',
      trailers: undefined,
      switched: undefined,
    });
  });

  it('reads chunks, their extensions and the trailers', () => {
    const heard = parse([
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
    ]);
    assert.equal(heard.body, 'abc0123456789');
    assert.deepEqual(heard.trailers, ['X-Sum', '1']);
    assert.equal(heard.ended, 'reusable');
  });

  it('reads until close where nothing else delimits, and spends the connection', () => {
    const heard = parse(['HTTP/1.1 200 OK\r\n\r\nabc', 'def'], GET, true);
    assert.equal(heard.body, 'abcdef');
    assert.equal(heard.ended, 'spent');
  });

  for (const [what, response, expected] of [
    ['a response to HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { toHead: true, upgrade: false }],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', GET],
    ['304 with the length of what it stands for', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', GET],
    ['a length of zero', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', GET],
  ] as const) {
    it(`takes no body of ${what}`, () => assert.equal(parse([response], expected).ended, 'reusable'));
  }

  it('passes over interim responses', () => {
    assert.equal(
      parse(['HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n']).status,
      200,
    );
  });

  it('keeps the fields of the connection to itself, those that Connection nominates too (RFC 9110 §7.6.1)', () => {
    const heard = parse([
      'HTTP/1.1 200 OK\r\nX-a: 1\r\nconnection: X-A\r\nKEEP-ALIVE: timeout=5\r\nConnection: keep-alive, x-B\r\n' +
        'Upgrade: h2c\r\nx-B: 2\r\nX-C: 3\r\nContent-Length: 0\r\n\r\n',
    ]);
    assert.deepEqual(heard.headers, ['X-C', '3', 'Content-Length', '0']);
    assert.equal(heard.ended, 'reusable');
  });

  it('hands over the connection after a 101 that was asked for', () => {
    const heard = parse(['HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00'], {
      toHead: false,
      upgrade: true,
    });
    assert.equal(heard.switched, '\x81\x00');
  });

  for (const [what, response] of [
    ['Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na'],
    [
      'a second Connection field that says close',
      'HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nconnection: Close\r\nContent-Length: 1\r\n\r\na',
    ],
    [
      'HTTP/1.0 that says both',
      'HTTP/1.0 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na',
    ],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na'],
    ['surplus bytes after a length', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n'],
    ['surplus bytes after chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX'],
    ['surplus bytes after no body', 'HTTP/1.1 204 No Content\r\n\r\nX'],
    ['a 204 that announces a body', 'HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n'],
  ] as const) {
    it(`never reuses a connection after ${what}`, () => assert.equal(parse([response]).ended, 'spent'));
  }
});

describe('responses that are refused', () => {
  for (const [what, response] of [
    [
      'Content-Length with Transfer-Encoding',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
    ['two Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n'],
    ['two Content-Length in two spellings', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\ncontent-length: \r\n\r\n'],
    ['two Transfer-Encoding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n'],
    ['an empty Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n'],
    ['an empty Transfer-Encoding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: \r\n\r\n'],
    ['a signed Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\n'],
    ['a list as Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n'],
    ['an unknown transfer coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n'],
    ['two transfer codings', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['chunked HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n'],
    ['lines that end in LF alone, and so never in CR LF CR LF', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    ['a bare CR in a value', 'HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n'],
    ['a folded first line', 'HTTP/1.1 200 OK\r\n\tX: a\r\n\r\n'],
    ['an empty line before the head', '\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a DEL in a trailer', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\x7fb\r\n\r\n'],
    ['a bare LF in a trailer', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\nY: b\r\n\r\n'],
    ['a NUL', 'HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nX : a\r\n\r\n'],
    ['a line without a colon', 'HTTP/1.1 200 OK\r\nX\r\n\r\n'],
    ['an empty name', 'HTTP/1.1 200 OK\r\n: a\r\n\r\n'],
    ['another protocol', 'ICY 200 OK\r\n\r\n'],
    ['HTTP/2 over HTTP/1', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status past 599', 'HTTP/1.1 999 Odd\r\n\r\n'],
    ['a 101 nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['endless interim responses', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20)],
    ['a bad chunk size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n'],
    ['an endless chunk extension', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;${'a'.repeat(2000)}`],
    ['a chunk longer than its size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n'],
    ['an endless head', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}`],
    ['too many fields', `HTTP/1.1 200 OK\r\n${'X: a\r\n'.repeat(300)}\r\n`],
  ] as const) {
    it(what, () => assert.throws(() => parse([response]), BadResponse));
  }

  it('an end in the middle', () => {
    for (const cut of [
      'HTTP/1.1 200 OK\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n',
    ]) {
      assert.throws(() => parse([cut], GET, true), BadResponse);
    }
  });

  it('bytes on an idle connection', () => {
    const parser = new ResponseParser({ onHead() {}, onData() {}, onEnd() {}, onSwitched() {} });
    assert.throws(() => parser.feed(Buffer.from('HTTP/1.1 200 OK\r\n\r\n')), BadResponse);
  });
});

describe('properties', () => {
  const samples = [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
  ];

  it('says the same however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.array(fc.nat(200), { maxLength: 12 }), (sample, cuts) => {
        const at = [...new Set([0, ...cuts.filter((cut) => cut < sample.length), sample.length])].sort((a, b) => a - b);
        const pieces = at.slice(1).map((end, index) => sample.slice(at[index], end));
        assert.deepEqual(parse(pieces), parse([sample]));
      }),
      { numRuns: 500 },
    );
  });

  it('answers any bytes with events or BadResponse, nothing else', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('', ...samples),
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(120),
        (sample, noise, at) => {
          const bytes = Buffer.concat([
            Buffer.from(sample.slice(0, at), 'latin1'),
            noise,
            Buffer.from(sample.slice(at), 'latin1'),
          ]);
          try {
            parse([bytes], GET, true);
          } catch (error) {
            assert.ok(error instanceof BadResponse, String(error));
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
