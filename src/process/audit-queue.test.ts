import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { recordsWithConsumer } from '../identity/test-key-records.ts';
import type { AuditEvent } from '../stores/audit.ts';
import { AuditQueue } from './audit-queue.ts';

const event = (number: number): AuditEvent => ({ type: 'request.refused', actor: 'anonymous', subject: `n:${number}` });

/** A log whose writes the test lets through or fails, one by one. */
function heldLog() {
  const written: string[] = [];
  const held: { events: readonly AuditEvent[]; settle(error?: Error): void }[] = [];
  const append = (events: readonly AuditEvent[]): Promise<void> =>
    new Promise((resolve, reject) => {
      held.push({
        events,
        settle(error) {
          if (error !== undefined) return reject(error);
          written.push(...events.map(({ subject }) => subject));
          resolve();
        },
      });
    });
  const next = async () => {
    for (;;) {
      const write = held.shift();
      if (write !== undefined) return write;
      await delay(5);
    }
  };
  return { written, append, next, waiting: held };
}

test('what comes while a slow write is under way is written once, in its order', async () => {
  const log = heldLog();
  const queue = new AuditQueue(log, { onDropped: () => assert.fail(), onFailure: () => assert.fail() });
  queue.add(event(1));
  const first = await log.next();
  for (const number of [2, 3, 4]) queue.add(event(number));
  await delay(250); // longer than the queue gathers events for
  assert.equal(log.waiting.length, 0, 'a second write began beside the first');
  first.settle();
  (await log.next()).settle();
  await queue.close();
  assert.deepEqual(log.written, ['n:1', 'n:2', 'n:3', 'n:4']);
});

test('what a store that is away did not take is kept and written when it is back', async () => {
  const log = heldLog();
  const failures: unknown[] = [];
  const queue = new AuditQueue(log, { onDropped: () => assert.fail(), onFailure: (error) => failures.push(error) });
  queue.add(event(1));
  const first = await log.next();
  queue.add(event(2));
  first.settle(new Error('away'));
  (await log.next()).settle();
  await queue.close();
  assert.equal(failures.length, 1);
  assert.deepEqual(log.written, ['n:1', 'n:2']);
});

test('the room is bounded, and what finds none is counted', async () => {
  const log = heldLog();
  let dropped = 0;
  const queue = new AuditQueue(log, {
    onDropped: (count) => {
      dropped += count;
    },
    onFailure: () => {},
  });
  for (let number = 0; number < 10_005; number += 1) queue.add(event(number));
  assert.equal(dropped, 5);
  const closing = queue.close();
  for (let writes = 0; writes < 50; writes += 1) (await log.next()).settle();
  await closing;
  assert.equal(log.written.length, 10_000);
});

test('what is left when the gateway stops is written, in its order, in a real log', async (context) => {
  const records = await recordsWithConsumer(context);
  const { seq } = await records.audit.head();
  const fail = () => assert.fail();
  const queue = new AuditQueue(records.audit, { onDropped: fail, onFailure: fail });
  for (let number = 0; number < 450; number += 1) queue.add(event(number)); // more than goes in one write
  await queue.close();
  const written = await records.audit.after(seq, 1_000);
  assert.deepEqual(
    written.map(({ subject }) => subject),
    Array.from({ length: 450 }, (_, number) => `n:${number}`),
  );
  assert.deepEqual(await records.audit.verify(), { intact: true, records: 450, head: await records.audit.head() });
});

test('what a store that is away at the end does not take is counted as dropped, and so is what comes later', async () => {
  const log = heldLog();
  let dropped = 0;
  const failures: unknown[] = [];
  const queue = new AuditQueue(log, {
    onDropped: (count) => {
      dropped += count;
    },
    onFailure: (error) => failures.push(error),
  });
  for (let number = 0; number < 7; number += 1) queue.add(event(number));
  const closing = queue.close();
  (await log.next()).settle(new Error('away'));
  await closing;
  assert.deepEqual([dropped, failures.length], [7, 1]);
  queue.add(event(8));
  assert.equal(dropped, 8);
  assert.deepEqual([log.written, log.waiting], [[], []]);
});

test('closing waits for a write under way, and does not begin it again', async () => {
  const log = heldLog();
  const queue = new AuditQueue(log, { onDropped: () => assert.fail(), onFailure: () => assert.fail() });
  queue.add(event(1));
  const first = await log.next();
  queue.add(event(2));
  const closing = queue.close();
  first.settle();
  (await log.next()).settle();
  await closing;
  assert.deepEqual(log.written, ['n:1', 'n:2']);
});
