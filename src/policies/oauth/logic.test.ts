import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCredential } from './logic.ts';

test('the scheme is read in any case, the token as it was sent', () => {
  assert.deepEqual(readCredential('Bearer a.b.C'), { scheme: 'bearer', token: 'a.b.C' });
  assert.deepEqual(readCredential('dPoP   a b '), { scheme: 'dpop', token: 'a b ' });
  assert.deepEqual(readCredential('BEARER '), { scheme: 'bearer', token: '' });
});

test('what has another scheme, or none, is another method’s business', () => {
  for (const field of [undefined, '', 'Bearer', 'Bearer\ta', 'Bearera b', ' Bearer a', 'Basic YTpi', 'toString a'])
    assert.equal(readCredential(field), undefined, String(field));
});
