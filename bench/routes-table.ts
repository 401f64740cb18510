import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Failure, RoutesRow, Rows } from './results.ts';
import { tellingLines } from './telling-lines.ts';

const COUNTS = [10, 1_000, 10_000];

/** Table 4, each row measured in a fresh process, so that a small file does not warm up the loader for a large one. */
export async function measureRoutes(directory: string, signal: AbortSignal): Promise<Rows<RoutesRow>> {
  const rows: RoutesRow[] = [];
  const failures: Failure[] = [];
  for (const count of COUNTS) {
    signal.throwIfAborted();
    try {
      // The script is ours and typed to print exactly this.
      rows.push(JSON.parse(await runScript([String(count), directory], signal)) as RoutesRow);
    } catch (error) {
      failures.push({ peer: `${count} routes`, reason: String(error) });
    }
  }
  return { rows, failures, skipped: undefined };
}

function runScript(args: readonly string[], signal: AbortSignal): Promise<string> {
  const script = fileURLToPath(new URL('./routes.ts', import.meta.url));
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, ...args], { signal, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stderr === '' ? error.message : tellingLines(stderr)));
    });
  });
}
