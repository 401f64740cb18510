import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../stores/audit.ts';
import { type KeyUse, type Records, StoreUnavailable } from '../stores/stores.ts';
import { createKey } from './key-keeper.ts';
import { KeyWatch } from './key-watch.ts';
import { recordsWithConsumer } from './test-key-records.ts';

const DAY = 86_400_000;

test('uses reach the records in one batch, and a strange network becomes an event', async (context) => {
  const { records, watch, events, id } = await watchedKey(context);
  const at = Date.now();
  watch.used(use(id, at, '192.0.2.1'));
  watch.used(use(id, at + 1, '192.0.2.2'));
  await watch.flush();
  assert.deepEqual(events, []);
  watch.used(use(id, at + 2, '198.51.100.1'));
  await watch.flush();
  assert.deepEqual(events, [
    {
      type: 'key.anomaly',
      actor: `key:${id}`,
      subject: `key:${id}`,
      address: '198.51.100.1',
      detail: { reason: 'new-network', networks: ['198.51.100.0/24'] },
    },
  ]);
  const { key } = (await records.keys.find(id)) ?? {};
  assert.equal(key?.uses, 3);
  assert.equal(key?.lastUsedAt, at + 2);
  assert.equal(key?.lastUsedAddress, '198.51.100.1');
});

test('what a key did before a restart is known from the records, read before the first write', async (context) => {
  const { records, watch, id } = await watchedKey(context);
  const at = Date.now();
  watch.used(use(id, at, '192.0.2.1'));
  await watch.flush();

  const events: AuditEvent[] = [];
  const next = new KeyWatch({ records, report: (event) => events.push(event) });
  next.used(use(id, at + 40 * DAY, '198.51.100.1'));
  await next.flush();
  assert.deepEqual(
    events.map(({ detail }) => detail?.['reason']),
    ['long-sleep', 'new-network'],
  );
});

test('refusals ask the records for nothing, and do not stand in for a past', async (context) => {
  const { records, id } = await watchedKey(context);
  const events: AuditEvent[] = [];
  const asked: string[] = [];
  const watch = new KeyWatch({
    records: { keys: { ...noting(records, asked) } },
    report: (event) => events.push(event),
  });
  for (let at = 0; at < 25; at += 1) watch.refused({ id, address: '203.0.113.9', count: 1 });
  assert.deepEqual(asked, []);
  assert.deepEqual(
    events.map(({ address, detail }) => [address, detail?.['reason'], detail?.['refusals']]),
    [['203.0.113.9', 'many-refusals', 20]],
  );
  watch.used(use(id, Date.now(), '192.0.2.1'));
  await watch.flush();
  watch.refused({ id, address: '203.0.113.9', count: 100 });
  assert.deepEqual(asked, [id]);
  assert.equal(events.length, 1, 'the first use made it forget what it had told of');
});

test('while the records do not answer, uses wait, and are judged once', async (context) => {
  const { records, id } = await watchedKey(context);
  const events: AuditEvent[] = [];
  let down: 'find' | 'noteUses' | undefined = 'find';
  const watch = new KeyWatch({
    report: (event) => events.push(event),
    records: {
      keys: {
        async find(wanted) {
          if (down === 'find') throw new StoreUnavailable('down');
          return await records.keys.find(wanted);
        },
        async noteUses(uses, more) {
          if (down !== undefined) throw new StoreUnavailable('down');
          await records.keys.noteUses(uses, more);
        },
      },
    },
  });
  const at = Date.now();
  watch.used(use(id, at, '192.0.2.1'));
  await assert.rejects(watch.flush(), StoreUnavailable);
  watch.used(use(id, at + 1, '198.51.100.1'));
  down = 'noteUses';
  await assert.rejects(watch.flush(), StoreUnavailable);
  watch.used(use(id, at + 2, '203.0.113.1'));
  await assert.rejects(watch.flush(), StoreUnavailable);
  down = undefined;
  await watch.flush();
  assert.equal((await records.keys.find(id))?.key.uses, 3);
  assert.equal(events.length, 1);
  assert.equal(watch.takeDropped(), 0);
});

test('calls that overlap are one, and a removed key is passed over', async (context) => {
  const { records, watch, events, id } = await watchedKey(context);
  watch.used(use('gone', Date.now(), '192.0.2.1'));
  watch.used(use(id, Date.now(), '192.0.2.1'));
  const first = watch.flush();
  assert.equal(watch.flush(), first);
  await first;
  assert.deepEqual(events, []);
  assert.equal((await records.keys.find(id))?.key.uses, 1);
});

async function watchedKey(context: Parameters<typeof recordsWithConsumer>[0]) {
  const records = await recordsWithConsumer(context);
  const made = await createKey(records, { consumerId: 'con_1', name: 'n' }, { actor: 'admin:ada', source: 'admin' });
  if (made.refusal !== undefined) throw new Error(made.message);
  const events: AuditEvent[] = [];
  return { records, events, id: made.key.id, watch: new KeyWatch({ records, report: (event) => events.push(event) }) };
}

function noting(records: Records, asked: string[]): Pick<Records['keys'], 'find' | 'noteUses'> {
  return {
    find(id) {
      asked.push(id);
      return records.keys.find(id);
    },
    noteUses: (uses, events) => records.keys.noteUses(uses, events),
  };
}

function use(id: string, lastUsedAt: number, address: string): KeyUse {
  return { id, uses: 1, lastUsedAt, address, route: 'widgets' };
}
