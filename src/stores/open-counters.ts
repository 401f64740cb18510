import { memoryCounters } from './memory/counters.ts';
import { SharedTable } from './memory/table.ts';
import type { Counters } from './stores.ts';
import { connectValkey } from './valkey/client.ts';
import { valkeyCounters } from './valkey/counters.ts';
import { refuseForgetful } from './valkey/eviction.ts';
import { parseLocation } from './valkey/location.ts';

/** Where is counted. Plain values and shared memory: the main thread hands them to its workers. */
export type CountersSettings =
  | { readonly driver: 'memory'; readonly memory: SharedArrayBuffer }
  | {
      readonly driver: 'valkey';
      /** `redis://user:password@host:port/0`, or `rediss://` for TLS; of any node where it is a cluster. */
      readonly url: string;
      readonly cluster: boolean;
      /** PEM text of the authorities that may sign the server's certificate; the system's where undefined. */
      readonly ca: string | undefined;
      /** How long one call may take, in milliseconds, before it rejects with StoreUnavailable. */
      readonly deadline: number;
    };

/** Memory for counters of one process; it holds a key in every 28 bytes before it is full. */
export function allocateCounters(bytes: number): SharedArrayBuffer {
  return SharedTable.allocate(bytes);
}

/**
 * Opens counters. Rejects with TypeError for a URL that is none, and where the server throws out what is alive; a server that is away does not keep anybody from starting, it is
 * connected to when it comes and until then every call rejects with StoreUnavailable.
 */
export async function openCounters(settings: CountersSettings): Promise<Counters> {
  if (settings.driver === 'memory') return memoryCounters(settings.memory);
  const { url, ca, cluster, deadline } = settings;
  const client = await connectValkey(parseLocation(url, ca), { cluster, deadline });
  try {
    await refuseForgetful(client);
  } catch (error) {
    client.close();
    throw error;
  }
  return valkeyCounters(client);
}
