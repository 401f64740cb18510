import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RoutesRow, Rows } from './results.ts';
import { tellingLines } from './telling-lines.ts';

/** Table 4, measured in a process of its own, so that the heap of the bench does not weigh on it. */
export async function measureRoutes(signal: AbortSignal): Promise<Rows<RoutesRow>> {
  const output = await runScript(signal);
  // The script is ours and typed to print exactly this.
  const rows = JSON.parse(output) as readonly RoutesRow[];
  return { rows, failures: [], skipped: undefined };
}

function runScript(signal: AbortSignal): Promise<string> {
  const script = fileURLToPath(new URL('./routes.ts', import.meta.url));
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script], { signal, timeout: 120_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stderr === '' ? error.message : tellingLines(stderr)));
    });
  });
}
