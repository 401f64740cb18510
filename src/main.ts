#!/usr/bin/env node
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import manifest from '../package.json' with { type: 'json' };

/**
 * The entry point of both planes: the command line on the main thread, the data plane in a worker thread.
 * Each loads only its own half of the program.
 */
if (isMainThread) {
  const { runCommand } = await import('./cli/program.ts');
  const { terminal } = await import('./cli/output.ts');
  process.exitCode = await runCommand(process.argv.slice(2), {
    version: manifest.version,
    entry: new URL(import.meta.url),
    terminal,
    env: process.env,
  });
} else if (parentPort !== null) {
  const { runWorker } = await import('./process/worker.ts');
  await runWorker(parentPort, workerData); // what the supervisor's pool gave it
}
