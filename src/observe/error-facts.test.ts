import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorFacts, errorFacts } from './error-facts.ts';

test('an error tells its kind, words, code and where it arose', () => {
  const facts = errorFacts(Object.assign(new TypeError('no such thing'), { code: 'ENOENT' }));
  assert.equal(facts.type, 'TypeError');
  assert.equal(facts.message, 'no such thing');
  assert.equal(facts.code, 'ENOENT');
  assert.match(facts.stack ?? '', /error-facts\.test\.ts/);
});

test('causes are followed four deep, also in a circle', () => {
  const outer = new Error('outer');
  outer.cause = new Error('inner', { cause: outer });
  let depth = 0;
  for (let facts: ErrorFacts | undefined = errorFacts(outer); facts !== undefined; facts = facts.cause) depth += 1;
  assert.equal(depth, 4);
});

test('an aggregate tells what it holds', () => {
  const facts = errorFacts(new AggregateError([new Error('refused by ::1'), new Error('refused by 127.0.0.1')], ''));
  assert.deepEqual(
    facts.errors?.map(({ message }) => message),
    ['refused by ::1', 'refused by 127.0.0.1'],
  );
});

test('credentials are taken out of words, stacks and causes', () => {
  const text = JSON.stringify(
    errorFacts(new Error('Bearer abcdef123456', { cause: new Error('https://joe:s3cret@host/') })),
  );
  assert.doesNotMatch(text, /abcdef123456|s3cret/);
});

test('whatever is thrown can be told', () => {
  assert.deepEqual(errorFacts('just words'), { message: 'just words' });
  assert.deepEqual(errorFacts(undefined), { message: 'undefined' });
  assert.deepEqual(errorFacts(Object.create(null)), { message: '[object Object]' });
  assert.deepEqual(errorFacts(Symbol('s')), { message: 'Symbol(s)' });
  assert.equal(errorFacts(Object.assign(new Error('m'), { code: Object.create(null) })).code, '[object Object]');
});
