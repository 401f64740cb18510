import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { challengeField, resourceMetadataPath, resourceMetadataUrl, schemeOf } from './token-challenge.ts';

test('a challenge is its scheme and its parameters, those without a value left out', () => {
  assert.equal(challengeField([{ scheme: 'Bearer', parameters: {} }]), 'Bearer');
  assert.equal(
    challengeField([
      { scheme: 'Bearer', parameters: { error: 'invalid_token', scope: undefined } },
      { scheme: 'DPoP', parameters: { algs: 'ES256 RS256' } },
    ]),
    'Bearer error="invalid_token", DPoP algs="ES256 RS256"',
  );
});

test('property: any value comes out as one quoted string that reads as its printable part', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (value) => {
      const field = challengeField([{ scheme: 'Bearer', parameters: { a: value, b: 'end' } }]);
      assert.match(field, /^[\x20-\x7e]*$/);
      const parts = /^Bearer a="((?:[^"\\]|\\.)*)", b="end"$/.exec(field);
      assert.ok(parts !== null, field);
      assert.equal(parts[1]?.replace(/\\(.)/g, '$1'), value.replace(/[^\x20-\x7e]/g, ''));
    }),
    { numRuns: 500 },
  );
});

test('metadata stands between the host and the path (RFC 9728 §3.1)', () => {
  const at = { scheme: 'https', authority: 'api.example.com:8443' };
  assert.equal(resourceMetadataPath('/'), '/.well-known/oauth-protected-resource');
  assert.equal(resourceMetadataUrl(at, '/v1'), 'https://api.example.com:8443/.well-known/oauth-protected-resource/v1');
});

test('the scheme of a credential is what stands before the first blank', () => {
  assert.equal(schemeOf('DPoP abc'), 'dpop');
  for (const field of [undefined, '', 'Bearer', ' Bearer x']) assert.equal(schemeOf(field), undefined, String(field));
});
