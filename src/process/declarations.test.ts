import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GatewayConfig } from '../config/schema.ts';
import type { Log } from '../observe/log.ts';
import { StoreUnavailable } from '../stores/stores.ts';
import { Declarations } from './declarations.ts';

const OLD = {} as GatewayConfig; // told apart by identity alone
const NEW = {} as GatewayConfig;
const RETRY_MS = 5_000;

test('a newer file waits for a slow older run, so that what it dropped stays dropped', async () => {
  const { declarations, runs, order } = ground();
  const old = declarations.follow(OLD);
  await settle();
  const wanted = declarations.follow(NEW);
  await settle();
  assert.deepEqual(order, ['old begins'], 'the newer run does not begin beside it');
  runs[0]?.resolve([]);
  await settle();
  runs[1]?.resolve([]);
  await Promise.all([old, wanted]);
  assert.deepEqual(order, ['old begins', 'old ends', 'new begins', 'new ends']);
});

test('of files that came during a run only the newest is declared', async () => {
  const { declarations, runs, order } = ground();
  const following = [declarations.follow(NEW)];
  await settle();
  following.push(declarations.follow(OLD), declarations.follow(NEW));
  runs[0]?.resolve([]);
  await settle();
  runs[1]?.resolve([]);
  await settle();
  runs[2]?.resolve([]); // of the file in between, were it declared
  await Promise.all(following);
  assert.deepEqual(order, ['new begins', 'new ends', 'new begins', 'new ends']);
});

test('an older run that fails once a newer file is there is not tried again', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { declarations, runs, order } = ground();
  const old = declarations.follow(OLD);
  await settle();
  const wanted = declarations.follow(NEW);
  runs[0]?.reject(new StoreUnavailable('down'));
  await settle();
  runs[1]?.resolve([]);
  await Promise.all([old, wanted]);
  context.mock.timers.tick(RETRY_MS);
  await settle();
  assert.deepEqual(order, ['old begins', 'old fails', 'new begins', 'new ends']);
});

test('while the records are away it is tried again, until a newer file comes or the gateway stops', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { declarations, runs, order } = ground();
  const fail = async (at: number) => {
    await settle();
    runs[at]?.reject(new StoreUnavailable('down'));
    await settle();
  };
  void declarations.follow(OLD);
  await fail(0);
  context.mock.timers.tick(RETRY_MS);
  await fail(1);
  void declarations.follow(NEW);
  await fail(2);
  assert.deepEqual(order.splice(0), ['old begins', 'old fails', 'old begins', 'old fails', 'new begins', 'new fails']);
  await declarations.close();
  context.mock.timers.tick(2 * RETRY_MS);
  await settle();
  assert.deepEqual(order, []);
});

test('closing waits for the run under way', async () => {
  const { declarations, runs, order } = ground();
  void declarations.follow(OLD);
  await settle();
  const closing = declarations.close();
  runs[0]?.reject(new StoreUnavailable('down'));
  await closing;
  assert.deepEqual(order, ['old begins', 'old fails']);
});

function ground() {
  const runs: PromiseWithResolvers<readonly string[]>[] = [];
  const order: string[] = [];
  const declarations = new Declarations({
    async declare(config) {
      const name = config === OLD ? 'old' : 'new';
      const run = Promise.withResolvers<readonly string[]>();
      runs.push(run);
      order.push(`${name} begins`);
      try {
        const faults = await run.promise;
        order.push(`${name} ends`);
        return faults;
      } catch (error) {
        order.push(`${name} fails`);
        throw error;
      }
    },
    onDeclared() {},
    log: { error() {} } as unknown as Log, // all that is used of it
    retryAfter: RETRY_MS,
  });
  return { declarations, runs, order };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
