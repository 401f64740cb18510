import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { redactor } from './redactor.ts';

test('a value becomes its reference, also as JSON writes it', () => {
  const redact = redactor([{ value: 'pass"word\n1', written: '<A>' }]);
  assert.equal(redact('x pass"word\n1 y'), 'x <A> y');
  assert.equal(redact(JSON.stringify('pass"word\n1')), '"<A>"');
});

test('the longest of several values is taken', () => {
  const redact = redactor([
    { value: 'secret', written: '<A>' },
    { value: 'secret-longer', written: '<B>' },
  ]);
  assert.equal(redact('secret-longer secret'), '<B> <A>');
});

test('no value of four characters or more survives in any text', () => {
  const value = fc.string({ minLength: 4, maxLength: 8, unit: fc.constantFrom('a', 'b', '"', '\\') });
  fc.assert(
    fc.property(fc.array(value, { maxLength: 5 }), fc.array(fc.string({ maxLength: 3 })), (values, between) => {
      const text = between.flatMap((piece, index) => [piece, values[index] ?? '']).join('');
      const redacted = redactor(values.map((secret) => ({ value: secret, written: '·' })))(text);
      for (const secret of values) assert.ok(!redacted.includes(secret));
    }),
  );
});
