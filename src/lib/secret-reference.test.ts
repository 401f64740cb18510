import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { splitReferences } from './secret-reference.ts';

const OPEN = '$'.concat('{');
const env = (name: string) => `\${env:${name}}`;
const file = (path: string) => `\${file:${path}}`;

test('a string without a reference has no parts', () => {
  for (const text of ['', 'plain', '$', '$5', '{x}', '$ {x}']) assert.equal(splitReferences(text), undefined, text);
});

test('references are told from the text around them', () => {
  assert.deepEqual(splitReferences(`https://${env('HOST')}:${env('PORT:-80')}/x`), [
    { kind: 'text', text: 'https://' },
    { kind: 'env', name: 'HOST', fallback: undefined, written: env('HOST') },
    { kind: 'text', text: ':' },
    { kind: 'env', name: 'PORT', fallback: '80', written: env('PORT:-80') },
    { kind: 'text', text: '/x' },
  ]);
  assert.deepEqual(splitReferences(file('/run/secrets/x')), [
    { kind: 'file', path: '/run/secrets/x', written: file('/run/secrets/x') },
  ]);
  assert.deepEqual(splitReferences(env('EMPTY:-')), [
    { kind: 'env', name: 'EMPTY', fallback: '', written: env('EMPTY:-') },
  ]);
});

test('a doubled dollar keeps the braces as text', () => {
  assert.deepEqual(splitReferences(`a$${env('X')}b`), [{ kind: 'text', text: `a${env('X')}b` }]);
});

test('what only looks like a reference is malformed, with a hint', () => {
  for (const rest of ['X}', '}', 'env:}', 'env:1X}', 'env:A B}', 'file:}', 'file: }', 'ENV:X}', 'env:X', 'secret:x}']) {
    assert.equal(splitReferences(`\${${rest}`)?.[0]?.kind, 'malformed', rest);
  }
});

test('nothing of a text is lost', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', '$', '{', '}', 'env:', 'file:', 'N', env('X'), '$$')), (pieces) => {
      const text = pieces.join('');
      const parts = splitReferences(text);
      const again = parts?.map((part) => (part.kind === 'text' ? part.text : part.written)).join('');
      // An escape inside a malformed reference stays as it is; such texts prove nothing here.
      return again === undefined || text.includes(`$${OPEN}`) || again === text;
    }),
  );
});
