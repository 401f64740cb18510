import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestGateway } from './gateway.ts';
import { residentMemory } from './process-memory.ts';
import { head, type RawTarget, sendRaw } from './raw-client.ts';

/** The certificate of the development CA a gateway made, for clients to trust. */
export function devCaOf(gateway: TestGateway): string {
  return readFileSync(join(gateway.directory, '.sallyport', 'dev-ca', 'ca.pem'), 'utf8');
}

/** Asserts that a gateway runs and answers. */
export async function assertAlive(gateway: TestGateway, target: RawTarget, path = '/'): Promise<void> {
  assert.equal(gateway.process.exitCode, null, 'the process has ended');
  assert.ok(
    !gateway.log.some((line) => /worker.*(?:died|crash|restart|exit)/i.test(String(line.msg ?? ''))),
    `a worker died: ${JSON.stringify(gateway.log.slice(-5))}`,
  );
  const reply = await sendRaw(target, head(`GET ${path} HTTP/1.1`, 'Connection: close'), { quietMs: 10_000 });
  assert.equal(reply.status, 200, `the gateway does not serve: ${reply.text.slice(0, 300)}`);
}

export interface AttackReport {
  /** Requests of other clients that were answered while the attack went on; each with 200. */
  readonly served: number;
  /** MiB the process grew by. */
  readonly grownBy: number;
}

/** Lets other clients ask while an attack goes on; fails where one of them is not served. */
export async function underAttack(
  gateway: TestGateway,
  target: RawTarget,
  attack: () => Promise<void>,
): Promise<AttackReport> {
  await assertAlive(gateway, target);
  const before = residentMemory(gateway.process.pid).now;
  let most = before;
  let served = 0;
  let over = false;
  const attacking = attack().finally(() => {
    over = true;
  });
  attacking.catch(() => {}); // it is awaited below; until then a failure must not end the process
  while (!over) {
    await assertAlive(gateway, target);
    served += 1;
    most = Math.max(most, residentMemory(gateway.process.pid).now);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await attacking;
  await assertAlive(gateway, target);
  return { served, grownBy: Math.max(most, residentMemory(gateway.process.pid).now) - before };
}
