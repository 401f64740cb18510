import fc from 'fast-check';

// Test support: streams of HTTP/1.1 requests as clients send them, and as nobody should.

/** Sizes of pieces, in bytes. */
export const sizes = fc.oneof(
  fc.constant([1]),
  fc.array(fc.oneof(fc.constantFrom(1, 2, 3), fc.integer({ min: 4, max: 200 })), { minLength: 1, maxLength: 6 }),
);

const fieldLine = fc.oneof(
  fc.constantFrom(
    'Accept: */*',
    'X-A:b',
    'X-A: \t b c \t',
    'X-Empty:',
    'x-colons: a:b:c',
    'X-User: root',
    'X_A: alias',
    'Cookie: a=b; c=d',
    'Content-Type: text/plain',
    'Authorization: Bearer t',
  ),
  fc.constantFrom(
    'Connection: keep-alive',
    'Connection: close',
    'Connection: X-A, TE',
    'Connection: Upgrade',
    'Upgrade: h2c',
    'Expect: 100-continue',
    'TE: trailers',
    'Trailer: X-Sum',
    'Keep-Alive: timeout=5',
  ),
);

const strangeLine = fc.constantFrom(
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding:\tchunked',
    'transfer-encoding: x',
  ],
  ...[
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding:',
    ' Transfer-Encoding: chunked',
    'Transfer_Encoding: x',
  ],
  ...['Content-Length: 3', 'Content-Length: 03', 'Content-Length: +3', 'Content-Length: 3, 3', 'Content-Length: 0'],
  ...['Content-Length : 3', 'Content-Length:\x0b3', 'content-length: 3 ', 'Content-Length: 3;', 'Content-Length: 0x3'],
  ...['Host: b', 'Host : a', ' folded', '\tfolded: x', 'no colon', ': no name', '0', '5', '5;a', '', 'GET / HTTP/1.1'],
);

const anyLine = fc.oneof({ weight: 9, arbitrary: fieldLine }, { weight: 1, arbitrary: strangeLine });

const octets = fc.oneof(
  fc.constantFrom('', 'hello', '\r\n', '\r\n\r\n', '0\r\n\r\n', 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => Buffer.from(text, 'latin1').toString('latin1')),
);

const chunked = fc
  .record({
    pieces: fc.array(
      fc.tuple(octets, fc.constantFrom('', '', '', ';a', ';a=b', ';a="b;c"', ';a;b=c'), fc.constantFrom('', '0', '00')),
      { maxLength: 3 },
    ),
    trailers: fc.array(fc.constantFrom('X-Sum: 5', 'X-B:', 'Authorization: x', 'X_C: d', 'Content-Length: 3'), {
      maxLength: 2,
    }),
  })
  .map(({ pieces, trailers }) => {
    const chunks = pieces.map(([data, extension, zeros]) =>
      data === '' ? '' : `${zeros}${data.length.toString(16)}${extension}\r\n${data}\r\n`,
    );
    return {
      field: 'Transfer-Encoding: chunked\r\n',
      body: `${chunks.join('')}0\r\n${trailers.map((line) => `${line}\r\n`).join('')}\r\n`,
    };
  });
const counted = octets.map((body) => ({ field: `Content-Length: ${body.length}\r\n`, body }));
const framing = fc.oneof(
  fc.constant({ field: '', body: '' }),
  { weight: 2, arbitrary: counted },
  { weight: 2, arbitrary: chunked },
);

const request = fc
  .record({
    blank: fc.constantFrom('', '', '', '\r\n', '\r\n\r\n'),
    method: fc.constantFrom('GET', 'POST', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'M-SEARCH', 'QUERY'),
    target: fc.constantFrom('/', '/a?b=c', '/%61', 'http://a/x', '/a:b;c@d', '*'),
    version: fc.constantFrom('1.1', '1.1', '1.1', '1.1', '1.0'),
    before: fc.array(anyLine, { maxLength: 2 }),
    framing,
    after: fc.array(anyLine, { maxLength: 2 }),
  })
  .map(({ blank, method, target, version, before, framing, after }) => {
    const lines = (list: readonly string[]) => list.map((line) => `${line}\r\n`).join('');
    const head = `${method} ${target} HTTP/${version}\r\n${lines(before)}Host: a\r\n${framing.field}${lines(after)}`;
    return `${blank}${head}\r\n${framing.body}`;
  });

const strange = fc.constantFrom(
  ...[
    '\r',
    '\n',
    '\r\n',
    '\n\r',
    '\r\r\n',
    '\r\n ',
    '\0',
    ' ',
    '  ',
    '\t',
    '\x0b',
    '\x0c',
    '\x7f',
    '\x85',
    '\xa0',
    '\xff',
  ],
  ...[
    ':',
    ': ',
    ' :',
    ';',
    ',',
    '"',
    '=',
    '+',
    '-',
    '_',
    '#',
    '%',
    '*',
    '/',
    'HTTP/1.1',
    '0',
    '1',
    '5',
    'a',
    'f',
    'x',
    '0x',
  ],
);
/** One damage; `where` is taken from the end of what is left, so that it always hits. */
const damage = fc.oneof(
  fc.record({ kind: fc.constantFrom('insert', 'replace'), where: fc.nat(), what: strange }),
  fc.record({ kind: fc.constantFrom('insert at a seam', 'replace a seam'), where: fc.nat(), what: strange }),
  fc.record({ kind: fc.constant('insert line'), where: fc.nat(), what: strangeLine }),
  fc.record({
    kind: fc.constantFrom('delete', 'delete line', 'repeat line', 'swap lines', 'other case', 'end'),
    where: fc.nat(),
    what: fc.constant(''),
  }),
);

/** Where lines, names, values and numbers meet. */
const SEAM = /[\r\n:; ,]/g;

function damaged(text: string, { kind, where, what }: { kind: string; where: number; what: string }): string {
  const at = where % (text.length + 1);
  const seams = [...text.matchAll(SEAM)].map(({ index }) => index);
  const seam = seams[where % Math.max(1, seams.length)] ?? 0;
  const lines = text.split('\r\n');
  const line = where % lines.length;
  switch (kind) {
    case 'insert':
      return text.slice(0, at) + what + text.slice(at);
    case 'replace':
      return text.slice(0, at) + what + text.slice(at + 1);
    case 'delete':
      return text.slice(0, at) + text.slice(at + 1);
    case 'insert at a seam':
      return text.slice(0, seam) + what + text.slice(seam);
    case 'replace a seam':
      return text.slice(0, seam) + what + text.slice(seam + 1);
    case 'insert line':
      return lines.toSpliced(line, 0, what).join('\r\n');
    case 'delete line':
      return lines.toSpliced(line, 1).join('\r\n');
    case 'repeat line':
      return lines.toSpliced(line, 0, lines[line] ?? '').join('\r\n');
    case 'swap lines':
      return lines.toSpliced(line, 2, ...lines.slice(line, line + 2).reverse()).join('\r\n');
    case 'other case':
      return text.slice(0, at) + text.slice(at, at + 12).toUpperCase() + text.slice(at + 12);
    default:
      return text.slice(0, at);
  }
}

/** Up to three requests one after the other, as Latin-1, undamaged or with up to three damages. */
export const stream = fc
  .tuple(fc.array(request, { minLength: 1, maxLength: 3 }), fc.array(damage, { maxLength: 3 }))
  .map(([requests, damages]) => damages.reduce(damaged, requests.join('')));
