import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import type { Counters } from './counters.ts';
import { type CountersSettings, openCounters } from './open-counters.ts';
import type { CountingResult, CountingTask } from './test-counting-worker.ts';

/** What every driver of counters does, tested on the one that `start` makes. */
export function countersContract(
  start: () => Promise<{ readonly settings: CountersSettings; stop(): Promise<void> }>,
): void {
  let counters: Counters;
  let driver: Awaited<ReturnType<typeof start>>;
  before(async () => {
    driver = await start();
    counters = await openCounters(driver.settings);
  });
  after(async () => {
    await counters.close();
    await driver.stop();
  });

  it('is true for the first use of a key alone, until its time is over', async () => {
    assert.equal(await counters.once('nonce', 60_000), true);
    assert.equal(await counters.once('nonce', 60_000), false);
    assert.equal(await counters.once('another', 60_000), true);
    assert.equal(await counters.once('short', 20), true);
    await becomes(async () => await counters.once('short', 60_000));
    assert.equal(await counters.once('short', 60_000), false);
  });

  it('counts in a window that begins with the first call', async () => {
    const first = await counters.increment('attempts', 60_000);
    assert.equal(first.count, 1);
    assert.ok(first.endsAt > Date.now() + 50_000 && first.endsAt <= Date.now() + 61_000);
    const second = await counters.increment('attempts', 1_000_000);
    assert.equal(second.count, 2);
    assert.ok(Math.abs(second.endsAt - first.endsAt) <= 2, 'a later call does not move the end');
    assert.equal((await counters.read('attempts')).count, 2);
    await counters.increment('brief', 20);
    await becomes(async () => (await counters.read('brief')).count === 0);
    assert.equal((await counters.increment('brief', 60_000)).count, 1);
  });

  it('answers zero for what was never counted or was cleared', async () => {
    assert.deepEqual(await counters.read('nothing'), { count: 0, endsAt: 0 });
    await counters.increment('cleared', 60_000);
    await counters.once('cleared', 60_000);
    await counters.clear('cleared');
    assert.deepEqual(await counters.read('cleared'), { count: 0, endsAt: 0 });
    assert.equal(await counters.once('cleared', 60_000), true);
    await counters.clear('never there');
  });

  it('takes windows of months, and refuses those that would end before they begin', async () => {
    const month = 31 * 24 * 3_600_000;
    const { endsAt } = await counters.increment('monthly', month);
    assert.ok(endsAt > Date.now() + month - 60_000);
    for (const ms of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(async () => await counters.once('bad', ms), RangeError);
      await assert.rejects(async () => await counters.increment('bad', ms), RangeError);
    }
  });

  it('keeps any keys apart, whatever is in them', async () => {
    const keys = [
      '',
      'a',
      'A',
      'a ',
      '{a}',
      '{}a',
      'ä',
      'a\0',
      'a\n',
      '\u{1F511}',
      'k'.repeat(100_000),
      `${'k'.repeat(100_000)}1`,
    ];
    for (const [index, key] of keys.entries()) {
      for (let turn = 0; turn <= index; turn += 1) await counters.increment(key, 60_000);
    }
    for (const [index, key] of keys.entries())
      assert.equal((await counters.read(key)).count, index + 1, key.slice(0, 10));
  });

  it('does what a map would do', async () => {
    const step = fc.record({ verb: fc.constantFrom('once', 'increment', 'read', 'clear'), key: fc.nat({ max: 4 }) });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        run += 1;
        const seen = new Set<string>();
        const counts = new Map<string, number>();
        for (const { verb, key: number } of steps) {
          const key = `run ${run} key ${number}`;
          if (verb === 'once') {
            assert.equal(await counters.once(key, 600_000), !seen.has(key));
            seen.add(key);
          } else if (verb === 'increment') {
            counts.set(key, (counts.get(key) ?? 0) + 1);
            assert.equal((await counters.increment(key, 600_000)).count, counts.get(key));
          } else if (verb === 'read') {
            assert.equal((await counters.read(key)).count, counts.get(key) ?? 0);
          } else {
            await counters.clear(key);
            seen.delete(key);
            counts.delete(key);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('is exact over several threads that all come at once', async () => {
    const task: CountingTask = { settings: driver.settings, nonces: 300, increments: 500 };
    const results = await runTogether(task, 4);
    assert.equal(
      results.reduce((sum, { firsts }) => sum + firsts, 0),
      task.nonces,
    );
    const counts = results.flatMap((result) => result.counts).sort((one, other) => one - other);
    assert.deepEqual(
      counts,
      Array.from({ length: 4 * task.increments }, (_, index) => index + 1),
    );
  });
}

/** Asks until it is so; the time a test may take is the bound. */
async function becomes(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(5);
}

async function runTogether(task: CountingTask, threads: number): Promise<readonly CountingResult[]> {
  const file = new URL('./test-counting-worker.ts', import.meta.url);
  const workers = Array.from({ length: threads }, () => new Worker(file, { workerData: task }));
  try {
    await Promise.all(workers.map(async (worker) => await once(worker, 'message')));
    const results = workers.map(async (worker) => (await once(worker, 'message'))[0] as CountingResult); // its only other message
    for (const worker of workers) worker.postMessage('go');
    return await Promise.all(results);
  } finally {
    await Promise.all(workers.map(async (worker) => await worker.terminate()));
  }
}
