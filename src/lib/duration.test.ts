import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { durationOption, formatDuration, LONGEST_DURATION, parseDuration } from './duration.ts';

test('a duration is a whole number and a unit', () => {
  assert.equal(parseDuration('250ms'), 250);
  assert.equal(parseDuration('30s'), 30_000);
  assert.equal(parseDuration('5m'), 300_000);
  assert.equal(parseDuration('1h'), 3_600_000);
  assert.equal(parseDuration('1d'), 86_400_000);
});

test('anything else is none', () => {
  for (const text of [
    '',
    '30',
    's',
    '-1s',
    '+1s',
    '1.5s',
    '1 s',
    '1S',
    '1e3s',
    '30s ',
    '1h30m',
    '0x1s',
    '١s',
    '9'.repeat(16).concat('s'),
    '999999999999999d',
  ]) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

test('what is written reads back as the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: LONGEST_DURATION }), (ms) => parseDuration(formatDuration(ms)) === ms),
  );
  assert.equal(formatDuration(90_000), '90s');
  assert.equal(formatDuration(120_000), '2m');
});

test('an option refuses what lies outside its bounds, and says them', () => {
  const option = durationOption({ min: 1000, max: 60_000 });
  assert.equal(option.parse('1s'), 1000);
  assert.equal(option.parse('1m'), 60_000);
  for (const text of ['999ms', '61s']) {
    const issue = option.safeParse(text).error?.issues[0];
    assert.equal(issue?.code === 'custom' && issue.params?.['hint'], 'write a duration from 1s to 1m', text);
  }
});

test('by default a duration is one that a timer can wait for', () => {
  assert.ok(LONGEST_DURATION < 2 ** 31);
  assert.equal(durationOption().safeParse('0s').success, false);
  assert.equal(durationOption().safeParse('24d').success, true);
  assert.equal(durationOption().safeParse('25d').success, false);
});
