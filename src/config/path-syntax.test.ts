import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalTarget } from '../lib/canonical-target.ts';
import { readMatch, readPath } from './path-syntax.ts';

const piece = fc.oneof(
  fc.constantFrom(
    '/',
    '.',
    '..',
    '%2e',
    '%2F',
    '%41',
    '%c3%bc',
    '%C3%BC',
    '%',
    '//',
    ';',
    '\\',
    '?',
    '#',
    '*',
    '{id}',
    '[',
    '%00',
    '%25',
    '%0a',
    'ü',
    ' ',
  ),
  fc.string({ maxLength: 3 }),
);

test('a path that is taken is one that requests are brought into, byte for byte', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const text = `/${pieces.join('')}`;
      if (!('value' in readPath(text))) return;
      const read = canonicalTarget(text, 100_000);
      assert.ok('target' in read, text);
      assert.deepEqual(read.target, { path: text, query: undefined, encodedDelimiters: false });
    }),
    { numRuns: 3000 },
  );
});

test('most canonical paths are taken', () => {
  for (const path of [
    '/',
    '/v1/widgets',
    '/a.b',
    '/...',
    '/a..b',
    "/~!$&'()+,=:@-_",
    '/gr%C3%BC%C3%9Fe',
    '/.well-known',
  ]) {
    assert.deepEqual(readPath(path), { value: path });
  }
});

test('a match names methods and a pattern', () => {
  assert.deepEqual(readMatch('GET,HEAD /items/{id}/*'), { value: { methods: ['GET', 'HEAD'], path: '/items/{id}/*' } });
  assert.deepEqual(readMatch('*   /'), { value: { methods: undefined, path: '/' } });
  assert.deepEqual(readMatch('PURGE /a/'), { value: { methods: ['PURGE'], path: '/a/' } });
  for (const text of [
    '',
    'GET',
    '/',
    'GET  ',
    ' GET /',
    'GET /a b',
    'get /',
    'GET, HEAD /',
    'CONNECT /',
    'GET a',
    'GET /{}',
    'GET /{a-b}',
    'GET /{__proto__}',
    'GET /{a}/{a}',
    'GET /x{a}',
    'GET /*/a',
    'GET /a//',
  ]) {
    assert.ok('message' in readMatch(text), text);
  }
});
