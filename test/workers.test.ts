import assert from 'node:assert/strict';
import type { Agent } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { freePort, type LogLine, startGateway, type TestGateway } from './support/gateway.ts';
import { ask, oneConnection } from './support/http-client.ts';
import { until } from './support/until.ts';
import { startUpstream, type TestUpstream } from './support/upstream.ts';

describe('workers', { timeout: 60_000 }, () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;
  let internalPort: number;

  before(async () => {
    upstream = await startUpstream();
    port = await freePort();
    internalPort = await freePort();
    gateway = await startGateway(crashingConfig(), { fileName: 'sallyport.config.ts' });
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  /** A policy of the user's that names the worker, and has a bug that only a timer meets: no hook's catch can hold it. */
  function crashingConfig(): string {
    return `
import { threadId } from 'node:worker_threads';
import { z } from '${import.meta.resolve('zod')}';
import { defineConfig, definePolicy } from '${new URL('../src/index.ts', import.meta.url)}';

const crash = definePolicy({
  name: 'crash',
  phase: 'admit',
  config: z.strictObject({}),
  compile: () => ({
    request: function crashWhereAsked(exchange) {
      if (exchange.headers.has('x-crash')) setTimeout(() => { throw new Error('injected crash'); }, 0);
      return undefined;
    },
    reply: function nameWorker(_exchange, reply) {
      reply.headers.set('X-Worker', String(threadId));
    },
  }),
});

export default defineConfig({
  listeners: [
    { name: 'public', address: '127.0.0.1:${port}', tls: 'none' },
    { name: 'internal', exposure: 'internal', address: '127.0.0.1:${internalPort}', tls: 'none' },
  ],
  workers: 2,
  policies: [crash],
  apis: [{ name: 'api', upstream: '${upstream.url}', authenticate: 'none', policies: { crash: {} } }],
});
`;
  }

  it('all serve, and /metrics adds up what they served', async () => {
    const before = await counted('sallyport_requests_total', 'api="api"');
    const served = new Map<string, number>();
    for (let request = 0; request < 60; request += 1) {
      const reply = await ask({ port });
      assert.equal(reply.status, 200);
      const worker = String(reply.headers['x-worker']);
      served.set(worker, (served.get(worker) ?? 0) + 1);
    }
    assert.equal(served.size, 2, JSON.stringify([...served]));
    assert.equal((await counted('sallyport_requests_total', 'api="api"')) - before, 60);
  });

  it('one that crashes takes no other with it, comes back, and is told of in the log and the metrics', async () => {
    const restartsBefore = await counted('sallyport_worker_restarts_total');
    const { agents, byWorker } = await connectToBoth();
    const [victims = [], others = []] = [...byWorker.values()];
    const [victim] = [...byWorker.keys()];

    const from = gateway.log.length;
    await ask({ port, agent: victims[0] as Agent, headers: { 'X-Crash': '1' } }).catch(() => undefined); // it may be cut
    const crash = await logged(from, /a worker crashed; it is restarted/);
    for (const agent of others) {
      const reply = await ask({ port, agent });
      assert.equal(reply.status, 200);
      assert.notEqual(reply.headers['x-worker'], victim);
    }
    assert.match(JSON.stringify(crash), /injected crash/);
    assert.equal(crash['level'] === 50 || crash['level'] === 'error', true);
    await logged(from, /the worker is back/);
    assert.equal(await counted('sallyport_worker_restarts_total'), restartsBefore + 1);
    for (const agent of agents) agent.destroy();

    const after = await connectToBoth();
    assert.equal(after.byWorker.has(String(victim)), false, 'the thread that crashed is gone');
    for (const agent of after.agents) agent.destroy();
    assert.equal((await ask({ port: internalPort, path: '/readyz' })).status, 200);
  });

  it('one that crashes again and again is given more and more time', async () => {
    const from = gateway.log.length;
    const delays: number[] = [];
    for (let crashes = 1; crashes <= 3; crashes += 1) {
      await ask({ port, headers: { 'X-Crash': '1' } }).catch(() => undefined);
      await until('the crash', () => linesSince(from, /a worker crashed/).length === crashes);
      await until('both to serve', () => linesSince(from, /the worker is back/).length === crashes);
    }
    const crashed = linesSince(from, /a worker crashed/);
    for (const worker of [0, 1]) {
      delays.push(...crashed.filter((line) => line['worker'] === worker).map((line) => Number(line['restartInMs'])));
      const own = crashed.filter((line) => line['worker'] === worker).map((line) => Number(line['restartInMs']));
      for (const [index, delay] of own.entries()) if (index > 0) assert.equal(delay, (own[index - 1] ?? 0) * 2);
    }
    assert.equal(delays.length, 3);
    assert.ok(
      delays.some((delay) => delay > 100),
      `three crashes among two workers: ${delays}`,
    );
    assert.equal((await ask({ port })).status, 200);
  });

  it('a worker that comes back has the configuration of now, not the one it began with', async () => {
    const { code } = await gateway.cli('reload', '--config', gateway.configPath);
    assert.equal(code, 0);
    const from = gateway.log.length;
    await ask({ port, headers: { 'X-Crash': '1' } }).catch(() => undefined);
    await logged(from, /the worker is back/);
    const ready = JSON.parse((await ask({ port: internalPort, path: '/readyz' })).body);
    assert.deepEqual(ready.workers, { configured: 2, serving: 2 });
    for (let request = 0; request < 10; request += 1) assert.equal((await ask({ port })).status, 200);
  });

  /** The system deals out connections: opens some until each worker has one. */
  async function connectToBoth(): Promise<{ readonly agents: Agent[]; readonly byWorker: Map<string, Agent[]> }> {
    const agents: Agent[] = [];
    const byWorker = new Map<string, Agent[]>();
    await until('connections to both workers', async () => {
      const agent = oneConnection();
      agents.push(agent);
      const worker = String((await ask({ port, agent })).headers['x-worker']);
      byWorker.set(worker, [...(byWorker.get(worker) ?? []), agent]);
      return byWorker.size === 2 && agents.length >= 6;
    });
    return { agents, byWorker };
  }

  async function counted(metric: string, label = ''): Promise<number> {
    const { body } = await ask({ port: internalPort, path: '/metrics' });
    const lines = body.split('\n').filter((line) => line.startsWith(metric) && line.includes(label));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  function linesSince(from: number, message: RegExp): LogLine[] {
    return gateway.log.slice(from).filter((line) => message.test(line.msg ?? ''));
  }

  function logged(from: number, message: RegExp): Promise<LogLine> {
    return until(`the log to say ${message}`, () => linesSince(from, message)[0]);
  }
});
