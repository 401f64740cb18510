import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bySpelling } from './spellings.ts';

test('each spelling is worked out once, and known from then on', () => {
  const asked: string[] = [];
  const lower = bySpelling((text) => {
    asked.push(text);
    return text.toLowerCase();
  });
  for (const text of ['Via', 'VIA', 'Via', 'ſ→𝄞', 'ſ→𝄞', '']) assert.equal(lower(text), text.toLowerCase());
  assert.deepEqual(asked, ['Via', 'VIA', 'ſ→𝄞', '']);
});

test('a flood of inventions takes a bounded place, and the answers stay right', () => {
  let worked = 0;
  const length = bySpelling((text) => {
    worked += 1;
    return text.length;
  });
  assert.equal(length('before'), 6);
  for (let at = 0; at < 5_000; at += 1) assert.equal(length(`x-${at}`), `x-${at}`.length);
  const first = worked;
  assert.equal(length('before'), 6);
  assert.equal(worked, first);
  assert.equal(length('x-4999'), 6);
  assert.equal(worked, first + 1);
});

test('long texts and refusals are not remembered', () => {
  let worked = 0;
  const refuse = bySpelling((text) => {
    worked += 1;
    if (text === 'bad') throw new Error('bad');
    return true;
  });
  for (let at = 0; at < 2; at += 1) {
    assert.throws(() => refuse('bad'));
    assert.equal(refuse('a'.repeat(65)), true);
  }
  assert.equal(worked, 4);
});
