import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalAuthority } from './canonical-authority.ts';

const FUZZ = Number(process.env['SALLYPORT_FUZZ'] ?? 1);

describe('authorities that are taken', () => {
  for (const [raw, scheme, authority, host] of [
    ['api.example.com', 'https', 'api.example.com', 'api.example.com'],
    ['API.Example.COM.', 'https', 'api.example.com', 'api.example.com'],
    ['api.example.com:443', 'https', 'api.example.com', 'api.example.com'],
    ['api.example.com:80', 'https', 'api.example.com:80', 'api.example.com'],
    ['api.example.com.:80', 'http', 'api.example.com', 'api.example.com'],
    ['a_b:65535', 'http', 'a_b:65535', 'a_b'],
    ['192.0.2.7:8080', 'http', '192.0.2.7:8080', '192.0.2.7'],
    ['[2001:DB8:0:0::1]:8443', 'https', '[2001:db8::1]:8443', '[2001:db8::1]'],
    ['constructor', 'http', 'constructor', 'constructor'],
  ] as const) {
    it(`${scheme} ${raw}`, () => {
      const read = canonicalAuthority(raw, scheme);
      assert.equal(read?.authority, authority);
      assert.equal(read?.host, host);
    });
  }
});

describe('authorities that are refused', () => {
  for (const raw of [
    '',
    '.',
    '..',
    'a..',
    'a..b',
    '.a',
    ':80',
    'a:',
    'a:0',
    'a:080',
    'a:65536',
    'a:+1',
    'a:1x',
    'a:80:80',
    'user@a',
    'a b',
    ' a',
    'a\t',
    'a,b',
    'a%2eb',
    'a/b',
    'a\\b',
    'a?b',
    'a#b',
    'é',
    '[::1',
    '::1',
    '[::1]x',
    '[]',
    '[1.2.3.4]',
    '[fe80::1%25eth0]',
    '*',
    '*.a',
    `${'a.'.repeat(127)}a`,
  ]) {
    it(JSON.stringify(raw), () => assert.equal(canonicalAuthority(raw, 'https'), undefined));
  }
});

it('canonical authorities stay as they are', () => {
  const piece = fc.constantFrom('a', 'B', '.', '-', '_', ':', '1', '80', '443', '[', ']', '::1', '[::1]', '@', '%');
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 8 }),
      fc.constantFrom('http' as const, 'https' as const),
      (pieces, scheme) => {
        const once = canonicalAuthority(pieces.join(''), scheme);
        if (once === undefined) return;
        const twice = canonicalAuthority(once.authority, scheme);
        assert.equal(twice?.authority, once.authority);
        assert.equal(twice?.host, once.host);
        assert.equal(canonicalAuthority(once.host, scheme)?.host, once.host);
        assert.doesNotMatch(once.authority, /[A-Z@%]|\.$|\.:/);
      },
    ),
    { numRuns: 3_000 * FUZZ },
  );
});
