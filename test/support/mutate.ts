import type { SeededRandom } from './seeded-random.ts';

/** Makes a few small changes to a request, of the kind that parsers have been known to disagree on. */
export function mutate(request: Buffer, random: SeededRandom): Buffer {
  let bytes = request;
  for (let changes = random.below(5); changes > 0; changes -= 1) bytes = random.pick(CHANGES)(bytes, random);
  return bytes;
}

/** Cuts bytes into the pieces they are written in. */
export function pieces(bytes: Buffer, random: SeededRandom): readonly Buffer[] {
  const cuts = Array.from({ length: random.below(4) }, () => random.below(bytes.length + 1)).sort((a, b) => a - b);
  return [...cuts, bytes.length]
    .map((end, at) => bytes.subarray(at === 0 ? 0 : cuts[at - 1], end))
    .filter((piece) => piece.length > 0);
}

type Change = (bytes: Buffer, random: SeededRandom) => Buffer;

const CHANGES: readonly Change[] = [
  flipByte,
  insert,
  insert,
  insert,
  insertIntoTarget,
  insertIntoTarget,
  deleteRange,
  duplicateLine,
  removeLine,
  swapLines,
  insertLine,
  insertLine,
];

function flipByte(bytes: Buffer, random: SeededRandom): Buffer {
  if (bytes.length === 0) return bytes;
  const changed = Buffer.from(bytes);
  changed[random.below(bytes.length)] = random.oneIn(2) ? random.below(256) : 0x20 + random.below(95);
  return changed;
}

function insert(bytes: Buffer, random: SeededRandom): Buffer {
  return splice(bytes, random.below(bytes.length + 1), random.pick(FRAGMENTS));
}

function insertIntoTarget(bytes: Buffer, random: SeededRandom): Buffer {
  const from = bytes.indexOf(' ') + 1;
  const to = Math.max(from, bytes.indexOf(' HTTP/'));
  return splice(bytes, from + random.below(to - from + 1), random.pick(TARGET_FRAGMENTS));
}

function deleteRange(bytes: Buffer, random: SeededRandom): Buffer {
  const from = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + random.below(6))]);
}

function duplicateLine(bytes: Buffer, random: SeededRandom): Buffer {
  return withLines(bytes, (lines) => {
    const at = random.below(lines.length);
    lines.splice(at, 0, lines[at] ?? '');
  });
}

function removeLine(bytes: Buffer, random: SeededRandom): Buffer {
  return withLines(bytes, (lines) => void lines.splice(random.below(lines.length), 1));
}

function swapLines(bytes: Buffer, random: SeededRandom): Buffer {
  return withLines(bytes, (lines) => {
    const [a, b] = [random.below(lines.length), random.below(lines.length)];
    const [first, second] = [lines[a] ?? '', lines[b] ?? ''];
    lines[a] = second;
    lines[b] = first;
  });
}

function insertLine(bytes: Buffer, random: SeededRandom): Buffer {
  return withLines(bytes, (lines) => void lines.splice(1 + random.below(lines.length), 0, random.pick(LINES)));
}

function withLines(bytes: Buffer, change: (lines: string[]) => void): Buffer {
  const lines = bytes.toString('latin1').split('\r\n');
  change(lines);
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

function splice(bytes: Buffer, at: number, text: string): Buffer {
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(text, 'latin1'), bytes.subarray(at)]);
}

const FRAGMENTS: readonly string[] = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\0',
  ':',
  ' ',
  '%',
  '\t',
  ';',
  ',',
  '/',
  '\\',
  '.',
  '#',
  '?',
  '"',
  '_',
  '\x0b',
  '\x7f',
  '\x85',
  '\xa0',
  '\xff',
  '0',
  '1',
  '-',
  '+',
  'a'.repeat(300),
  '\r\n ',
  '\r\nX-User: mallory\r\n',
];

const TARGET_FRAGMENTS: readonly string[] = [
  '/',
  '//',
  '/.',
  '/..',
  '/../',
  '..;/',
  ';',
  ';a=b',
  '%2e',
  '%2E%2e',
  '%2f',
  '%5c',
  '\\',
  '#',
  '?',
  '%',
  '%00',
  '%0d%0a',
  '%23',
  '%3f',
  '%3b',
  '%25',
  '%252e',
  '%61',
  '%7e',
  '%c3%a9',
  '%c0%ae',
  '\xe9',
  '@',
  ':',
  '*',
  'http://evil.example.com',
  'secret',
  '/secret',
  ' ',
  '\t',
  '"',
  '<',
  '|',
  '^',
  '[',
  '`',
  '{',
];

const LINES: readonly string[] = [
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: 5, 5',
  'Content-Length : 5',
  'Content-Length: +5',
  'Content-Length: 99999999999999999999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer_Encoding: chunked',
  'transfer-encoding: Chunked',
  'Host: localhost',
  'Host: evil.example.com',
  'Host: localhost:80',
  'Connection: close',
  'Connection: keep-alive, X-Request-Id, X-Forwarded-For, Host',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'X-User: mallory',
  'X_User: mallory',
  'X-Forwarded-For: 6.6.6.6',
  'X-Forwarded-Host: evil.example.com',
  'Forwarded: for=6.6.6.6',
  'X-Request-Id: mallory',
  'Via: 1.0 evil',
  'X-Original-URL: /secret',
  'Expect: 100-continue',
  'Expect: mallory',
  'Trailer: X-T',
  'TE: trailers',
  'Content-Encoding: gzip, gzip',
  'Cookie: a=b',
  'Cookie: c=d',
  'Authorization: Bearer x',
  '__proto__: x',
  'constructor: x',
  ' folded',
  '',
  'no colon',
  ': no name',
  'GET /secret HTTP/1.1',
  '0',
  '5',
  'ffffffffffffffff',
  '5;ext="\r\n"',
];
