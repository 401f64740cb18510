import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { renderFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { SharedFreshness } from '../identity/freshness.ts';
import { openCounters } from '../stores/open-counters.ts';
import { storeFacts } from './store-facts.ts';

describe('how the threads of a process reach the stores', () => {
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sallyport-facts-'));
  });
  after(() => rm(directory, { recursive: true }));

  async function factsOf(stores: object | undefined, dataDir: string) {
    const file = {
      dataDir,
      listeners: [{ name: 'public', address: '127.0.0.1:8443' }],
      apis: [{ name: 'widgets', upstream: 'http://127.0.0.1:4000', authenticate: 'none' }],
      ...(stores === undefined ? {} : { stores }),
    };
    const readFile = async () => new TextEncoder().encode(JSON.stringify(file)); // JSON is YAML
    const result = await loadConfig('/etc/sallyport/sallyport.yaml', { env: {}, dev: false, readFile });
    assert.ok(result.ok, result.ok ? '' : renderFaults('sallyport.yaml', result.faults));
    return storeFacts(result.config);
  }

  test('with nothing configured: a file, shared memory, and a key that is made once for its owner alone', async () => {
    const dataDir = join(directory, 'embedded');
    await mkdir(dataDir); // the supervisor has made it
    const facts = await factsOf(undefined, dataDir);
    assert.deepEqual(facts.records, { driver: 'sqlite', file: join(dataDir, 'records.db') });
    assert.equal(facts.sealingKeys.length, 1);
    assert.equal(facts.sealingKeys[0]?.length, 32);
    assert.equal((await stat(join(dataDir, 'sealing-key'))).mode & 0o777, 0o600);
    assert.deepEqual((await factsOf(undefined, dataDir)).sealingKeys, facts.sealingKeys);
    assert.ok(facts.counters.driver === 'memory');
    const [one, other] = [await openCounters(facts.counters), await openCounters(facts.counters)];
    assert.equal(await one.once('nonce', 60_000), true);
    assert.equal(await other.once('nonce', 60_000), false, 'the memory is the same for all who get the facts');
    const [plane, worker] = [
      new SharedFreshness(facts.freshness, () => 1_000),
      new SharedFreshness(facts.freshness, () => 1_000),
    ];
    plane.note(3, 1_000);
    worker.takeIn(3);
    assert.equal(worker.isFresh(), true);
  });

  test('servers that are configured are reached as configured, with the file’s keys, and nothing is made on disk', async () => {
    const dataDir = join(directory, 'servers');
    const keys = [1, 2].map((fill) => Buffer.alloc(32, fill));
    const facts = await factsOf(
      {
        records: { postgres: { url: 'postgres://gateway@db.example/records' } },
        counters: { valkey: { url: 'rediss://cache.example' } },
        encryptionKeys: keys.map((key) => key.toString('base64')),
      },
      dataDir,
    );
    assert.ok(facts.records.driver === 'postgres' && facts.counters.driver === 'valkey');
    assert.equal(facts.records.url, 'postgres://gateway@db.example/records');
    assert.ok(facts.records.connections > 0 && facts.records.deadline > 0);
    assert.equal(facts.counters.url, 'rediss://cache.example');
    assert.deepEqual(
      facts.sealingKeys.map((key) => Buffer.from(key)),
      keys,
      'the first of them seals',
    );
    await assert.rejects(readdir(dataDir), { code: 'ENOENT' });
    structuredClone(facts); // a worker is born with it
  });
});
