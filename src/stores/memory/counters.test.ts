import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { until } from '../../../test/support/until.ts';
import { allocateCounters, openCounters } from '../open-counters.ts';
import { StoreUnavailable } from '../stores.ts';
import { countersContract } from '../test-counters-contract.ts';

describe('counters in shared memory', () => {
  countersContract(async () => ({
    settings: { driver: 'memory', memory: allocateCounters(1_000_000) },
    stop: async () => undefined,
  }));

  it('refuses when full and forgets nothing that is alive', async () => {
    const counters = await openCounters({ driver: 'memory', memory: allocateCounters(20_000) });
    const kept: string[] = [];
    const fill = (ttlMs: number): void => {
      for (let index = 0; ; index += 1) {
        const key = `${ttlMs} ${index}`;
        assert.equal(counters.once(key, ttlMs), true);
        kept.push(key);
      }
    };
    assert.throws(() => fill(600_000), StoreUnavailable);
    assert.ok(kept.length > 20_000 / 35, `${kept.length} keys`);
    for (const key of kept) assert.equal(counters.once(key, 600_000), false, key);
  });

  it('fills again once all has ended', async () => {
    const counters = await openCounters({ driver: 'memory', memory: allocateCounters(5_000) });
    const fill = (ttlMs: number): number => {
      for (let index = 0; ; index += 1) {
        try {
          counters.increment(`${ttlMs} ${index}`, ttlMs);
        } catch {
          return index;
        }
      }
    };
    const first = fill(100);
    assert.ok(first > 0);
    await until('the entries to end', () => fill(600_000) > first / 2);
  });

  it('goes on where a thread was ended while it held a lock', async () => {
    const memory = allocateCounters(10_000);
    const worker = new Worker(new URL('./test-lock-holder.ts', import.meta.url), { workerData: memory });
    await once(worker, 'message');
    await worker.terminate();
    const counters = await openCounters({ driver: 'memory', memory });
    assert.equal((await counters.increment('held', 60_000)).count, 1);
    assert.equal((await counters.increment('held', 60_000)).count, 2);
  });

  it('takes no memory that is too small or was made by somebody else', async () => {
    assert.throws(() => allocateCounters(100), RangeError);
    await assert.rejects(openCounters({ driver: 'memory', memory: new SharedArrayBuffer(1_000) }), TypeError);
  });
});
