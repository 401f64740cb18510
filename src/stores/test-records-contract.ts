import { randomBytes } from 'node:crypto';
import { after, before, describe } from 'node:test';
import { openRecords } from './open-records.ts';
import { createSealer } from './sealer.ts';
import type { Records } from './stores.ts';
import { artifactsContract } from './test-artifacts-contract.ts';
import { auditContract } from './test-audit-contract.ts';
import { identitiesContract } from './test-identities-contract.ts';
import { keysContract } from './test-keys-contract.ts';
import { processesContract } from './test-processes-contract.ts';
import type { RecordsHarness, TestDatabase } from './test-records.ts';

/** What every driver of records does, tested on the one whose databases the harness makes. */
export function recordsContract(harness: RecordsHarness): void {
  const sealingKey = new Uint8Array(randomBytes(32));
  const sealer = createSealer([sealingKey]);

  describe('one process', () => {
    let opened: { readonly records: Records; readonly database: TestDatabase } | undefined;
    before(async () => {
      const database = await harness.create();
      opened = { database, records: await openRecords(database.settings, { sealer, readOnly: false }) };
    });
    after(async () => await opened?.records.close());
    const present = (): NonNullable<typeof opened> => {
      if (opened === undefined) throw new Error('the records are opened before the first test');
      return opened;
    };
    keysContract(() => present().records);
    identitiesContract(() => present().records);
    artifactsContract(
      () => present().records,
      () => present().database,
    );
  });

  auditContract(harness, sealer);
  processesContract(harness, sealingKey);
}
