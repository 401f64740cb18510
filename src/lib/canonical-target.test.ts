import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalTarget, type ReadTarget } from './canonical-target.ts';

const FUZZ = Number(process.env['SALLYPORT_FUZZ'] ?? 1);

function accepted(raw: string): ReadTarget {
  const read = canonicalTarget(raw, 8192);
  assert.ok('target' in read, `${raw}: ${'reason' in read ? read.reason : ''}`);
  return read;
}

describe('targets that are taken', () => {
  for (const [raw, path, query] of [
    ['/', '/', undefined],
    ['/v1/widgets/7?a=b&c', '/v1/widgets/7', 'a=b&c'],
    ['/a?', '/a', ''],
    ['/a/', '/a/', undefined],
    ['/%61pi', '/api', undefined],
    ['/a%2d%7e', '/a-~', undefined],
    ['/caf%c3%a9', '/caf%C3%A9', undefined],
    ['/a%20b', '/a%20b', undefined],
    ['/[slug]/a|b^c', '/%5Bslug%5D/a%7Cb%5Ec', undefined],
    ['/a;v=1/b', '/a;v=1/b', undefined],
    ['/...', '/...', undefined],
    ['/.well-known/x', '/.well-known/x', undefined],
    ['/a..b/..c', '/a..b/..c', undefined],
    ['/a?next=//x/../y&z={1|2}', '/a', 'next=//x/../y&z={1|2}'],
    ['/100%25', '/100%25', undefined],
    ['*', '*', undefined],
  ] as const) {
    it(raw, () => assert.deepEqual(accepted(raw).target, { path, query, encodedDelimiters: false }));
  }

  it('the absolute form, with its authority as sent', () => {
    assert.deepEqual(accepted('HTTP://User@Host:80?q'), {
      target: { path: '/', query: 'q', encodedDelimiters: false },
      scheme: 'HTTP',
      authority: 'User@Host:80',
    });
  });

  for (const raw of ['/a%2Fb', '/a%5cb', '/a%23', '/a%3F', '/a%3B', '/%252e%252e/x', '/a%252Fb']) {
    it(`${raw}, marked for the route to decide`, () => assert.equal(accepted(raw).target.encodedDelimiters, true));
  }
});

describe('targets that are refused', () => {
  for (const raw of [
    '/pub/%2e%2e/admin',
    '/pub/%2E./admin',
    '/pub/.%2e',
    '//pub',
    '/a//b',
    '/./pub',
    '/a/.',
    '/a/..',
    '/..',
    '/.',
    '/%2e',
    '/x/..;a=b/admin',
    '/..%2Fadmin',
    '/a%2F..%2Fb',
    '/..%3Bx',
    '/a/..%5Cb',
    '/;x/admin',
    '/x/.;/admin',
    '/x/%2e%2e;a=b/admin',
    '/a\\b',
    '/\\..\\',
    '/a#b',
    '/a?b#c',
    '/a b',
    '/a%',
    '/a%4',
    '/a%zz',
    '/%00',
    '/%0d%0a',
    '/%7f',
    '/%c0%ae%c0%ae/',
    '/%e0%80%af',
    '/%ed%a0%80',
    '/%ff',
    '/%c3',
    '/%c3%28',
    '/é',
    '/a"b',
    '/<a>',
    '/{a}',
    '/a`',
    '',
    'a',
    '?a',
    'ftp://h/',
    'http:/a',
    '/a?\x00',
    '/a\x7f',
  ]) {
    it(JSON.stringify(raw), () => {
      const read = canonicalTarget(raw, 8192);
      assert.ok('code' in read, JSON.stringify(read));
      assert.equal(read.code, 'ambiguous-target');
    });
  }

  it('one that is too long', () => {
    const read = canonicalTarget(`/${'a'.repeat(100)}`, 100);
    assert.ok('code' in read && read.code === 'target-too-long');
  });
});

describe('properties of every target that is taken', () => {
  const piece = fc.constantFrom(
    'a',
    'B',
    '/',
    '.',
    '..',
    '%2e',
    '%2F',
    '%61',
    '%c3%a9',
    ';',
    '%25',
    '2e',
    '%',
    '?',
    '-',
    '|',
    '//',
    '%5C',
    '\\',
    '#',
    '%00',
    '[',
    '7',
  );
  const anyTarget = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`);

  it('normalising again changes nothing, and nothing that servers read in two ways is left', () => {
    fc.assert(
      fc.property(anyTarget, (raw) => {
        const read = canonicalTarget(raw, 8192);
        if ('code' in read) return;
        const { path, query } = read.target;
        assert.deepEqual(accepted(query === undefined ? path : `${path}?${query}`).target, read.target);
        assert.doesNotMatch(path, /\/\/|\/\.{1,2}(?:[/;]|$)|[\\#?]/);
        assert.doesNotMatch(
          path,
          /%(?:[46][1-9A-F]|[57][0-9A]|3[0-9]|2[DE]|5F|7E)/,
          'an unreserved octet is left encoded',
        );
        assert.doesNotMatch(path, /%[0-9A-F]?[a-f]/);
        // The parser most servers share agrees that nothing is left to do.
        assert.equal(new URL(`http://host${path}`).pathname, path);
      }),
      { numRuns: 5_000 * FUZZ },
    );
  });

  it('any bytes are taken or refused, never thrown at', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (noise) => {
        canonicalTarget(noise, 8192);
        canonicalTarget(`/${noise}`, 8192);
      }),
      { numRuns: 5_000 * FUZZ },
    );
  });
});
