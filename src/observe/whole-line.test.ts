import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { wholeLine } from './whole-line.ts';

test('a short line of ASCII is left as it is', () => {
  assert.equal(wholeLine('{"a":"b"}\n', 100), '{"a":"b"}\n');
});

test('what a terminal could take for a command, and what turns text around, is escaped; the value stays', () => {
  const facts = { agent: '\u001b[2J\u009b31m\u007f\u202egnp.exe\u2028', name: 'Jürgen 🎉', lone: '\ud800' };
  const line = wholeLine(`${JSON.stringify(facts)}\n`, 4096);
  assert.match(line, /^[\x20-\x7e]+\n$/);
  assert.deepEqual(JSON.parse(line), facts);
});

test('every line comes out whole, parseable and within its bytes', () => {
  const facts = fc.dictionary(
    fc.string({ maxLength: 40 }),
    fc.oneof(fc.string({ unit: 'binary', maxLength: 3000 }), fc.integer(), fc.array(fc.string(), { maxLength: 300 })),
    { maxKeys: 60 },
  );
  fc.assert(
    fc.property(facts, (given) => {
      const line = wholeLine(`${JSON.stringify(given)}\n`, 4096);
      assert.ok(Buffer.byteLength(line) <= 4096);
      assert.equal(line.indexOf('\n'), line.length - 1);
      JSON.parse(line);
    }),
    { numRuns: 300 },
  );
});

test('of a line that is too long the longest texts are cut, the others stay', () => {
  const line = wholeLine(`${JSON.stringify({ requestId: 'r1', detail: '"'.repeat(20_000), status: 500 })}\n`, 4096);
  const facts = JSON.parse(line);
  assert.equal(facts.requestId, 'r1');
  assert.equal(facts.status, 500);
  assert.match(facts.detail, /^"{100,}…$/);
});

test('a line of far too many members keeps the first', () => {
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`member${at}`, at]));
  assert.equal(JSON.parse(wholeLine(`${JSON.stringify({ level: 'error', ...many })}\n`, 4096)).level, 'error');
});
