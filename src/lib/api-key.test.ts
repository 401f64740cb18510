import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import {
  isKeyEnvironment,
  isKeyId,
  isSecretHash,
  KEY_SCANNER_PATTERN,
  makeApiKey,
  parseApiKey,
  sameSecretHash,
} from './api-key.ts';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const environment = fc.stringMatching(/^[a-z0-9]{1,12}$/);

test('what is made can be read, and says the same of itself', () => {
  fc.assert(
    fc.property(environment, (name) => {
      const { key, ...made } = makeApiKey(name);
      assert.deepEqual(parseApiKey(key), made);
      assert.equal(made.environment, name);
      assert.ok(key.startsWith(`sp_${name}_${made.id}_`));
      assert.ok(isKeyId(made.id));
      assert.ok(isSecretHash(made.secretHash));
    }),
  );
});

test('the hash is SHA-256 over the secret alone, and the key does not hold it', () => {
  const { key, secretHash } = makeApiKey('live');
  const secret = key.slice(key.lastIndexOf('_') + 1, -6);
  assert.equal(secret.length, 32);
  assert.equal(secretHash, createHash('sha256').update(secret).digest('base64url'));
});

test('the checksum is CRC-32 in base 62, as the documentation tells others to compute it', () => {
  const { key } = makeApiKey('test');
  const value = [...key.slice(-6)].reduce((sum, digit) => sum * 62 + DIGITS.indexOf(digit), 0);
  assert.equal(value, crc32(Buffer.from(key.slice(0, -6))));
});

test('every change of one character is caught, wherever it is', () => {
  const { key } = makeApiKey('live');
  for (let at = 0; at < key.length; at += 1) {
    for (const other of `${DIGITS}_- `) {
      if (other === key[at]) continue;
      assert.equal(parseApiKey(key.slice(0, at) + other + key.slice(at + 1)), undefined, `${at}: ${other}`);
    }
  }
});

test('swapped neighbours, cut ends and additions are caught', () => {
  fc.assert(
    fc.property(fc.nat(54), fc.string({ minLength: 1, maxLength: 3 }), (at, more) => {
      const { key } = makeApiKey('live');
      const [left, right] = [key.charAt(at), key.charAt(at + 1)];
      if (left !== right) assert.equal(parseApiKey(key.slice(0, at) + right + left + key.slice(at + 2)), undefined);
      assert.equal(parseApiKey(key.slice(0, -1 - at)), undefined);
      assert.equal(parseApiKey(key.slice(at + 1)), undefined);
      assert.equal(parseApiKey(key + more), undefined);
      assert.equal(parseApiKey(more + key), undefined);
    }),
  );
});

test('texts that are no keys are read as none, whatever they are', () => {
  const shaped = fc.stringMatching(/^sp_[a-z0-9]{1,12}_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}$/);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), shaped), (text) => {
      assert.equal(parseApiKey(text), undefined);
    }),
    { numRuns: 2_000 },
  );
  assert.equal(parseApiKey(''), undefined);
  assert.equal(parseApiKey(makeApiKey('live').key.repeat(100_000)), undefined);
  assert.equal(parseApiKey(`${makeApiKey('live').key}\n`), undefined);
});

test('no two keys are alike, and every digit comes up', () => {
  const keys = Array.from({ length: 1_000 }, () => makeApiKey('live'));
  assert.equal(new Set(keys.map(({ id }) => id)).size, keys.length);
  assert.equal(new Set(keys.map(({ secretHash }) => secretHash)).size, keys.length);
  assert.equal(new Set(keys.map(({ key }) => key.slice(8, -6)).join('')).size, DIGITS.length + 1);
});

test('the expression for scanners finds keys in the midst of other text, and nothing shorter', () => {
  const pattern = new RegExp(KEY_SCANNER_PATTERN, 'g');
  const { key } = makeApiKey('live');
  assert.deepEqual(`API_KEY="${key}" # mine`.match(pattern), [key]);
  assert.deepEqual(`https://api.example/?api_key=${key}&x=1`.match(pattern), [key]);
  assert.equal(pattern.test(key.slice(0, -1)), false);
  assert.equal(pattern.test(`${key}x`), false);
});

test('the documentation gives scanners this expression, and an example they find', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/api-keys.md'), 'utf8');
  assert.ok(page.includes(`\n${KEY_SCANNER_PATTERN}\n`));
  const [example = ''] = page.match(new RegExp(KEY_SCANNER_PATTERN)) ?? [];
  assert.equal(parseApiKey(example)?.environment, 'live');
});

test('environments are short and plain', () => {
  for (const name of ['', 'Live', 'a_b', 'a-b', 'thirteenchars', 'é', 'live\n']) {
    assert.equal(isKeyEnvironment(name), false, name);
    assert.throws(() => makeApiKey(name), /no environment of a key/);
  }
});

test('hashes are compared whole', () => {
  const [{ secretHash: one }, { secretHash: other }] = [makeApiKey('live'), makeApiKey('live')];
  assert.equal(sameSecretHash(one, `${one}`.slice()), true);
  assert.equal(sameSecretHash(one, other), false);
  assert.equal(sameSecretHash(one, one.slice(0, -1)), false);
  assert.equal(sameSecretHash('', one), false);
  for (let at = 0; at < one.length; at += 1) {
    assert.equal(sameSecretHash(one, `${one.slice(0, at)}.${one.slice(at + 1)}`), false);
  }
});
