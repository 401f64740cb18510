import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openRecords } from '../stores/open-records.ts';
import { createSealer } from '../stores/sealer.ts';
import type { ApiKey, Consumer, KeyWithConsumer, Records } from '../stores/stores.ts';
import { consumerNamed, keyOf } from '../stores/test-records.ts';

/** For tests: a key that opens every API, as a look-up finds it. */
export function foundKey(key: Partial<ApiKey> & Pick<ApiKey, 'id'>, consumer: Partial<Consumer> = {}): KeyWithConsumer {
  const open = { scopes: [], apis: undefined, cidrs: undefined, metadata: {}, createdAt: 0 };
  return { key: keyOf('con_1', { ...open, ...key }), consumer: consumerNamed('con_1', consumer) };
}

/** For tests: real records in a directory of their own, with one consumer; both are gone when the test ends. */
export async function recordsWithConsumer(context: TestContext, consumerId = 'con_1'): Promise<Records> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-keys-'));
  const sealer = createSealer([randomBytes(32)]);
  const records = await openRecords(
    { driver: 'sqlite', file: join(directory, 'records.db') },
    { sealer, readOnly: false },
  );
  context.after(async () => {
    await records.close();
    await rm(directory, { recursive: true, force: true });
  });
  await records.consumers.create(
    {
      id: consumerId,
      name: `name-of-${consumerId}`,
      metadata: { tier: 'gold' },
      disabled: false,
      source: 'admin',
      createdAt: 0,
    },
    [],
  );
  return records;
}
