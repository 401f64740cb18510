import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeApiKey, parseApiKey } from '../lib/api-key.ts';
import { type ApiKey, type Records, StoreUnavailable } from '../stores/stores.ts';
import { ImportInterrupted, type ImportReport, importKeys, type KeyImport, type LineFault } from './key-import.ts';
import { recordsWithConsumer } from './test-key-records.ts';

test('twenty thousand keys come in by batches, with progress, and each can be found', async (context) => {
  const records = await recordsWithConsumer(context);
  const keys = Array.from({ length: 20_000 }, () => makeApiKey('live'));
  const progress: number[] = [];
  const { report, faults } = await run(records, {
    lines: keys.map(({ id, secretHash }) => JSON.stringify({ id, hash: secretHash, consumerId: 'con_1', name: 'old' })),
    onProgress: ({ imported }) => progress.push(imported),
  });
  assert.deepEqual(report, { lines: 20_000, imported: 20_000, present: 0, faulty: 0 });
  assert.deepEqual(faults, []);
  assert.equal(progress.length, 20);
  assert.equal(progress.at(-1), 20_000);
  assert.equal(await records.keys.count(), 20_000);
  const one = keys[12_345];
  assert.equal((await records.keys.find(one?.id ?? ''))?.key.hash, one?.secretHash);
  const events = (await records.audit.list({ type: 'key.imported' }, { limit: 100 })).items;
  assert.equal(events.length, 20);
  assert.deepEqual(events[0]?.detail, { keys: 1_000, firstLine: 19_001, lastLine: 20_000 });
});

test('keys in plain text are hashed, alone on a line or with rights', async (context) => {
  const records = await recordsWithConsumer(context);
  const [bare, full] = [makeApiKey('test'), makeApiKey('live')];
  const { report } = await run(records, {
    consumerId: 'con_1',
    lines: [bare.key, '', '  ', JSON.stringify({ key: full.key, scopes: ['a'], cidrs: ['192.0.2.0/24'] })],
  });
  assert.deepEqual(report, { lines: 4, imported: 2, present: 0, faulty: 0 });
  const stored = (await records.keys.find(full.id))?.key;
  assert.deepEqual(stored?.scopes, ['a']);
  assert.equal(stored?.hash, parseApiKey(full.key)?.secretHash);
  assert.equal((await records.keys.find(bare.id))?.key.environment, 'test');
});

test('each line that is not imported is told of with its number, keeps no other out, and is not repeated', async (context) => {
  const records = await recordsWithConsumer(context);
  const [good, twin, late] = [makeApiKey('live'), makeApiKey('live'), makeApiKey('live')];
  const secret = makeApiKey('live').key.slice(0, -1);
  const lines = [
    JSON.stringify({ key: good.key, consumerId: 'con_1' }),
    '{"key":',
    JSON.stringify({ key: secret, consumerId: 'con_1' }),
    JSON.stringify({ key: twin.key, consumerId: 'con_404' }),
    JSON.stringify({ id: good.id, hash: twin.secretHash, consumerId: 'con_1' }),
    JSON.stringify({ id: 'no_id', hash: 'short', consumerId: 'con_1', scopes: ['two words'] }),
    JSON.stringify({ key: late.key, environment: 'test', consumerId: 'con_1' }),
    JSON.stringify({ key: late.key, id: late.id, consumerId: 'con_1' }),
    JSON.stringify({ key: late.key }),
    `{"key":"${'x'.repeat(70_000)}"}`,
    '[]',
    JSON.stringify({ key: late.key, consumerId: 'con_1' }),
  ];
  const { report, faults } = await run(records, { lines });
  assert.deepEqual(report, { lines: 12, imported: 2, present: 0, faulty: 10 });
  assert.deepEqual(
    faults.map(({ line, path }) => `${line} ${path}`).sort(),
    [
      '10 ',
      '11 ',
      '2 ',
      '3 key',
      '4 consumerId',
      '5 id',
      '6 hash',
      '6 id',
      '6 scopes[0]',
      '7 environment',
      '8 id',
      '9 consumerId',
    ].sort(),
  );
  assert.ok(!JSON.stringify(faults).includes(secret));
});

test('an import that is run again finds its keys there, and takes none over', async (context) => {
  const records = await recordsWithConsumer(context);
  const keys = Array.from({ length: 1_500 }, () => makeApiKey('live'));
  const lines = keys.map(({ key }) => key);
  await run(records, { lines: lines.slice(0, 1_200), consumerId: 'con_1' });
  const again = await run(records, { lines, consumerId: 'con_1' });
  assert.deepEqual(again.report, { lines: 1_500, imported: 300, present: 1_200, faulty: 0 });
  assert.deepEqual(again.faults, []);

  const [first] = keys;
  const forged = JSON.stringify({ id: first?.id, hash: makeApiKey('live').secretHash });
  const { report, faults } = await run(records, { lines: [forged], consumerId: 'con_1' });
  assert.deepEqual(report, { lines: 1, imported: 0, present: 0, faulty: 1 });
  assert.match(faults[0]?.message ?? '', /belongs to another key/);
  assert.equal((await records.keys.find(first?.id ?? ''))?.key.hash, first?.secretHash);
});

test('records that fail in the midst leave a report of what is on disk', async (context) => {
  const records = await recordsWithConsumer(context);
  let batches = 0;
  const failing: Pick<Records, 'keys' | 'consumers'> = {
    consumers: records.consumers,
    keys: {
      ...records.keys,
      async insert(keys: readonly ApiKey[], events) {
        batches += 1;
        if (batches === 2) throw new StoreUnavailable('down');
        await records.keys.insert(keys, events);
      },
    },
  };
  const lines = Array.from({ length: 2_500 }, () => makeApiKey('live').key);
  await assert.rejects(run(failing, { lines, consumerId: 'con_1' }), (error) => {
    assert.ok(error instanceof ImportInterrupted);
    assert.equal(error.report.imported, 1_000);
    assert.ok(error.cause instanceof StoreUnavailable);
    return true;
  });
  assert.equal(await records.keys.count(), 1_000);
});

async function run(
  records: Pick<Records, 'keys' | 'consumers'>,
  job: Pick<KeyImport, 'lines' | 'consumerId' | 'onProgress'>,
): Promise<{ readonly report: ImportReport; readonly faults: readonly LineFault[] }> {
  const faults: LineFault[] = [];
  const report = await importKeys(records, {
    ...job,
    by: { actor: 'admin:ada', source: 'admin' },
    onFault: (fault) => faults.push(fault),
  });
  return { report, faults };
}
