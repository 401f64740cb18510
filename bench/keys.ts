// Prints one row of the table of keys as JSON. Started as: node keys.ts <sqlite|postgres> <number of keys> <directory>
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { createKeyFinder } from '../src/identity/key-finder.ts';
import { openRecords, type RecordsSettings } from '../src/stores/open-records.ts';
import { createSealer } from '../src/stores/sealer.ts';
import type { Records } from '../src/stores/stores.ts';
import { importKeys } from '../test/support/import-keys.ts';
import { startPostgres } from '../test/support/postgres.ts';
import type { KeysRow } from './results.ts';
import { median } from './statistics.ts';

const CONSUMER = 'con_bench';
const WARM_UP = 2_000;
const BATCH = 1_000;
const BATCHES = 15;
/** Requests of a busy worker that look a key up at the same time. */
const USED_AT_A_TIME = 16;
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const HASH = 'A'.repeat(43);
/** As in a worker of the gateway. */
const FINDER_CAPACITY = 50_000;

const [driver, count, directory] = process.argv.slice(2);
assert.ok(
  (driver === 'sqlite' || driver === 'postgres') && count !== undefined && directory !== undefined,
  'usage: node keys.ts <sqlite|postgres> <number of keys> <directory>',
);
const server = driver === 'postgres' ? await startPostgres() : undefined;
process.once('SIGTERM', async () => {
  await server?.stop(); // the run was cut off: the database must not outlive it
  process.exit(143);
});
try {
  const settings: RecordsSettings =
    server === undefined
      ? { driver: 'sqlite', file: join(directory, `keys-${count}.db`) }
      : { driver: 'postgres', url: server.url, ca: undefined, connections: 4, deadline: 60_000 };
  const records = await openRecords(settings, { sealer: createSealer([new Uint8Array(32).fill(7)]), readOnly: false });
  console.log(JSON.stringify(await measure(driver, Number(count), records)));
  await records.close();
} finally {
  await server?.stop();
}

async function measure(store: string, keys: number, records: Records): Promise<KeysRow> {
  await records.consumers.create(
    { id: CONSUMER, name: 'bench', metadata: {}, disabled: false, source: 'admin', createdAt: Date.now() },
    [],
  );
  const began = performance.now();
  const report = await importKeys(records, {
    lines: lines(keys),
    by: { actor: 'local:0', source: 'admin' },
    onFault: ({ line, message }) => assert.fail(`line ${line} ${message}`),
    onProgress({ imported }) {
      if (imported % 100_000 === 0) console.error(`${store}: ${imported} of ${keys} keys imported`);
    },
  });
  assert.equal(report.imported, keys);
  const seconds = (performance.now() - began) / 1000;

  await lookUp(records, randomIds(keys, WARM_UP));
  const times: number[] = [];
  let cpu = 0;
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const ids = randomIds(keys, BATCH); // made before the clock runs
    const cpuBefore = process.cpuUsage();
    const start = performance.now();
    await lookUp(records, ids);
    times.push(((performance.now() - start) * 1000) / BATCH);
    const spent = process.cpuUsage(cpuBefore);
    cpu += spent.user + spent.system;
  }
  return {
    store,
    keys,
    importedPerSecond: keys / seconds,
    lookupUs: median(times),
    lookupCpuUs: cpu / (BATCH * BATCHES),
    finderMiB: await finderMemory(records, keys),
  };
}

/** What a worker holds after each key was used once. */
async function finderMemory(records: Records, keys: number): Promise<number> {
  const finder = createKeyFinder({ records, freshness: { isFresh: () => true }, capacity: FINDER_CAPACITY });
  collect();
  const before = process.memoryUsage().heapUsed;
  let index = 0;
  const useKeys = async (): Promise<void> => {
    while (index < keys) assert.ok((await finder.find(idOf(index++))) !== undefined);
  };
  await Promise.all(Array.from({ length: USED_AT_A_TIME }, useKeys));
  collect();
  const grown = process.memoryUsage().heapUsed - before;
  assert.ok(finder.find(idOf(keys - 1)) !== undefined); // it is alive until here
  return grown / 2 ** 20;
}

function collect(): void {
  // Started with --expose-gc.
  (globalThis as { gc?: () => void }).gc?.();
}

function* lines(keys: number): Generator<string> {
  for (let index = 0; index < keys; index += 1)
    yield JSON.stringify({
      consumerId: CONSUMER,
      id: idOf(index),
      hash: HASH,
      environment: 'live',
      name: `key ${index}`,
    });
}

/** Spread over the whole index, as random ids are, and the same in every run. */
function idOf(index: number): string {
  let rest = BigInt(index) * 0x9e3779b97f4a7c15n + 0x1234567n;
  let id = '';
  while (id.length < 12) {
    id += DIGITS.charAt(Number(rest % 62n));
    rest = (rest / 62n) ^ (rest << 7n);
    rest &= (1n << 72n) - 1n;
  }
  return id;
}

function randomIds(keys: number, count: number): readonly string[] {
  return Array.from({ length: count }, () => idOf(randomInt(keys)));
}

/** One after the other, as one request after the other would; each must be found. */
async function lookUp(records: Records, ids: readonly string[]): Promise<void> {
  for (const id of ids) if ((await records.keys.find(id)) === undefined) assert.fail(`there is no key ${id}`);
}
