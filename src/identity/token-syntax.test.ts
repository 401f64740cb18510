import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CompactEncrypt, generateKeyPair, UnsecuredJWT } from 'jose';
import { isTokenText, mediaType, readToken } from './token-syntax.ts';

const CLAIMS = { iss: 'https://id.example', sub: 'alice' };

test('the header and the issuer of a JWS are read, and nothing else of it', () => {
  const text = jws({ alg: 'ES256', typ: 'application/AT+JWT', kid: 'k1' }, CLAIMS);
  assert.deepEqual(readToken(text), {
    text,
    algorithm: 'ES256',
    type: 'at+jwt',
    keyId: 'k1',
    issuer: 'https://id.example',
  });
  assert.deepEqual(readToken(jws({ alg: 'ES256' }, CLAIMS)), {
    text: jws({ alg: 'ES256' }, CLAIMS),
    algorithm: 'ES256',
    type: undefined,
    keyId: undefined,
    issuer: 'https://id.example',
  });
});

test('attack 36: what a header says of where its key is has no place in what is read', () => {
  const header = {
    alg: 'ES256',
    kid: 'k',
    jku: 'https://evil.example/jwks',
    x5u: 'https://evil.example',
    jwk: {},
    x5c: [],
  };
  const read = readToken(jws(header, CLAIMS));
  assert.ok(typeof read !== 'string');
  assert.deepEqual(Object.keys(read).sort(), ['algorithm', 'issuer', 'keyId', 'text', 'type']);
});

test('every other text is refused in a word', async () => {
  const { publicKey } = await generateKeyPair('RSA-OAEP-256');
  const jwe = await new CompactEncrypt(new TextEncoder().encode('{}'))
    .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM' })
    .encrypt(publicKey);
  for (const [text, fault] of [
    ['', 'opaque'],
    ['abc', 'opaque'],
    ['a.b', 'opaque'],
    ['a.b.c.d', 'opaque'],
    ['a..c', 'opaque'],
    ['a.b.c=', 'opaque'],
    ['a b.c.d', 'opaque'],
    [jwe, 'encrypted'],
    ['a....', 'encrypted'],
    [jws({ alg: 'dir', enc: 'A128GCM' }, CLAIMS), 'encrypted'],
    [jws({ alg: 'ES256', zip: 'DEF' }, CLAIMS), 'encrypted'],
    ['a.b.c', 'malformed'],
    [jws('{', CLAIMS), 'malformed'],
    [jws([], CLAIMS), 'malformed'],
    [jws(null, CLAIMS), 'malformed'],
    [jws({ alg: 'ES256' }, 'no JSON'), 'malformed'],
    [jws({ alg: 'ES256' }, [CLAIMS]), 'malformed'],
    [jws({ alg: 'ES256' }, Buffer.from([0x7b, 0xff, 0x7d])), 'malformed'],
    [jws({}, CLAIMS), 'malformed'],
    [jws({ alg: ['ES256'] }, CLAIMS), 'malformed'],
    [jws({ alg: 'ES256', kid: 7 }, CLAIMS), 'malformed'],
    [jws({ alg: 'ES256', typ: {} }, CLAIMS), 'malformed'],
    [jws({ alg: 'ES256', crit: [] }, CLAIMS), 'critical-extension'],
    [jws({ alg: 'ES256', crit: ['b64'], b64: false }, CLAIMS), 'critical-extension'],
    [jws({ alg: 'ES256', b64: false }, CLAIMS), 'critical-extension'],
    [jws({ alg: 'ES256' }, { sub: 'alice' }), 'bad-claims'],
    [jws({ alg: 'ES256' }, { iss: ['https://id.example'] }), 'bad-claims'],
  ] as const)
    assert.equal(readToken(text), fault, text);
});

test('attack 35: an unsecured token is read as one of algorithm none, for the rules to refuse', () => {
  const read = readToken(new UnsecuredJWT(CLAIMS).encode());
  assert.ok(typeof read !== 'string');
  assert.equal(read.algorithm, 'none');
});

test('attack 38: a text of more than 16 KiB, or of other characters, is no token', () => {
  assert.equal(isTokenText('a'.repeat(16_384)), true);
  assert.equal(isTokenText('a'.repeat(16_385)), false);
  assert.equal(isTokenText('a'.repeat(1_000_000)), false);
  for (const text of ['AZaz09-._~+/', 'a==']) assert.equal(isTokenText(text), true, text);
  for (const text of ['', '=', 'a=b', 'a b', 'a,b', 'a\n', 'ä', 'a\0']) assert.equal(isTokenText(text), false, text);
});

test('a media type is the same with and without application/, in any case', () => {
  for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt', 'Application/At+Jwt'])
    assert.equal(mediaType(typ), 'at+jwt');
  assert.equal(mediaType(undefined), undefined);
  assert.equal(mediaType('application/'), '');
});

test('property: whatever a client sends is an answer, never a fault', () => {
  const part = fc.oneof(
    fc.json().map((json) => Buffer.from(json).toString('base64url')),
    fc.string(),
    fc.base64String(),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const read = readToken(parts.join('.'));
      assert.ok(typeof read === 'string' || typeof read.issuer === 'string');
    }),
    { numRuns: 500 },
  );
});

/** A JWS of these parts, with a signature of nobody. */
function jws(header: unknown, claims: unknown): string {
  return `${encoded(header)}.${encoded(claims)}.c2ln`;
}

function encoded(part: unknown): string {
  const bytes = part instanceof Uint8Array ? part : Buffer.from(typeof part === 'string' ? part : JSON.stringify(part));
  return Buffer.from(bytes).toString('base64url');
}
