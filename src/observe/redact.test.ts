import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createQueryRedactor, REDACTED, redactText } from './redact.ts';

const redactQuery = createQueryRedactor(['token', 'access_token', 'Password', 'code']);

const queries: readonly (readonly [sent: string, logged: string])[] = [
  ['a=1&token=s3cret&b=2', `a=1&token=${REDACTED}&b=2`],
  ['TOKEN=s3cret', `TOKEN=${REDACTED}`],
  ['password=x', `password=${REDACTED}`],
  ['%74oken=s3cret', `%74oken=${REDACTED}`],
  ['acc%65ss%5Ftoken=s3cret', `acc%65ss%5Ftoken=${REDACTED}`],
  ['+token=s3cret', `+token=${REDACTED}`],
  ['token=a=b=c', `token=${REDACTED}`],
  ['a=1;token=s3cret;b=2', `a=1;token=${REDACTED};b=2`],
  ['user[password]=x', `user[password]=${REDACTED}`],
  ['user%5Bpassword%5D=x', `user%5Bpassword%5D=${REDACTED}`],
  ['token=1&token=2', `token=${REDACTED}&token=${REDACTED}`],
  ['token', 'token'],
  ['token=', `token=${REDACTED}`],
  ['tokens=1&mytoken=2', 'tokens=1&mytoken=2'],
  ['__proto__=1&constructor=2', '__proto__=1&constructor=2'],
  ['%zztoken=1', '%zztoken=1'],
  ['jump=https://joe:pw@host/', `jump=https://${REDACTED}@host/`],
  ['q=eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.sig', `q=${REDACTED}`],
  ['h=Bearer%20abcdefgh1234', `h=Bearer ${REDACTED}`],
  ['', ''],
  ['&&=&', '&&=&'],
];

for (const [sent, logged] of queries) {
  test(`the query ${JSON.stringify(sent)} is logged as ${JSON.stringify(logged)}`, () => {
    assert.equal(redactQuery(sent), logged);
  });
}

const texts: readonly (readonly [said: string, secret: string])[] = [
  ['upstream said: Authorization: Bearer abcdef123456 is bad', 'abcdef123456'],
  ['Basic am9lOnB3MTIzNDU2', 'am9lOnB3MTIzNDU2'],
  ['DPoP eyJhbGciOiJFUzI1NiJ9.e30.c2ln', 'c2ln'],
  ['connect to https://joe:s3cret@db:5432/x failed', 's3cret'],
  ['connect to https://joe:p@ss@db:5432/x failed', 'ss@'],
  ['jwt eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'eyJzdWI'],
  ['jwe eyJhbGciOiJkaXIifQ.a1b2.c3d4.e5f6.deadbeef', 'deadbeef'],
  ['half a token: eyJhbGciOiJub25lIn0', 'hbGciOiJub25lIn0'],
  ['Cookie: sid=abc; theme=dark', 'abc'],
  ['Set-Cookie: sid=abc; HttpOnly', 'abc'],
  ['password=hunter2 was refused', 'hunter2'],
  ['{"client_secret":"hunter2","x":1}', 'hunter2'],
  ['{"access_token": "hunter2"}', 'hunter2'],
  ['x-api-key: hunter2', 'hunter2'],
  ['Authorization: hunter2', 'hunter2'],
  ['GET /widgets?k=sp_live_AbCdEfGhIjKl_0123456789abcdefghijABCDEFGHIJ0123456789 HTTP/1.1', '0123456789abc'],
  ['a=sp%5Flive%5FAbCdEfGhIjKl%5F0123456789abcdefghijABCDEFGHIJ0123456789', '0123456789abc'],
  ['mistyped: sp_test_AbCdEfGhIjK_0123456789abcdefghij', '0123456789abc'],
  ['-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----', 'MHcC'],
];

for (const [said, secret] of texts) {
  test(`${JSON.stringify(secret)} is taken out of ${JSON.stringify(said)}`, () => {
    const logged = redactText(said);
    assert.ok(!logged.includes(secret), logged);
    assert.ok(logged.includes(REDACTED), logged);
  });
}

test('ordinary texts are left as they are', () => {
  for (const text of [
    'connect ECONNREFUSED 10.0.0.11:4000',
    'see http://host/a?mail=joe@example.com',
    'the token was refused',
    'API key AbCdEfGhIjKl: revoked',
    'a crisp_morning and sp_live_AbCdEfGhIjKl',
    'read http://host/path/@me',
  ]) {
    assert.equal(redactText(text), text);
  }
});

test('redacting what is redacted changes nothing', () => {
  fc.assert(
    fc.property(fc.constantFrom(...texts.map(([said]) => said)), (said) => {
      assert.equal(redactText(redactText(said)), redactText(said));
    }),
  );
});

test('no hidden value survives, wherever its parameter stands and however its name is written', () => {
  const name = fc
    .constantFrom('token', 'password', 'code')
    .chain((plain) =>
      fc
        .tuple(
          ...[...plain].map((letter) =>
            fc.constantFrom(letter, letter.toUpperCase(), `%${letter.charCodeAt(0).toString(16)}`),
          ),
        )
        .map((parts) => parts.join('')),
    );
  const other = fc.stringMatching(/^[a-f0-9%=&+]{0,20}$/);
  fc.assert(
    fc.property(other, name, other, (before, hidden, after) => {
      assert.ok(!redactQuery(`${before}&${hidden}=SECRET!&${after}`).includes('SECRET!'));
    }),
  );
});

test('a long hostile text is searched in linear time', () => {
  // Quadratic backtracking would keep this busy for minutes.
  for (const part of [
    '//a',
    'eyJ',
    '-----BEGIN PRIVATE KEY',
    'Bearer ',
    'cookie:',
    'password=',
    'a@',
    '//',
    'api-key: "',
  ]) {
    redactText(part.repeat(50_000));
  }
});

test('the quick look at a query passes over nothing that the thorough one hides', () => {
  const piece = fc.constantFrom(
    ...[
      'token',
      'TOKEN',
      'Password',
      'code',
      '%74oken',
      'user[code]',
      'a',
      'K',
      '\u212a',
      '=',
      '=',
      '&',
      ';',
      '[',
      ']',
      '%',
      '+',
      ' ',
      'eyJhbGciOiJub25lIn0',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const query = pieces.join('');
      // A plus sign, which may be part of a name, forces the thorough look.
      assert.equal(redactQuery(`+&${query}`), `+&${redactQuery(query)}`);
    }),
    { numRuns: 2000 },
  );
});
