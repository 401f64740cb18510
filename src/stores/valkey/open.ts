import type { Counters } from '../counters.ts';
import type { CountersSettings } from '../counters-settings.ts';
import { connectValkey } from './client.ts';
import { valkeyCounters } from './counters.ts';
import { watchEviction } from './eviction.ts';
import { parseLocation } from './location.ts';

/** Opens counters on a server; see `openCounters` for what it rejects with. */
export async function openValkey(settings: Extract<CountersSettings, { driver: 'valkey' }>): Promise<Counters> {
  const { url, ca, cluster, deadline } = settings;
  const client = await connectValkey(parseLocation(url, ca), { cluster, deadline });
  const eviction = watchEviction(client);
  // One that is away does not keep anybody from starting: it is asked when it comes, before a nonce is given to it.
  const fault = await eviction.fault()?.catch(() => undefined);
  if (fault === undefined) return valkeyCounters(client, eviction);
  client.close();
  throw new Error(fault);
}
