import type { Counters } from '../counters.ts';
import type { CountersSettings } from '../counters-settings.ts';
import { connectValkey } from './client.ts';
import { valkeyCounters } from './counters.ts';
import { refuseForgetful } from './eviction.ts';
import { parseLocation } from './location.ts';

/** Opens counters on a server; see `openCounters` for what it rejects with. */
export async function openValkey(settings: Extract<CountersSettings, { driver: 'valkey' }>): Promise<Counters> {
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
