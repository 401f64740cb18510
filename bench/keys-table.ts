import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { findTool } from '../test/support/require-tool.ts';
import type { Failure, KeysRow, Rows } from './results.ts';
import { runScript } from './run-script.ts';

/** The table of keys, each row measured in a fresh process with a database of its own. */
export async function measureKeys(
  directory: string,
  { quick, signal }: { readonly quick: boolean; readonly signal: AbortSignal },
): Promise<Rows<KeysRow>> {
  const rows: KeysRow[] = [];
  const failures: Failure[] = [];
  const stores = findTool('postgres') === undefined ? ['sqlite'] : ['sqlite', 'postgres'];
  for (const store of stores) {
    for (const count of quick ? [1_000, 20_000] : [1_000, 1_000_000]) {
      signal.throwIfAborted();
      try {
        const own = await mkdtemp(join(directory, 'keys-'));
        const args = ['--expose-gc', new URL('./keys.ts', import.meta.url), store, String(count), own] as const;
        // The script is ours and typed to print exactly this.
        rows.push(JSON.parse(await runScript(args, { signal, timeoutMs: 400_000 })) as KeysRow);
      } catch (error) {
        failures.push({ peer: `${store}, ${count} keys`, reason: String(error) });
      }
    }
  }
  return { rows, failures, skipped: undefined };
}
