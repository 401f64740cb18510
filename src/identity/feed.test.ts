import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { until } from '../../test/support/until.ts';
import { steadyNow } from '../lib/steady-clock.ts';
import type { AuditEvent, AuditLog, AuditRecord } from '../stores/audit.ts';
import { openRecords, type RecordsSettings } from '../stores/open-records.ts';
import { createSealer } from '../stores/sealer.ts';
import { type Records, StoreUnavailable } from '../stores/stores.ts';
import { type Feed, followAuditLog } from './feed.ts';

const event = (subject: string): AuditEvent => ({ type: 'key.revoked', actor: 'system', subject });

describe('following the audit log', () => {
  const sealingKey = randomBytes(32);
  let directory = '';
  let settings: RecordsSettings;
  let records: Records;
  const feeds: Feed[] = [];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sallyport-feed-'));
    settings = { driver: 'sqlite', file: join(directory, 'records.db') };
    records = await openRecords(settings, { sealer: createSealer([sealingKey]), readOnly: false });
  });
  after(async () => {
    await Promise.all(feeds.map((feed) => feed.close()));
    await records.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function follow(audit: Partial<AuditLog> = {}, onRecords?: (given: readonly string[]) => void) {
    const heard: string[] = [];
    const steps: string[] = [];
    const failures: unknown[] = [];
    const reads: { readonly seq: number; readonly readAt: number }[] = [];
    const log = { ...records.audit, ...audit };
    const head = await log.head();
    const feed = followAuditLog({
      records: { audit: log },
      after: head,
      onRecords: (given: readonly AuditRecord[]) => {
        const subjects = given.map(({ subject }) => subject);
        onRecords?.(subjects);
        heard.push(...subjects);
        steps.push(`records to ${given.at(-1)?.seq}`);
      },
      onRead: (upTo, readAt) => {
        reads.push({ seq: upTo, readAt });
        steps.push(`read to ${upTo}`);
      },
      onOtherLog: (upTo) => steps.push(`another log from ${upTo}`),
      onFailure: (error) => failures.push(error),
    });
    feeds.push(feed);
    return { feed, heard, steps, failures, reads, from: head.seq };
  }

  test('everything that two writers append at a time is told, once and in its order', async () => {
    const { feed, heard } = await follow();
    const each = 150;
    const writers = ['a', 'b'].map((name) => writer(settings, sealingKey, name, each));
    await Promise.all(writers);
    await until('all records to be told', () => heard.length >= 2 * each);
    await feed.close();
    assert.equal(heard.length, 2 * each);
    for (const name of ['a', 'b'])
      assert.deepEqual(
        heard.filter((subject) => subject.startsWith(name)),
        Array.from({ length: each }, (_, at) => `${name}:${at}`),
      );
  });

  test('records come before the news that they were read, and only what is new is told', async () => {
    const startedAt = steadyNow();
    const { feed, heard, steps, reads, from } = await follow();
    await until('the first read', () => reads.length > 0);
    await records.audit.append([event('one'), event('two')]);
    await until('the read that brings both', () => reads.some(({ seq }) => seq === from + 2));
    await feed.close();
    assert.deepEqual(heard, ['one', 'two']);
    const told = steps.filter((step) => step !== `read to ${from}`);
    assert.deepEqual(told.slice(0, 2), [`records to ${from + 2}`, `read to ${from + 2}`]);
    const times = reads.map(({ readAt }) => readAt);
    assert.deepEqual(
      times,
      times.toSorted((one, other) => one - other),
    );
    assert.ok((times[0] ?? 0) >= startedAt && (times.at(-1) ?? 0) <= steadyNow(), 'the steady clock');
  });

  test('more records than one read takes are all told before the log counts as read', async () => {
    const head = await records.audit.head();
    const { seq } = head;
    await records.audit.append(Array.from({ length: 1_200 }, (_, at) => event(`many:${at}`)));
    const steps: string[] = [];
    const feed = followAuditLog({
      records,
      after: head,
      onRecords: (given) => steps.push(`records to ${given.at(-1)?.seq}`),
      onRead: (upTo) => steps.push(`read to ${upTo}`),
      onOtherLog: () => assert.fail('it is the same log'),
      onFailure: (error) => assert.fail(String(error)),
    });
    feeds.push(feed);
    await until('the log to be read', () => steps.some((step) => step.startsWith('read')));
    await feed.close();
    assert.deepEqual(steps.slice(0, 4), [
      `records to ${seq + 500}`,
      `records to ${seq + 1_000}`,
      `records to ${seq + 1_200}`,
      `read to ${seq + 1_200}`,
    ]);
  });

  test('a nudge reads at once; one that comes during a read is followed by another read', async () => {
    const held: ((records: readonly AuditRecord[]) => void)[] = [];
    const present = await records.audit.after((await records.audit.head()).seq - 1, 1);
    const { feed, reads } = await follow({ after: () => new Promise((resolve) => held.push(resolve)) });
    assert.equal(held.length, 1, 'the first read begins by itself');
    feed.nudge();
    feed.nudge();
    assert.equal(held.length, 1, 'no two reads at a time');
    held[0]?.(present);
    await until('the read that was asked for meanwhile', () => held.length === 2);
    held[1]?.(present);
    await until('it to end', () => reads.length === 2);
    feed.nudge();
    assert.equal(held.length, 3, 'at once');
    held[2]?.(present);
    await feed.close();
    feed.nudge();
    assert.equal(held.length, 3, 'nothing is read once it is closed');
  });

  test('a store that fails is told of, does not count as read, and loses nothing', async () => {
    let away = true;
    const { feed, heard, failures, reads } = await follow({
      after: async (...given) => {
        if (away) throw new StoreUnavailable('away');
        return records.audit.after(...given);
      },
    });
    await records.audit.append([event('while away')]);
    await until('two failures', () => failures.length >= 2);
    assert.deepEqual([heard.length, reads.length], [0, 0]);
    away = false;
    await until('the record', () => heard.length > 0);
    await feed.close();
    assert.deepEqual(heard, ['while away']);
  });

  test('records that could not be taken in are told again, and do not count as read before', async () => {
    let refusals = 2;
    const { feed, heard, failures, reads, from } = await follow({}, () => {
      if (refusals === 0) return;
      refusals -= 1;
      throw new Error('no room');
    });
    await records.audit.append([event('must arrive')]);
    await until('the record', () => heard.length > 0);
    await until('its read', () => reads.some(({ seq }) => seq === from + 1));
    await feed.close();
    assert.deepEqual(heard, ['must arrive']);
    assert.equal(failures.length, 2);
  });

  test('a log that lost its last records is told again from before the oldest token on', async () => {
    for (const { does, lost, found } of [
      { does: 'the numbers were given anew', lost: 5, found: ['other 1', 'other 2', 'other 3', 'other 4', 'other 5'] },
      { does: 'it has grown past them', lost: 2, found: ['other 1', 'other 2', 'other 3', 'other 4'] },
      { does: 'it is shorter', lost: 5, found: ['other 1'] },
      { does: 'nothing new is there', lost: 3, found: [] },
    ]) {
      const log = scriptedLog();
      log.add(['one', 'two', 'three', 'four', 'five', 'six', 'seven']);
      const { feed, heard, steps, reads } = await follow(log);
      await until('the first read', () => reads.length > 0);
      log.lose(lost);
      log.add(found);
      await until('the log to be read again', () => reads.at(-1)?.seq === 7 - lost + found.length && steps.length > 2);
      await feed.close();
      const kept = ['two', 'three', 'four', 'five', 'six', 'seven'].slice(0, 6 - lost);
      assert.deepEqual(heard, [...kept, ...found], does);
      assert.deepEqual(
        steps.filter((step) => step.startsWith('another')),
        ['another log from 1'],
        does,
      );
    }
  });

  test('a record behind the head makes nobody deaf, and the log does not count as read while it is there', async () => {
    const log = scriptedLog();
    log.add(['one', 'two']);
    const { feed, heard, failures, reads } = await follow(log);
    await until('the first read', () => reads.length > 0);
    log.insert('forged', 1_000);
    log.add(['three']);
    await until('two reads of it', () => failures.length >= 2);
    assert.deepEqual(heard, ['three']);
    assert.match(String(failures[0]), /Record 1000 of the audit log does not follow/);
    assert.equal(reads.at(-1)?.seq, 2);
    log.remove(1_000);
    await until('the log to be read', () => reads.at(-1)?.seq === 3);
    await feed.close();
    assert.deepEqual(heard, ['three']);
  });

  test('what comes after a record that was taken out is told, once somebody was told of that', async () => {
    const log = scriptedLog();
    log.add(['one', 'two']);
    const { feed, heard, failures, reads } = await follow(log);
    await until('the first read', () => reads.length > 0);
    log.add(['taken out', 'four', 'five']);
    log.remove(3);
    await until('the log to be read', () => reads.at(-1)?.seq === 5);
    await feed.close();
    assert.deepEqual(heard, ['four', 'five']);
    assert.equal(failures.length, 1);
  });
});

/** A log in memory whose records can be lost. Of its records the first alone is from before the oldest token that lives. */
function scriptedLog() {
  let rows: AuditRecord[] = [];
  const place = (seq: number, previous: string, subject: string): AuditRecord => ({
    ...event(subject),
    ...{ seq, at: 0, previous, hash: `${previous}/${subject}` },
  });
  const head = () => rows.filter(({ seq }) => seq < 1_000).at(-1) ?? { seq: 0, hash: '' };
  return {
    add(subjects: readonly string[]) {
      for (const subject of subjects) rows.push(place(head().seq + 1, head().hash, subject));
      rows.sort((one, other) => one.seq - other.seq);
    },
    insert: (subject: string, seq: number) => rows.push(place(seq, '', subject)),
    remove(number: number) {
      rows = rows.filter(({ seq }) => seq !== number);
    },
    lose: (count: number) => rows.splice(-count),
    head: async () => head(),
    after: async (number: number, limit: number) => rows.filter(({ seq }) => seq > number).slice(0, limit),
    seqBefore: async () => 1,
  };
}

/** Appends events one by one on a thread with a connection of its own. */
async function writer(settings: RecordsSettings, sealingKey: Uint8Array, name: string, count: number): Promise<void> {
  const at = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const source = `
    import { workerData } from 'node:worker_threads';
    import { openRecords } from ${at('../stores/open-records.ts')};
    import { createSealer } from ${at('../stores/sealer.ts')};
    const { settings, sealingKey, name, count } = workerData;
    const records = await openRecords(settings, { sealer: createSealer([sealingKey]), readOnly: false });
    for (let at = 0; at < count; at += 1)
      await records.audit.append([{ type: 'key.revoked', actor: 'system', subject: name + ':' + at }]);
    await records.close();`;
  const workerData = { settings, sealingKey, name, count };
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData });
  const [code] = await once(thread, 'exit');
  assert.equal(code, 0);
}
