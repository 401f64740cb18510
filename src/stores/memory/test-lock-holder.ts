import { parentPort, workerData } from 'node:worker_threads';
import { fingerprinter } from './keys.ts';
import { SharedTable } from './table.ts';

/** A thread that never lets go of the locks of one key; the test ends it there. */
const table = new SharedTable(workerData as SharedArrayBuffer); // as the test hands it over
table.update(fingerprinter(table.seed)('count', 'held'), Date.now(), () => {
  parentPort?.postMessage('holding');
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
});
