import { join } from 'node:path';
import type { GatewayConfig } from '../config/schema.ts';
import { SharedFreshness } from '../identity/freshness.ts';
import { allocateCounters } from '../stores/open-counters.ts';
import { readOrMakeSealingKey } from '../stores/sealer.ts';
import type { StoreFacts } from './messages.ts';

/** Memory of the counters where the workers share it: some hundred thousand nonces and throttles at a time. */
const COUNTER_BYTES = 32 * 2 ** 20;

/** What all threads of this process open their stores with. It is made once: the counters are the memory in it. */
export async function storeFacts(config: GatewayConfig): Promise<StoreFacts> {
  const { records, counters, encryptionKeys } = config.stores;
  return {
    records:
      records === 'sqlite'
        ? { driver: 'sqlite', file: join(config.dataDir, 'records.db') }
        : { driver: 'postgres', ca: undefined, ...records.postgres },
    counters:
      counters === 'memory'
        ? { driver: 'memory', memory: allocateCounters(COUNTER_BYTES) }
        : { driver: 'valkey', ca: undefined, ...counters.valkey },
    sealingKeys:
      encryptionKeys === undefined
        ? [await readOrMakeSealingKey(join(config.dataDir, 'sealing-key'))]
        : encryptionKeys.map((key) => Buffer.from(key, 'base64')), // it takes base64url as well
    freshness: SharedFreshness.allocate(),
  };
}
