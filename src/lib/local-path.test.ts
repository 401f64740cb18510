import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { localPath } from './local-path.ts';

test('paths of this host are kept', () => {
  for (const path of ['/', '/orders?page=2', '/a/b#c', '/x?next=https://other.example', '/%2F%2Fevil.example', '/:80'])
    assert.equal(localPath(path), path);
});

test('attack 46: whatever may lead elsewhere is refused', () => {
  const hostile = [
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '/\r\n/evil.example',
    ' //evil.example',
    '/.//evil.example',
    '/a/..//evil.example',
    '/%2e//evil.example',
    'https://evil.example',
    'https:/evil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    '///evil.example',
    '/ö',
    '/a b',
    '/a\\b',
    '/\0',
    '',
    'orders',
    '?x',
    `/${'a'.repeat(2_000)}`,
  ];
  for (const text of hostile) assert.equal(localPath(text), undefined, JSON.stringify(text));
  assert.equal(localPath(undefined), undefined);
});

test('what comes out stays on the host, however a browser reads it', () => {
  const piece = fc.constantFrom(
    '/',
    '\\',
    '.',
    '..',
    '%2e',
    '%2f',
    '\t',
    '\n',
    '@',
    ':',
    'evil.example',
    '?',
    '#',
    ' ',
    'a',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const path = localPath(`/${pieces.join('')}`);
      if (path === undefined) return;
      const url = new URL(path, 'https://app.example.com/.auth/callback');
      assert.equal(url.origin, 'https://app.example.com');
      assert.equal(`${url.pathname}${url.search}${url.hash}`, path);
    }),
  );
});
