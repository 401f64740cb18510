import type { Failure, RoutesRow, Rows } from './results.ts';
import { runScript } from './run-script.ts';

const SCRIPT = new URL('./routes.ts', import.meta.url);
const COUNTS = [10, 1_000, 10_000];

/** Table 4, each row measured in a fresh process, so that a small file does not warm up the loader for a large one. */
export async function measureRoutes(directory: string, signal: AbortSignal): Promise<Rows<RoutesRow>> {
  const rows: RoutesRow[] = [];
  const failures: Failure[] = [];
  for (const count of COUNTS) {
    signal.throwIfAborted();
    try {
      // The script is ours and typed to print exactly this.
      rows.push(
        JSON.parse(await runScript([SCRIPT, String(count), directory], { signal, timeoutMs: 60_000 })) as RoutesRow,
      );
    } catch (error) {
      failures.push({ peer: `${count} routes`, reason: String(error) });
    }
  }
  return { rows, failures, skipped: undefined };
}
