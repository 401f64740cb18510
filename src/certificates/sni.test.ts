import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chooseCertificate, indexCertificates } from './sni.ts';

const index = indexCertificates([
  { names: ['default.example'] },
  { names: ['*.example.com', 'api.example.com'] },
  { names: ['Deep.Example.com', 'api.example.com', '*.b.example.com'] },
  { names: ['127.0.0.1', '::1'] },
]);

describe('chooseCertificate', () => {
  // biome-ignore format: aligned on purpose, one case a row
  const cases = [
    { servername: 'api.example.com',           chosen: 1, why: 'an exact name; the first certificate that bears it' },
    { servername: 'deep.example.com',          chosen: 2, why: 'an exact name before the wildcard of an earlier certificate' },
    { servername: 'other.example.com',         chosen: 1, why: 'a wildcard' },
    { servername: 'x.b.example.com',           chosen: 2, why: 'a deeper wildcard' },
    { servername: 'x.y.b.example.com',         chosen: 0, why: 'a wildcard stands for one label' },
    { servername: 'example.com',               chosen: 0, why: 'a wildcard does not stand for no label' },
    { servername: 'API.EXAMPLE.COM',           chosen: 1, why: 'case does not count' },
    { servername: 'api.example.com.',          chosen: 1, why: 'nor does the final dot' },
    { servername: '127.0.0.1',                 chosen: 3, why: 'an address, though SNI should not hold one' },
    { servername: 'nowhere.example',           chosen: 0, why: 'no match' },
    { servername: undefined,                   chosen: 0, why: 'no SNI' },
    { servername: false,                       chosen: 0, why: 'no SNI, as Node says it' },
    { servername: '',                          chosen: 0, why: 'an empty name' },
    { servername: '.',                         chosen: 0, why: 'the root' },
    { servername: '.example.com',              chosen: 0, why: 'an empty label' },
    { servername: '*.example.com',             chosen: 0, why: 'a wildcard is no host' },
    { servername: '__proto__',                 chosen: 0, why: 'a name objects have' },
    { servername: 'x\0.example.com\0',         chosen: 0, why: 'NUL bytes' },
    { servername: `${'a'.repeat(260)}.example.com`, chosen: 0, why: 'longer than a DNS name' },
  ] as const;
  for (const { servername, chosen, why } of cases) {
    it(`${why}: ${JSON.stringify(servername)?.slice(0, 40)} → ${chosen}`, () => {
      assert.equal(chooseCertificate(servername, index), chosen);
    });
  }

  it('gives a position that exists for any value a client may send', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.domain(), fc.constant(undefined)), (servername) => {
        const chosen = chooseCertificate(servername, index);
        assert.ok(Number.isInteger(chosen) && chosen >= 0 && chosen < 4);
      }),
    );
  });
});
