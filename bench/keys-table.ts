import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { findTool, testTools } from '../test/support/require-tool.ts';
import type { Failure, KeysRow, Rows } from './results.ts';
import { runScript } from './run-script.ts';

/** The table of keys, each row measured in a fresh process with a database of its own. */
export async function measureKeys(
  directory: string,
  { counts, signal }: { readonly counts: readonly number[]; readonly signal: AbortSignal },
): Promise<Rows<KeysRow>> {
  const rows: KeysRow[] = [];
  const failures: Failure[] = [];
  const hasPostgres = findTool('postgres') !== undefined;
  const stores = hasPostgres ? ['sqlite', 'postgres'] : ['sqlite'];
  for (const store of stores) {
    for (const count of counts) {
      signal.throwIfAborted();
      try {
        const own = await mkdtemp(join(directory, 'keys-'));
        const args = ['--expose-gc', new URL('./keys.ts', import.meta.url), store, String(count), own] as const;
        // The script is ours and typed to print exactly this.
        rows.push(JSON.parse(await runScript(args, { signal, timeoutMs: 600_000 })) as KeysRow);
      } catch (error) {
        failures.push({ peer: `${store}, ${count} keys`, reason: String(error) });
      }
    }
  }
  return { rows, failures, skipped: hasPostgres ? undefined : NO_POSTGRES };
}

const NO_POSTGRES = `the rows of PostgreSQL: it is not installed (Debian: ${testTools.postgres.debianPackage})`;
