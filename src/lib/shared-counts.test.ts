import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SharedCounts } from './shared-counts.ts';

it('admits exactly the bound, whichever thread asks, and frees what is taken back', () => {
  const memory = SharedCounts.allocate(2);
  const [a, b] = [new SharedCounts(memory, 0), new SharedCounts(memory, 1)];
  const admitted = Array.from({ length: 10 }, (_, at) => (at % 2 ? a : b).add('k', 7)).filter(Boolean).length;
  assert.equal(admitted, 7);
  a.remove('k');
  assert.equal(b.add('k', 7), true);
  assert.equal(a.add('k', 7), false);
  assert.equal(a.add('another', 7), true);
});

it('takes back what a thread that is gone had counted, and nothing else', () => {
  const memory = SharedCounts.allocate(2);
  const [a, b] = [new SharedCounts(memory, 0), new SharedCounts(memory, 1)];
  for (let at = 0; at < 3; at += 1) a.add('k', 5);
  for (let at = 0; at < 2; at += 1) b.add('k', 5);
  assert.equal(b.add('k', 5), false);
  SharedCounts.forget(memory, 0);
  assert.deepEqual([b.add('k', 5), b.add('k', 5), b.add('k', 5), b.add('k', 5)], [true, true, true, false]);
});

it('is exact while threads race for the last places', async () => {
  const threads = 3;
  const memory = SharedCounts.allocate(threads);
  const work = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.module).then(({ SharedCounts }) => {
      const counts = new SharedCounts(workerData.memory, workerData.thread);
      let admitted = 0;
      for (let at = 0; at < 20000; at += 1) if (counts.add('k', 30001)) admitted += 1;
      parentPort.postMessage(admitted);
    });`;
  const module = new URL('./shared-counts.ts', import.meta.url).href;
  const admitted = await Promise.all(
    Array.from(
      { length: threads },
      (_, thread) =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(work, { eval: true, workerData: { module, memory, thread } });
          worker.once('message', resolve).once('error', reject);
        }),
    ),
  );
  assert.equal(
    admitted.reduce((sum, count) => sum + count, 0),
    30_001,
  );
});
