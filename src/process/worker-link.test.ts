import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { StoreUnavailable } from '../stores/stores.ts';
import type { FromWorker } from './messages.ts';
import { WorkerLink } from './worker-link.ts';

const FACTS = { id: 'session' };

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

/** A link and what it has told the control plane. */
function link() {
  const told: Extract<FromWorker, { type: 'question' }>[] = [];
  const worker = new WorkerLink((message) => {
    if (message.type === 'question') told.push(message);
  });
  return { worker, told };
}

test('each question gets its own answer, in whatever order they come', async () => {
  const { worker, told } = link();
  const one = worker.ask('session.touch', { id: 'one' });
  const other = worker.ask('session.refresh', { id: 'other' });
  assert.deepEqual(
    told.map(({ question, facts }) => [question, facts]),
    [
      ['session.touch', { id: 'one' }],
      ['session.refresh', { id: 'other' }],
    ],
  );
  const [first, second] = told.map(({ id }) => id);
  assert.notEqual(first, second);
  worker.answered(second ?? 0, false, undefined);
  worker.answered(first ?? 0, true, undefined);
  assert.deepEqual(await Promise.all([one, other]), [true, false]);
});

test('a refusal is StoreUnavailable, with what the control plane said', async () => {
  const { worker, told } = link();
  const asking = worker.ask('session.touch', FACTS);
  worker.answered(told[0]?.id ?? 0, undefined, 'the keys cannot be had');
  await assert.rejects(asking, new StoreUnavailable('the keys cannot be had'));
});

test('a question without an answer for 5 s has none, and a late answer is nobody’s', async () => {
  const { worker, told } = link();
  const asking = worker.ask('session.touch', FACTS);
  const failing = assert.rejects(asking, (error) => {
    assert.ok(error instanceof StoreUnavailable);
    assert.match(error.message, /did not answer session\.touch in time/);
    return true;
  });
  mock.timers.tick(4_999);
  const inTime = worker.ask('session.touch', FACTS);
  mock.timers.tick(1);
  await failing;
  worker.answered(told[0]?.id ?? 0, true, undefined);
  worker.answered(4_711, true, undefined);
  worker.answered(told[1]?.id ?? 0, true, undefined);
  assert.equal(await inTime, true);
  mock.timers.tick(10_000);
});

test('questions under way are bounded, and room comes back with each answer', async () => {
  const { worker, told } = link();
  const open = Array.from({ length: 10_000 }, () => worker.ask('session.touch', FACTS));
  await assert.rejects(worker.ask('session.touch', FACTS), StoreUnavailable);
  assert.equal(told.length, 10_000);
  worker.answered(told[0]?.id ?? 0, true, undefined);
  open.push(worker.ask('session.touch', FACTS));
  for (const { id } of told) worker.answered(id, true, undefined);
  assert.equal((await Promise.all(open)).length, 10_001);
});

test('a question that cannot be sent is refused, and takes no room', async () => {
  let broken = true;
  const told: number[] = [];
  const worker = new WorkerLink((message) => {
    if (broken) throw new TypeError('cannot be cloned');
    if (message.type === 'question') told.push(message.id);
  });
  for (let at = 0; at < 10_001; at += 1)
    await assert.rejects(worker.ask('session.touch', FACTS), /the control plane could not be asked/);
  broken = false;
  const asking = worker.ask('session.touch', FACTS);
  worker.answered(told[0] ?? 0, true, undefined);
  assert.equal(await asking, true);
});
