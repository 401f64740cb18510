import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { localPath } from './local-path.ts';

describe('where people are sent back to (attack 46)', () => {
  for (const text of [
    '//evil',
    '/\\evil',
    '/\t/evil',
    '/\n/evil',
    'https://evil',
    '/.//evil',
    '/..//evil',
    '/a/..//evil',
    '\\/evil',
    '',
    'evil',
    '/\u2028',
    `/${'x'.repeat(2_000)}`,
  ]) {
    test(`${JSON.stringify(text.slice(0, 20))} leads nowhere`, () => assert.equal(localPath(text), undefined));
  }
  for (const text of ['/', '/docs', '/docs?x=//y#z', '/@evil', '/a/../b']) {
    test(`${text} stays here`, () => assert.equal(localPath(text)?.startsWith('/'), true));
  }

  test('whatever is written, a browser stays on the host', () => {
    const piece = fc.constantFrom(
      '/',
      '\\',
      '.',
      '..',
      '@',
      ':',
      '?',
      '#',
      '\t',
      '\n',
      ' ',
      '%2f',
      'evil.example',
      'x',
      '//',
      'https:',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const path = localPath(`/${pieces.join('')}`);
        return path === undefined || new URL(path, 'https://here.example').origin === 'https://here.example';
      }),
    );
  });
});
