import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SharedFreshness } from './freshness.ts';

/** A control plane and a worker over the same memory, at a time the test sets. */
function pair(at = 1_000_000) {
  const clock = { now: at };
  const memory = SharedFreshness.allocate();
  const plane = new SharedFreshness(memory, () => clock.now);
  const worker = new SharedFreshness(memory, () => clock.now);
  return { clock, plane, worker };
}

test('nobody is fresh before the log was read, nor before what was read was taken in', () => {
  const { clock, plane, worker } = pair();
  worker.takeIn(0);
  assert.equal(worker.isFresh(), false, 'never read');
  plane.note(0, clock.now);
  assert.equal(worker.isFresh(), true);
  assert.equal(new SharedFreshness(SharedFreshness.allocate()).isFresh(), false);
  plane.note(7, clock.now);
  assert.equal(worker.isFresh(), false, 'told of 7, has heard of 0');
  worker.takeIn(6);
  assert.equal(worker.isFresh(), false);
  worker.takeIn(7);
  assert.equal(worker.isFresh(), true);
  worker.takeIn(3);
  assert.equal(worker.isFresh(), true, 'an older message takes nothing back');
});

test('a worker that has taken in nothing is not fresh although the log is empty', () => {
  const { clock, plane, worker } = pair();
  plane.note(0, clock.now);
  assert.equal(worker.isFresh(), false);
});

test('in another era the numbers of the one before count for nothing', () => {
  const { clock, plane, worker } = pair();
  plane.note(105, clock.now);
  worker.takeIn(105);
  assert.equal(worker.isFresh(), true);
  const era = plane.beginEra();
  plane.note(101, clock.now);
  assert.equal(worker.isFresh(), false, 'what it knows is of another log');
  worker.enterEra(era, 100);
  assert.equal(worker.isFresh(), false);
  worker.takeIn(101);
  assert.equal(worker.isFresh(), true);
});

test('a machine that has just begun to run is no reason to be fresh', () => {
  const { worker } = pair(5);
  worker.takeIn(0);
  assert.equal(worker.isFresh(), false);
});

test('a read counts for 0.8 s at most, of which rounding takes up to 0.1', () => {
  const { clock, plane, worker } = pair();
  worker.takeIn(1);
  for (const readAt of [2_000_000, 2_000_001, 2_000_099]) {
    clock.now = readAt;
    plane.note(1, readAt);
    clock.now = readAt + 700;
    assert.equal(worker.isFresh(), true, String(readAt));
    clock.now = readAt + 801;
    assert.equal(worker.isFresh(), false, String(readAt));
  }
});

test('a log that nobody reads any more never becomes fresh again', () => {
  const { clock, plane, worker } = pair();
  plane.note(1, clock.now);
  worker.takeIn(1);
  for (const age of [2 ** 31, 2 ** 32, 2 ** 32 + 100, 2 ** 38]) {
    clock.now = 1_000_000 + age;
    assert.equal(worker.isFresh(), false, `${age} ms`);
  }
});

test('property: whatever the numbers, a worker is fresh exactly where it has heard of all', () => {
  const seq = fc.oneof(fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 2 ** 31 - 500, max: 2 ** 33 + 500 }));
  fc.assert(
    fc.property(seq, fc.integer({ min: -1_000, max: 1_000 }), fc.nat({ max: 2 ** 38 }), (read, ahead, at) => {
      const { clock, plane, worker } = pair(at + 100);
      const heard = Math.max(0, read + ahead);
      plane.note(read, clock.now);
      worker.takeIn(heard);
      assert.equal(worker.isFresh(), heard >= read);
    }),
    { numRuns: 500 },
  );
});
