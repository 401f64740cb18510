import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { steadyNow } from './steady-clock.ts';

test('all threads read the same clock, whenever they began', async () => {
  const source = `
    import { parentPort } from 'node:worker_threads';
    import { steadyNow } from ${JSON.stringify(new URL('steady-clock.ts', import.meta.url).href)};
    parentPort.postMessage(steadyNow());`;
  const before = steadyNow();
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  // Waited for from the start: it may come right behind the message.
  const exit = once(worker, 'exit');
  const [theirs] = await once(worker, 'message');
  const after = steadyNow();
  await exit;
  assert.ok(before <= theirs && theirs <= after, `${before} ≤ ${theirs} ≤ ${after}`);
});
