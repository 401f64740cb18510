import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openRecords } from '../open-records.ts';
import { createSealer } from '../sealer.ts';
import { StoreUnavailable } from '../stores.ts';
import { consumerNamed } from '../test-records.ts';
import { recordsContract } from '../test-records-contract.ts';

describe('records on SQLite', () => {
  let directory = '';
  let files = 0;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-records-'));
  });
  after(async () => await rm(directory, { recursive: true, force: true }));
  const sealer = createSealer([randomBytes(32)]);
  const newFile = (): string => {
    files += 1;
    return join(directory, `${files}`, 'records.db');
  };

  recordsContract({
    async create() {
      const file = newFile();
      return {
        settings: { driver: 'sqlite', file },
        async execute(statement) {
          const database = new DatabaseSync(file, { timeout: 5_000 });
          database.exec(statement);
          database.close();
        },
        async dump() {
          const parts = await Promise.all([file, `${file}-wal`].map(async (path) => await readFile(path, 'latin1')));
          return parts.join('');
        },
      };
    },
  });

  it('makes files that only their owner may read', async () => {
    const file = newFile();
    const records = await openRecords({ driver: 'sqlite', file }, { sealer, readOnly: false });
    await records.consumers.create(consumerNamed('c'), []);
    const folder = join(file, '..');
    for (const name of await readdir(folder)) assert.equal((await stat(join(folder, name))).mode & 0o077, 0, name);
    assert.equal((await stat(folder)).mode & 0o077, 0);
    await records.close();
  });

  it('says so where the file is no database, or cannot be made', async () => {
    const file = newFile();
    const text = join(directory, 'text.db');
    await writeFile(text, 'This is no database. '.repeat(100), { mode: 0o600 });
    await assert.rejects(openRecords({ driver: 'sqlite', file: text }, { sealer, readOnly: false }), StoreUnavailable);
    const beneath = join(text, 'records.db');
    await assert.rejects(
      openRecords({ driver: 'sqlite', file: beneath }, { sealer, readOnly: false }),
      /cannot be opened/,
    );
    await assert.rejects(openRecords({ driver: 'sqlite', file }, { sealer, readOnly: true }), StoreUnavailable);
  });

  it('refuses all that waited too long for another process at about the same time, and goes on afterwards', async () => {
    const file = newFile();
    const records = await openRecords({ driver: 'sqlite', file }, { sealer, readOnly: false });
    const other = new DatabaseSync(file);
    other.exec('begin immediate');
    const askedAt = performance.now();
    const waiting = ['a', 'b', 'c'].map(async (id) => await records.consumers.create(consumerNamed(id), []));
    const outcomes = await Promise.allSettled(waiting);
    assert.ok(performance.now() - askedAt < 8_000, 'the patience of one, not of all after each other');
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof StoreUnavailable);
    }
    other.exec('commit');
    other.close();
    await records.consumers.create(consumerNamed('later'), []);
    assert.equal(await records.consumers.find('a'), undefined);
    await records.close();
  });

  it('lets no more changes wait than it has a bound for', async () => {
    const records = await openRecords({ driver: 'sqlite', file: newFile() }, { sealer, readOnly: false });
    const many = Array.from({ length: 2_500 }, async () => await records.audit.append([]));
    const refused = (await Promise.allSettled(many)).filter(({ status }) => status === 'rejected');
    assert.ok(refused.length > 0 && refused.length <= 500, String(refused.length));
    const last = records.audit.append([]);
    await records.close();
    await last; // whoever waits when it is closed still has their turn
  });

  it('reads on while another process writes, and writes when it has finished', async () => {
    const file = newFile();
    const records = await openRecords({ driver: 'sqlite', file }, { sealer, readOnly: false });
    await records.consumers.create(consumerNamed('first'), []);
    const other = new DatabaseSync(file);
    other.exec('begin immediate');
    const waiting = records.consumers.create(consumerNamed('second'), []);
    let turns = 0;
    while (turns < 20) {
      assert.notEqual(await records.consumers.find('first'), undefined);
      await delay(1);
      turns += 1;
    }
    assert.equal(await records.consumers.find('second'), undefined);
    other.exec('commit');
    other.close();
    await waiting;
    assert.notEqual(await records.consumers.find('second'), undefined);
    await records.close();
  });
});
