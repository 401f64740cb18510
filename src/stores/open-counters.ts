import type { Counters } from './counters.ts';
import type { CountersSettings } from './counters-settings.ts';
import { memoryCounters } from './memory/counters.ts';
import { SharedTable } from './memory/table.ts';

export type { CountersSettings } from './counters-settings.ts';

/** Memory for counters of one process; it holds a key in every 28 bytes before it is full. */
export function allocateCounters(bytes: number): SharedArrayBuffer {
  return SharedTable.allocate(bytes);
}

/**
 * Opens counters. Rejects with TypeError for a URL that is none, and where the server throws out what is alive; a server that
 * is away does not keep anybody from starting: it is connected to when it comes, and until then every call rejects with
 * StoreUnavailable.
 */
export async function openCounters(settings: CountersSettings): Promise<Counters> {
  if (settings.driver === 'memory') return memoryCounters(settings.memory);
  const { openValkey } = await import('./valkey/open.ts');
  return await openValkey(settings);
}
