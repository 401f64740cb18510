import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editDistance, suggest } from './suggest.ts';

test('a mistyped word finds the nearest candidate', () => {
  const keys = ['upstream', 'upstreams', 'authenticate', 'rewrite', 'exposure'];
  assert.equal(suggest('upstraem', keys), 'upstream');
  assert.equal(suggest('authentcate', keys), 'authenticate');
  assert.equal(suggest('Exposure', keys), 'exposure');
  assert.equal(suggest('GTE', ['POST', 'GET']), 'GET');
});

test('case, - and _ do not count', () => {
  assert.equal(suggest('idle-timeout', ['idleTimeout']), 'idleTimeout');
  assert.equal(suggest('IDLE_TIMEOUT', ['headerTimeout', 'idleTimeout']), 'idleTimeout');
});

test('nothing is suggested for a word that is near to none', () => {
  assert.equal(suggest('banana', ['upstream', 'path']), undefined);
  assert.equal(suggest('', ['a']), undefined);
  assert.equal(suggest('x', []), undefined);
});

test('the distance counts inserted, deleted, replaced and swapped letters', () => {
  assert.equal(editDistance('', 'abc'), 3);
  assert.equal(editDistance('abc', 'abc'), 0);
  assert.equal(editDistance('abc', 'acb'), 1);
  assert.equal(editDistance('abc', 'xbc'), 1);
  assert.equal(editDistance('kitten', 'sitting'), 3);
});

test('the distance is symmetric, zero for equal words only, and cut short at the bound', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), fc.nat(6), (a, b, bound) => {
      const distance = editDistance(a, b);
      assert.equal(distance, editDistance(b, a));
      assert.equal(distance === 0, a === b);
      assert.equal(editDistance(a, b, bound), Math.min(distance, bound));
    }),
  );
});
