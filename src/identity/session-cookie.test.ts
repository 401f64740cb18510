import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSessionCookies, deriveCookieKey, newSessionId, sessionName } from './session-cookie.ts';
import { cookieNames, cookieValues, withoutGatewayCookies } from './session-cookie-field.ts';

const cookies = createSessionCookies(randomBytes(32));

test('a session cookie opens to what it was made of, and says nothing by itself', () => {
  const id = newSessionId();
  const value = cookies.sealSession({ login: 'web', id });
  assert.deepEqual(cookies.openSession(value), { login: 'web', id });
  assert.notEqual(cookies.sealSession({ login: 'web', id }), value);
  assert.ok(!value.includes(id));
  assert.match(value, /^[\w.-]+$/);
});

test('no changed, cut, spelled otherwise or foreign cookie opens', () => {
  const value = cookies.sealSession({ login: 'web', id: newSessionId() });
  for (let at = 0; at < value.length; at += 1) {
    const other = value[at] === 'A' ? 'B' : 'A';
    assert.equal(cookies.openSession(value.slice(0, at) + other + value.slice(at + 1)), undefined, `character ${at}`);
    assert.equal(cookies.openSession(value.slice(0, at)), undefined, `the first ${at}`);
  }
  for (const odd of [
    `${value}A`,
    `${value}=`,
    ` ${value}`,
    value.replace('web', 'other'),
    value.slice(4),
    'web.',
    '.',
    '',
    'x',
  ])
    assert.equal(cookies.openSession(odd), undefined, odd);
  assert.equal(createSessionCookies(randomBytes(32)).openSession(value), undefined);
});

test('what was sealed for one purpose does not open for another', () => {
  const value = cookies.seal('transaction', 'x');
  assert.equal(cookies.open('transaction', value), 'x');
  assert.equal(cookies.open('session\0web', value), undefined);
  assert.equal(cookies.openSession(`web.${value}`), undefined);
});

test('nothing anybody sends throws', () => {
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => cookies.openSession(text) === undefined));
  assert.equal(cookies.openSession(`web.${'A'.repeat(100_000)}`), undefined);
});

test('the key of cookies is another than the one it comes from, and the same each time', () => {
  const key = randomBytes(32);
  assert.deepEqual(deriveCookieKey(key), deriveCookieKey(key));
  assert.notDeepEqual(Buffer.from(deriveCookieKey(key)), key);
  assert.throws(() => createSessionCookies(randomBytes(16)), /has 32 bytes/);
});

test('the name of a session is no way to it', () => {
  const id = newSessionId();
  assert.equal(sessionName(id), sessionName(id));
  assert.ok(!id.includes(sessionName(id)));
});

test('cookies are found by their whole name, in all fields', () => {
  const fields = ['a=1; __Host-sallyport-web=x', 'x__Host-sallyport-web=no; __Host-sallyport-web=y;b'];
  assert.deepEqual(cookieValues(fields, '__Host-sallyport-web'), ['x', 'y']);
  assert.deepEqual(cookieValues(fields, '__host-sallyport-web'), []);
  assert.deepEqual(cookieNames(['__Host-sallyport-web.1=a; c=d'], '__Host-sallyport-web.'), ['__Host-sallyport-web.1']);
});

test('the gateway’s own cookies are taken out, all others stay as they are', () => {
  assert.equal(withoutGatewayCookies(['theme=dark; cart="a b"']), undefined);
  assert.equal(
    withoutGatewayCookies(['theme=dark; __Host-sallyport-web=x', '__Host-sallyport-web.0a=y; cart="a b"; odd']),
    'theme=dark; cart="a b"; odd',
  );
  assert.equal(withoutGatewayCookies(['__Host-sallyport-web=x;']), '');
  assert.equal(withoutGatewayCookies(['note=about __Host-sallyport-web']), 'note=about __Host-sallyport-web');
});
