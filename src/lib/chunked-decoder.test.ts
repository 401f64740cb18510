import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { cutBytes } from '../../test/support/cut-bytes.ts';
import { ChunkedDecoder } from './chunked-decoder.ts';
import { MalformedMessage } from './malformed-message.ts';

const RULES = { trailerBytes: 200, trailerFields: 5, padding: false };
const MOST_LINE_BYTES = 512;

interface Outcome {
  readonly end: 'complete' | 'incomplete' | 'malformed' | 'too large';
  /** What was given to the reader, also of a body that turned out to be malformed. */
  readonly body: string;
  readonly trailers: readonly string[];
  /** What came behind the body; empty where it did not end. */
  readonly rest: string;
}

/** Feeds the pieces one after the other; what is left over once the body has ended is all `rest`. */
function decode(pieces: readonly Buffer[], limits = RULES): Outcome {
  const body: Buffer[] = [];
  const decoder = new ChunkedDecoder(limits, (data) => body.push(Buffer.from(data)));
  const outcome = (end: Outcome['end'], rest: readonly Buffer[] = []): Outcome => ({
    end,
    body: Buffer.concat(body).toString('latin1'),
    trailers: decoder.trailers,
    rest: Buffer.concat(rest).toString('latin1'),
  });
  for (const [index, piece] of pieces.entries()) {
    try {
      const rest = decoder.feed(piece);
      if (rest !== undefined) return outcome('complete', [rest, ...pieces.slice(index + 1)]);
    } catch (error) {
      assert.ok(error instanceof MalformedMessage, String(error));
      return outcome(error.exceedsLimit ? 'too large' : 'malformed');
    }
  }
  return outcome('incomplete');
}

function decodeText(text: string, limits = RULES): Outcome {
  return decode([Buffer.from(text, 'latin1')], limits);
}

const sizes = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 8 });

const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,8}$/);
const value = fc.stringMatching(/^(?:[!-~](?:[ -~]{0,6}[!-~])?)?$/);
const extension = fc.oneof(
  fc.constant(''),
  token.map((name) => `;${name}`),
  fc.tuple(token, token).map(([name, word]) => `;${name}=${word}`),
  token.map((name) => ` ; ${name}="quoted \\" ; text"`),
);

interface Message {
  readonly chunks: readonly { readonly data: string; readonly extension: string; readonly zeros: string }[];
  readonly trailers: readonly (readonly [name: string, value: string])[];
}

const message: fc.Arbitrary<Message> = fc.record({
  chunks: fc.array(
    fc.record({
      data: fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).map((text) => latin1(text)),
      extension,
      zeros: fc.constantFrom('', '', '0', '000'),
    }),
    { maxLength: 6 },
  ),
  trailers: fc.array(fc.tuple(token, value), { maxLength: RULES.trailerFields }),
});

function latin1(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

function encode({ chunks, trailers }: Message): string {
  const body = chunks.map(({ data, extension, zeros }) => {
    return `${zeros}${data.length.toString(16)}${extension}\r\n${data}\r\n`;
  });
  return `${body.join('')}0\r\n${trailers.map(([name, text]) => `${name}: ${text}\r\n`).join('')}\r\n`;
}

describe('a body in the chunked coding', () => {
  // biome-ignore format: aligned on purpose, one case a row
  const complete: readonly [why: string, text: string, body: string, trailers: readonly string[], rest: string][] = [
    ['of no chunk',                       '0\r\n\r\n',                                        '',      [],                         ''],
    ['of one chunk',                      '5\r\nhello\r\n0\r\n\r\n',                          'hello', [],                         ''],
    ['of several chunks',                 '1\r\na\r\n2\r\nbc\r\n0\r\n\r\n',                   'abc',   [],                         ''],
    ['with zeros before a size',          '0005\r\nhello\r\n000\r\n\r\n',                     'hello', [],                         ''],
    ['with hexadecimal sizes',            'A\r\n0123456789\r\nb\r\n01234567890\r\n0\r\n\r\n', '012345678901234567890', [],         ''],
    ['with an extension',                 '5;a\r\nhello\r\n0;b\r\n\r\n',                      'hello', [],                         ''],
    ['with blanks around an extension',   '5 ; a = "b;c"\r\nhello\r\n0\r\n\r\n',              'hello', [],                         ''],
    ['with CRLF among its data',          '4\r\n\r\n\r\n\r\n0\r\n\r\n',                       '\r\n\r\n', [],                      ''],
    ['with what looks like its end',      '5\r\n0\r\n\r\n\r\n0\r\n\r\n',                      '0\r\n\r\n', [],                     ''],
    ['with trailers',                     '0\r\nA: 1\r\nb:\t2 \r\n\r\n',                      '',      ['A', '1', 'b', '2'],       ''],
    ['with an empty trailer',             '0\r\nA:\r\n\r\n',                                  '',      ['A', ''],                  ''],
    ['before another message',            '1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n',            'a',     [],                         'GET / HTTP/1.1\r\n'],
    ['before blank lines',                '0\r\n\r\n\r\n\r\n',                                '',      [],                         '\r\n\r\n'],
  ];
  for (const [why, text, body, trailers, rest] of complete) {
    it(`${why} is decoded, in one piece and byte by byte`, () => {
      const expected: Outcome = { end: 'complete', body, trailers, rest };
      assert.deepEqual(decodeText(text), expected);
      assert.deepEqual(decode(cutBytes(Buffer.from(text, 'latin1'), [1])), expected);
    });
  }

  // biome-ignore format: aligned on purpose, one case a row
  const malformed: readonly [why: string, text: string, body: string][] = [
    ['a size that is none',               'g\r\n',                          ''],
    ['no size',                           '\r\n',                           ''],
    ['an extension without a size',       ';a\r\n',                         ''],
    ['a signed size',                     '+5\r\nhello\r\n',                ''],
    ['a negative size',                   '-5\r\nhello\r\n',                ''],
    ['a size with 0x',                    '0x5\r\nhello\r\n',               ''],
    ['a size with an underscore',         '1_0\r\n',                        ''],
    ['a size of two numbers',             '5 5\r\nhello\r\n',               ''],
    ['a blank before a size',             ' 5\r\nhello\r\n',                ''],
    ['a size past what a number can be',  '20000000000000\r\n',             ''],
    ['bare LF after a size',              '5\nhello\r\n',                   ''],
    ['bare CR after a size',              '5\rhello\r\n',                   ''],
    ['bare LF in an extension',           '5;a\nb\r\nhello\r\n',            ''],
    ['bare CR in an extension',           '5;a\rb\r\nhello\r\n',            ''],
    ['NUL in an extension',               '5;a\0\r\nhello\r\n',             ''],
    ['obs-text in an extension',          '5;a=\xff\r\nhello\r\n',          ''],
    ['data longer than its size',         '5\r\nhello!\r\n',                'hello'],
    ['data shorter than its size',        '5\r\nhell\r\n0\r\n\r\n',         'hell\r'],
    ['bare LF after data',                '5\r\nhello\n0\r\n\r\n',          'hello'],
    ['bare CR after data',                '5\r\nhello\r0\r\n\r\n',          'hello'],
    ['bare LF after the last chunk',      '5\r\nhello\r\n0\n\n',            'hello'],
    ['bare LF as the end',                '0\r\n\n',                        ''],
    ['bare LF after a trailer',           '0\r\nA: b\n\r\n',                ''],
    ['a trailer without a colon',         '0\r\nA\r\n\r\n',                 ''],
    ['a trailer without a name',          '0\r\n: b\r\n\r\n',               ''],
    ['a blank before a trailer’s colon',  '0\r\nA : b\r\n\r\n',             ''],
    ['a folded trailer',                  '0\r\nA: b\r\n c: d\r\n\r\n',     ''],
    ['bare CR in a trailer',              '0\r\nA: b\rc\r\n\r\n',           ''],
    ['bare CR before a trailer',          '0\r\n\rA: b\r\n\r\n',            ''],
    ['NUL in a trailer',                  '0\r\nA: b\0c\r\n\r\n',           ''],
  ];
  for (const [why, text, body] of malformed) {
    it(`with ${why} is refused, in one piece and byte by byte`, () => {
      const expected: Outcome = { end: 'malformed', body, trailers: [], rest: '' };
      assert.deepEqual(decodeText(text), expected);
      assert.deepEqual(decode(cutBytes(Buffer.from(text, 'latin1'), [1])), expected);
    });
  }

  it('is given out as views of what was fed, and nothing of it is kept', () => {
    const bytes = Buffer.from('5\r\nhello\r\n0\r\n\r\n', 'latin1');
    const seen: Buffer[] = [];
    new ChunkedDecoder(RULES, (data) => seen.push(data)).feed(bytes);
    assert.equal(seen.length, 1);
    assert.equal(seen[0]?.buffer, bytes.buffer);
    assert.equal(seen[0]?.byteOffset, bytes.byteOffset + 3);
  });

  it('comes back as it was encoded, whatever the sizes of chunks and pieces', () => {
    fc.assert(
      fc.property(message, fc.string({ maxLength: 20 }), sizes, (sent, behind, parts) => {
        const rest = latin1(behind);
        const text = encode(sent);
        const limits = { ...RULES, trailerBytes: text.length, trailerFields: RULES.trailerFields };
        assert.deepEqual(decode(cutBytes(Buffer.from(text + rest, 'latin1'), parts), limits), {
          end: 'complete',
          body: sent.chunks.map(({ data }) => data).join(''),
          trailers: sent.trailers.flat(),
          rest,
        });
      }),
      { numRuns: 300 },
    );
  });

  const damage = fc.tuple(
    fc.constantFrom('insert', 'replace', 'delete'),
    fc.nat(),
    fc.constantFrom('\r', '\n', '\r\n', '0', '1', 'f', ' ', '\t', ';', ':', 'g', '\0', '\xff', '"', '-', 'x'),
  );
  const damaged = fc.tuple(message, fc.array(damage, { minLength: 1, maxLength: 4 })).map(([sent, damages]) => {
    let text = encode(sent);
    for (const [kind, where, octets] of damages) {
      const at = where % (text.length + 1);
      text = text.slice(0, at) + (kind === 'delete' ? '' : octets) + text.slice(kind === 'insert' ? at : at + 1);
    }
    return text;
  });

  it('that is damaged has one outcome, whatever the pieces it comes in', () => {
    fc.assert(
      fc.property(damaged, sizes, (text, parts) => {
        const bytes = Buffer.from(text, 'latin1');
        const whole = decode([bytes]);
        const pieced = decode(cutBytes(bytes, parts));
        // Which of two faults is met first may depend on what has come; that there is one does not.
        if (whole.end === 'malformed' || whole.end === 'too large') {
          assert.ok(pieced.end === 'malformed' || pieced.end === 'too large', pieced.end);
          assert.equal(pieced.body, whole.body);
        } else {
          assert.deepEqual(pieced, whole);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('that is damaged is never complete unless a plain reading of the grammar says the same', () => {
    fc.assert(
      fc.property(damaged, (text) => {
        const outcome = decodeText(text, { ...RULES, trailerBytes: 10_000, trailerFields: 100 });
        if (outcome.end !== 'complete') return;
        const { end: _, ...found } = outcome;
        assert.deepEqual(found, plainReading(text));
      }),
      { numRuns: 500 },
    );
  });
});

describe('padding of a chunk size', () => {
  it('is taken where the rules allow it, and refused elsewhere', () => {
    for (const size of ['5 ', '5\t  ', '5;a ']) {
      const text = `${size}\r\nhello\r\n0\r\n\r\n`;
      assert.notEqual(decodeText(text).end, 'complete');
      assert.equal(decodeText(text, { ...RULES, padding: true }).end, 'complete');
    }
  });
});

describe('the limits of the chunked coding', () => {
  it('bound a chunk line', () => {
    const fits = `5;${'a'.repeat(MOST_LINE_BYTES - 2)}\r\nhello\r\n0\r\n\r\n`;
    assert.equal(decodeText(fits).end, 'complete');
    const over = fits.replace(';', ';a');
    for (const parts of [[over.length], [1], [MOST_LINE_BYTES], [MOST_LINE_BYTES + 2]])
      assert.equal(decode(cutBytes(Buffer.from(over), parts)).end, 'too large', `pieces of ${parts}`);
  });

  it('bound the bytes of a trailer section', () => {
    const fits = `0\r\nA: ${'b'.repeat(RULES.trailerBytes - 3)}\r\n\r\n`;
    assert.equal(decodeText(fits).end, 'complete');
    const over = fits.replace(': ', ': b');
    for (const parts of [[over.length], [1], [RULES.trailerBytes], [RULES.trailerBytes + 6]])
      assert.equal(decode(cutBytes(Buffer.from(over), parts)).end, 'too large', `pieces of ${parts}`);
  });

  it('bound the fields of a trailer section', () => {
    assert.equal(decodeText(`0\r\n${'A: b\r\n'.repeat(RULES.trailerFields)}\r\n`).end, 'complete');
    assert.equal(decodeText(`0\r\n${'A: b\r\n'.repeat(RULES.trailerFields + 1)}\r\n`).end, 'too large');
  });

  for (const [where, begun, filling, most] of [
    ['a chunk size', '', '0', MOST_LINE_BYTES],
    ['a chunk extension', '5;', 'a', MOST_LINE_BYTES],
    ['a chunk line of CRs', '5', '\r', MOST_LINE_BYTES],
    ['a trailer', '0\r\nA: ', 'b', RULES.trailerBytes],
    ['many trailers', '0\r\n', 'A: b\r\n', RULES.trailerBytes],
    ['a trailer section of CRs', '0\r\n', '\r', RULES.trailerBytes],
  ] as const) {
    it(`bound what is held of ${where} that never ends`, () => {
      const decoder = new ChunkedDecoder(RULES, () => assert.fail('there is no data'));
      let fed = 0;
      const endless = () => {
        decoder.feed(Buffer.from(begun));
        for (; fed <= most + 10; fed += filling.length) decoder.feed(Buffer.from(filling));
      };
      assert.throws(endless, MalformedMessage);
      assert.ok(fed <= most + 4, `${fed} bytes were held`);
    });
  }
});

/** Reads a whole message the slow way, without states; undefined where it is none. Sizes are not bounded. */
function plainReading(text: string): Omit<Outcome, 'end'> | undefined {
  let body = '';
  let left = text;
  for (;;) {
    const line =
      /^([0-9a-f]+)(?:[ \t]*;[ \t]*[\w!#$%&'*+\-.^`|~]+(?:[ \t]*=[ \t]*(?:[\w!#$%&'*+\-.^`|~]+|"(?:[\t !#-[\]-~]|\\[\t -~])*"))?)*\r\n/i.exec(
        left,
      );
    if (line === null) return undefined;
    const size = Number.parseInt(line[1] ?? '', 16);
    left = left.slice(line[0].length);
    if (size === 0) break;
    if (left.length < size + 2 || left.slice(size, size + 2) !== '\r\n') return undefined;
    body += left.slice(0, size);
    left = left.slice(size + 2);
  }
  const trailers: string[] = [];
  while (!left.startsWith('\r\n')) {
    const line = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*\r\n/.exec(left);
    if (line === null) return undefined;
    trailers.push(line[1] ?? '', line[2] ?? '');
    left = left.slice(line[0].length);
  }
  return { body, trailers, rest: left.slice(2) };
}
