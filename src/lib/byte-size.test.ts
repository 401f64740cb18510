import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteSizeOption, formatByteSize, parseByteSize } from './byte-size.ts';

test('binary and decimal units differ', () => {
  assert.equal(parseByteSize('512B'), 512);
  assert.equal(parseByteSize('512'), 512);
  assert.equal(parseByteSize('16KiB'), 16_384);
  assert.equal(parseByteSize('16KB'), 16_000);
  assert.equal(parseByteSize('10MiB'), 10_485_760);
  assert.equal(parseByteSize('10MB'), 10_000_000);
  assert.equal(parseByteSize('1GiB'), 1_073_741_824);
  assert.equal(parseByteSize('1GB'), 1_000_000_000);
});

test('anything else is no size', () => {
  for (const text of ['', 'KiB', '-1B', '1.5KiB', '1 KiB', '1kib', '1K', '1e3', '0x10', '999999999999999GiB']) {
    assert.equal(parseByteSize(text), undefined, text);
  }
});

test('what is written reads back as the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 49 }), (bytes) => parseByteSize(formatByteSize(bytes)) === bytes),
  );
  assert.equal(formatByteSize(16_384), '16KiB');
});

test('an option takes a plain number of bytes too, if it is whole and within bounds', () => {
  const option = byteSizeOption({ min: 10, max: 2048 });
  assert.equal(option.parse(10), 10);
  assert.equal(option.parse('2KiB'), 2048);
  for (const value of [9, 2049, 10.5, '3KiB', '2.5KiB', true, null]) {
    assert.equal(option.safeParse(value).success, false, String(value));
  }
});
