import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { AuditEvent, AuditRecord, AuditType } from './audit.ts';
import { GENESIS_HASH } from './audit-chain.ts';
import { openRecords } from './open-records.ts';
import type { Sealer } from './sealer.ts';
import type { Records } from './stores.ts';
import { consumerNamed, keyOf, type RecordsHarness, type TestDatabase, unique } from './test-records.ts';

/** The audit log: what goes into it with a change, in which order, and what is found out about those who tamper with it. */
export function auditContract(harness: RecordsHarness, sealer: Sealer): void {
  describe('the audit log', () => {
    let database: TestDatabase;
    let records: Records;
    before(async () => {
      database = await harness.create();
      records = await openRecords(database.settings, { sealer, readOnly: false });
    });
    after(async () => await records.close());

    it('begins empty, and has numbers without a gap', async () => {
      assert.deepEqual(await records.audit.head(), { seq: 0, hash: GENESIS_HASH });
      assert.deepEqual(await records.audit.verify(), {
        intact: true,
        records: 0,
        head: { seq: 0, hash: GENESIS_HASH },
      });
      await records.audit.append([
        event('gateway.started'),
        event('config.applied', { detail: { b: [1, { d: null, c: 'x' }], a: 'ä' } }),
      ]);
      await records.audit.append([]);
      const full = { address: '192.0.2.1', requestId: 'r-1' };
      await records.audit.append([event('request.refused', full)]);
      const log = await records.audit.after(0, 10);
      assert.deepEqual(
        log.map((record) => record.seq),
        [1, 2, 3],
      );
      assert.deepEqual(log[1]?.detail, { a: 'ä', b: [1, { c: 'x', d: null }] });
      assert.deepEqual({ ...log[2], ...full }, log[2]);
      assert.deepEqual(await records.audit.after(1, 1), [log[1]]);
      assert.deepEqual(await records.audit.head(), { seq: 3, hash: log[2]?.hash });
      assert.equal((await records.audit.verify()).intact, true);
    });

    it('has an event if and only if the change was made', async () => {
      const consumer = consumerNamed(unique('c'));
      const written = async (work: () => Promise<unknown>): Promise<readonly AuditType[]> => {
        const { seq } = await records.audit.head();
        await work().catch(() => undefined);
        return (await records.audit.after(seq, 10)).map((record) => record.type);
      };
      const create = async (): Promise<void> => await records.consumers.create(consumer, [event('consumer.created')]);
      assert.deepEqual(await written(create), ['consumer.created']);
      assert.deepEqual(await written(create), []); // the name is taken
      const key = keyOf(consumer.id);
      const events = [event('key.created'), event('key.imported')];
      assert.deepEqual(await written(async () => await records.keys.insert([key], events)), [
        'key.created',
        'key.imported',
      ]);
      assert.deepEqual(await written(async () => await records.keys.insert([keyOf('nobody')], events)), []);
      const revoke = async (): Promise<boolean> => await records.keys.revoke(key.id, 1, [event('key.revoked')]);
      assert.deepEqual(await written(revoke), ['key.revoked']);
      assert.deepEqual(await written(revoke), []);
    });

    it('is searched, newest first', async () => {
      const subject = unique('key:');
      for (const type of ['key.created', 'key.rotated', 'key.revoked'] as const) {
        await records.audit.append([event(type, { subject, actor: `admin:${type}` })]);
      }
      const first = await records.audit.list({ subject }, { limit: 2 });
      assert.deepEqual(
        first.items.map((record) => record.type),
        ['key.revoked', 'key.rotated'],
      );
      const rest = await records.audit.list({ subject }, { limit: 2, before: Number(first.next) });
      assert.deepEqual(
        rest.items.map((record) => record.type),
        ['key.created'],
      );
      assert.equal(rest.next, undefined);
      const filter = { subject, type: 'key.rotated', actor: 'admin:key.rotated' };
      assert.equal((await records.audit.list(filter, { limit: 10 })).items.length, 1);
      assert.equal((await records.audit.list({ subject: 'x\0' }, { limit: 10 })).items.length, 0);
      const { seq } = await records.audit.head();
      assert.equal(await records.audit.seqBefore(Date.now() + 60_000), seq);
      assert.equal(await records.audit.seqBefore(1), 0);
    });

    it('neither stops nor fills with what strangers send', async () => {
      const detail = { name: 'x\0\ud800', list: Array.from({ length: 5_000 }, () => 'long') };
      await records.audit.append([
        event('client.authentication-failed', { subject: `client:\0\ud800${'x'.repeat(9_999)}`, detail }),
      ]);
      await records.audit.append([event('request.refused', { detail: { name: 'x\0\ud800' } })]);
      const [newest, before] = (await records.audit.list({}, { limit: 2 })).items;
      assert.equal(newest?.detail?.['name'], 'x\0\ud800');
      assert.ok((before?.subject.length ?? 0) <= 512 && JSON.stringify(before?.detail).length < 100);
      assert.equal((await records.audit.verify()).intact, true);
    });

    it('is never read with a gap, however many write', async () => {
      const others = await Promise.all(
        [1, 2, 3].map(async () => await openRecords(database.settings, { sealer, readOnly: false })),
      );
      const { seq: start } = await records.audit.head();
      const total = others.length * 40;
      const writing = Promise.all(
        others.map(async (other) => {
          for (let turn = 0; turn < 40; turn += 1) await other.audit.append([event('token.issued')]);
        }),
      );
      const seen: number[] = [];
      while (seen.length < total) {
        const part = await records.audit.after(start + seen.length, 1_000);
        seen.push(...part.map((record) => record.seq));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await writing;
      assert.deepEqual(
        seen,
        Array.from({ length: total }, (_, index) => start + index + 1),
      );
      assert.equal((await records.audit.verify()).intact, true);
      await Promise.all(others.map(async (other) => await other.close()));
    });

    it('shows an export that was changed, and one that is older than a head noted elsewhere', async () => {
      const log = await records.audit.after(0, 1_000);
      assert.equal((await records.audit.verify({ records: log })).intact, true);
      const edited = log.map((record): AuditRecord => (record.seq === 5 ? { ...record, actor: 'admin:else' } : record));
      assert.deepEqual(verdictOf(await records.audit.verify({ records: edited })), { seq: 5, fault: 'edited' });
      const expected = await records.audit.head();
      const cut = await records.audit.verify({ records: log.slice(0, -2), expected });
      assert.deepEqual(verdictOf(cut), { seq: log.length - 1, fault: 'rolled-back' });
    });
  });

  describe('somebody with the password of the database', () => {
    const attempts = [
      {
        does: 'edits a record',
        sql: "update audit_log set actor = 'admin:else' where seq = 3",
        seq: 3,
        fault: 'edited',
      },
      {
        does: 'edits a detail',
        sql: 'update audit_log set detail = \'{"n":9}\' where seq = 4',
        seq: 4,
        fault: 'edited',
      },
      {
        does: 'makes a detail unreadable',
        sql: "update audit_log set detail = '{' where seq = 4",
        seq: 4,
        fault: 'edited',
      },
      { does: 'removes a record', sql: 'delete from audit_log where seq = 2', seq: 2, fault: 'removed' },
      { does: 'removes the first', sql: 'delete from audit_log where seq = 1', seq: 1, fault: 'removed' },
      { does: 'removes the newest', sql: 'delete from audit_log where seq = 5', seq: 5, fault: 'rolled-back' },
      {
        does: 'moves two',
        sql: 'update audit_log set seq = 9 where seq = 2; update audit_log set seq = 2 where seq = 3; update audit_log set seq = 3 where seq = 9',
        seq: 2,
        fault: 'edited',
      },
      {
        does: 'inserts one in the place of another',
        sql: "update audit_log set type = 'user.removed', subject = 'user:x' where seq = 5",
        seq: 5,
        fault: 'edited',
      },
      { does: 'inserts one far behind the newest', sql: forged('seq + 1000'), seq: 6, fault: 'inserted' },
      { does: 'inserts the largest number there is', sql: forged('9223372036854775807'), seq: 6, fault: 'inserted' },
      { does: 'inserts one before the first', sql: forged('0'), seq: 1, fault: 'inserted' },
      {
        does: 'puts an older head back that was once genuine',
        sql: 'update audit_head set seq = older.seq, at = older.at, hash = older.hash, mac = older.mac from older',
        seq: 3,
        fault: 'inserted',
      },
      {
        does: 'rolls the head back',
        sql: 'delete from audit_log where seq = 5; update audit_head set seq = 4, hash = (select hash from audit_log where seq = 4)',
        seq: 4,
        fault: 'head-changed',
      },
    ];
    for (const { does, sql, ...expected } of attempts) {
      it(`${does}, and is found out`, async () => {
        const database = await harness.create();
        const records = await openRecords(database.settings, { sealer, readOnly: false });
        try {
          for (let n = 1; n <= 5; n += 1) {
            await records.audit.append([event('user.updated', { detail: { n } })]);
            if (n === 2) await database.execute('create table older as select * from audit_head');
          }
          await database.execute(sql);
          assert.deepEqual(verdictOf(await records.audit.verify()), expected);
        } finally {
          await records.close();
        }
      });
    }

    it('cannot have the gateway go on from a head of theirs', async () => {
      const database = await harness.create();
      const records = await openRecords(database.settings, { sealer, readOnly: false });
      try {
        await records.audit.append([event('user.updated')]);
        await database.execute('update audit_head set seq = 0');
        await assert.rejects(records.audit.append([event('user.updated')]), /head of the audit log/);
        await assert.rejects(records.consumers.create(consumerNamed('c'), [event('consumer.created')]), /head/);
        assert.equal(await records.consumers.find('c'), undefined);
      } finally {
        await records.close();
      }
    });
  });
}

function verdictOf(verdict: Awaited<ReturnType<Records['audit']['verify']>>): unknown {
  return verdict.intact ? verdict : { seq: verdict.seq, fault: verdict.fault };
}

function event(type: AuditType, change: Partial<AuditEvent> = {}): AuditEvent {
  return { type, actor: 'admin:test', subject: 'test:1', ...change };
}

/** A copy of a record under another number. */
function forged(seq: string): string {
  return `insert into audit_log select ${seq}, at, type, actor, subject, address, request_id, detail, previous, hash from audit_log where seq = 5`;
}
