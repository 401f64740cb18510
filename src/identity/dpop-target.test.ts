import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalTarget } from '../lib/canonical-target.ts';
import { namesPlace } from './dpop-target.ts';

const place = { scheme: 'https', authority: 'api.example.com', path: '/v1/widgets/a%20b' };

test('spellings of one place name it (RFC 9449 §4.3, RFC 3986 §6.2.2)', () => {
  for (const htu of [
    'https://api.example.com/v1/widgets/a%20b',
    'https://api.example.com/v1/widgets/a%20b?x=1',
    'https://api.example.com/v1/widgets/a%20b#x',
    'https://api.example.com/v1/widgets/a%20b?x#y?z',
    'HTTPS://API.EXAMPLE.COM:443/v1/widgets/a%20b',
    'https://api.example.com./v1/%77idgets/a%20b',
  ])
    assert.equal(namesPlace(htu, place), true, htu);
});

test('other places, and what is no place, do not', () => {
  for (const htu of [
    'http://api.example.com/v1/widgets/a%20b',
    'https://api.example.com:8443/v1/widgets/a%20b',
    'https://api.example.com.evil.com/v1/widgets/a%20b',
    'https://evil@api.example.com/v1/widgets/a%20b',
    'https://api.example.com/v1/widgets/a%2520b',
    'https://api.example.com/v1/widgets/a b',
    'https://api.example.com/v1/widgets/A%20b',
    'https://api.example.com/v1/widgets/a%20b/',
    'https://api.example.com/v1/widgets',
    '//api.example.com/v1/widgets/a%20b',
    '/v1/widgets/a%20b',
    'ftp://api.example.com/v1/widgets/a%20b',
    '*',
    '',
    `https://api.example.com/${'a'.repeat(9_000)}`,
  ])
    assert.equal(namesPlace(htu, place), false, htu);
});

test('property: a URL names its own place, with any query behind it, and no other path', () => {
  const segment = fc.stringMatching(/^[A-Za-z0-9_~!$&'()*+,=:@ é%-]{1,8}$/);
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.webQueryParameters(), (segments, query) => {
      const written = `/${segments.map(encodeURIComponent).join('/')}`;
      const read = canonicalTarget(written, 8_192);
      fc.pre(!('reason' in read));
      const here = { scheme: 'https', authority: 'a.example:8443', path: read.target.path };
      assert.equal(namesPlace(`https://a.example:8443${written}?${query}`, here), true);
      assert.equal(namesPlace(`https://a.example:8443${written}/x?${query}`, here), false);
    }),
    { numRuns: 300 },
  );
});

test('property: whatever a client writes is an answer, never a fault', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.string({ unit: 'binary' })), (htu) => {
      assert.equal(typeof namesPlace(htu, place), 'boolean');
    }),
    { numRuns: 300 },
  );
});
