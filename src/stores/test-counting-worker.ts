import { parentPort, workerData } from 'node:worker_threads';
import { type CountersSettings, openCounters } from './open-counters.ts';

/** One of several threads that count the same keys at the same moment; it answers what it was told. */
export interface CountingTask {
  readonly settings: CountersSettings;
  readonly nonces: number;
  readonly increments: number;
}

export interface CountingResult {
  /** How many nonces this thread was told it was the first to use. */
  readonly firsts: number;
  readonly counts: readonly number[];
}

async function count(task: CountingTask): Promise<CountingResult> {
  const counters = await openCounters(task.settings);
  parentPort?.postMessage('ready');
  await new Promise((resolve) => parentPort?.once('message', resolve));
  let firsts = 0;
  for (let nonce = 0; nonce < task.nonces; nonce += 1) if (await counters.once(`nonce ${nonce}`, 600_000)) firsts += 1;
  const counts: number[] = [];
  for (let turn = 0; turn < task.increments; turn += 1)
    counts.push((await counters.increment('shared', 600_000)).count);
  await counters.close();
  return { firsts, counts };
}

const result = await count(workerData as CountingTask); // the tests hand it over as such
parentPort?.postMessage(result);
