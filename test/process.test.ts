import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Agent } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort, type LogLine, startGateway, type TestGateway } from './support/gateway.ts';
import { type Answered, ask, oneConnection, openCall, replyTo, textOf } from './support/http-client.ts';
import { sendRaw } from './support/raw-client.ts';
import { type StreamUpstream, startStreamUpstream } from './support/stream-upstream.ts';
import { until } from './support/until.ts';
import { startUpstream, type TestUpstream } from './support/upstream.ts';

const entry = fileURLToPath(new URL('../src/main.ts', import.meta.url));

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

describe('the pages of the gateway itself', { timeout: 60_000 }, () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;
  let internalPort: number;

  before(async () => {
    upstream = await startUpstream();
    port = await freePort();
    internalPort = await freePort();
    gateway = await startGateway(`
listeners:
  - { name: public, address: 127.0.0.1:${port}, tls: none }
  - { name: internal, exposure: internal, address: 127.0.0.1:${internalPort}, tls: none }
workers: 1
apis:
  - { name: open, path: /api, upstream: '${upstream.url}', authenticate: none }
  - { name: books, exposure: internal, path: /books, hosts: [books.internal], upstream: '${upstream.url}' }
`);
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  it('are there on the internal listener', async () => {
    assert.deepEqual(pick(await ask({ port: internalPort, path: '/healthz' })), { status: 200, body: 'ok\n' });
    const ready = await ask({ port: internalPort, path: '/readyz' });
    assert.equal(ready.status, 200);
    assert.equal(JSON.parse(ready.body).ready, true);
    const metrics = await ask({ port: internalPort, path: '/metrics', headers: { Host: 'anything.example.com' } });
    assert.equal(metrics.status, 200);
    assert.match(metrics.body, /^sallyport_build_info\{/m);
    assert.match(String(metrics.headers['content-type']), /^text\/plain; version=0\.0\.4/);
  });

  // Attack 58.
  for (const page of ['/metrics', '/healthz', '/readyz', '/books', '/books/1']) {
    it(`${page} is not to be had through the public listener`, async () => {
      const before = upstream.seen.length;
      const escaped = `/%${page.charCodeAt(1).toString(16)}${page.slice(2)}`;
      const spellings = [page, `${page}/`, `${page}?x=1`, escaped, page.toUpperCase()];
      const odd = [
        `/${page}`,
        `/.${page}`,
        `/api/..${page}`,
        `/api/%2e%2e${page}`,
        `/api/..;${page}`,
        `${page};x`,
        `\\${page.slice(1)}`,
      ];
      for (const target of [...spellings, ...odd]) {
        for (const host of ['localhost', `127.0.0.1:${internalPort}`, 'internal', 'BOOKS.internal.']) {
          const reply = await sendRaw({ port }, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
          assert.ok(
            reply.status === 404 || (reply.status === 400 && odd.includes(target)),
            `${target} with Host ${host}: ${reply.status}`,
          );
          assert.equal(/sallyport_|"ready"|^ok$/m.test(reply.body), false);
        }
      }
      for (const target of [`http://127.0.0.1:${internalPort}${page}`, `http://books.internal${page}`]) {
        const authority = new URL(target).host;
        assert.equal(
          (await sendRaw({ port }, `GET ${target} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)).status,
          404,
          target,
        );
      }
      const fields = [
        'X-Forwarded-Host: books.internal',
        'Forwarded: host=books.internal',
        `X-Original-URL: ${page}`,
        `X-Rewrite-URL: ${page}`,
        'X-Forwarded-For: 127.0.0.1',
      ];
      const reply = await sendRaw(
        { port },
        `GET ${page} HTTP/1.1\r\nHost: localhost\r\n${fields.join('\r\n')}\r\n\r\n`,
      );
      assert.equal(reply.status, 404);
      assert.equal(upstream.seen.length, before, 'nothing reached the upstream');
    });
  }

  it('an internal API is there on the internal listener, which carries no public one', async () => {
    assert.equal(
      (await ask({ port: internalPort, path: '/books/1', headers: { Host: 'books.internal' } })).status,
      200,
    );
    assert.equal((await ask({ port: internalPort, path: '/api' })).status, 404);
  });

  it('every line of the log is JSON, and holds no secret of the requests', async () => {
    const secrets = [
      's3cr3t-bearer',
      's3cr3t-cookie',
      's3cr3t-token',
      's3cr3t-key',
      's3cr3t-body',
      's3cr3t-basic',
      's3cr3t-referer',
    ];
    const from = gateway.log.length;
    await ask({
      port,
      path: '/api/log?access_token=s3cr3t-token&api_key=s3cr3t-key&page=7',
      method: 'POST',
      body: 's3cr3t-body',
      headers: {
        Authorization: 'Bearer s3cr3t-bearer',
        Cookie: 'session=s3cr3t-cookie',
        'X-Api-Key': 's3cr3t-key',
        'Proxy-Authorization': 'Basic s3cr3t-basic',
        Referer: 'https://app.example.com/?token=s3cr3t-referer',
        'User-Agent': 'quote " backslash \\ done',
      },
    });
    const line = await until('the access log line', () =>
      gateway.log.slice(from).find((entry) => entry['path'] === '/api/log'),
    );
    assert.equal(line['status'], 200);
    assert.equal(line['agent'], 'quote " backslash \\ done');
    assert.match(String(line['query']), /page=7/);
    const text = JSON.stringify(gateway.log);
    for (const secret of secrets) assert.equal(text.includes(secret), false, secret);
    assert.deepEqual(
      gateway.log.filter((entry) => 'unparsable' in entry),
      [],
    );
  });
});

describe('the end of the process', { timeout: 60_000 }, () => {
  let upstream: StreamUpstream;
  before(async () => {
    upstream = await startStreamUpstream();
  });
  after(() => upstream?.close());

  const config = (port: number, drain: string): string => `
listeners: [{ name: public, address: 127.0.0.1:${port}, tls: none }]
workers: 2
drain: ${drain}
apis: [{ name: api, upstream: '${upstream.url}', authenticate: none }]
`;

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`${signal} lets the request in flight finish, takes no new one, and ends with 0`, async () => {
      const port = await freePort();
      const gateway = await startGateway(config(port, '10s'));
      try {
        const idle = oneConnection();
        assert.equal((await ask({ port, path: '/slow?ms=0', agent: idle })).status, 200);
        const call = openCall({ port, path: '/slow?ms=1500' });
        call.end();
        const replied = replyTo(call);
        await until('the request to be in flight', () => upstream.active > 0);
        const ended = once(gateway.process, 'exit');
        gateway.process.kill(signal);
        await gateway.logged((line) => line.msg === 'the gateway is shutting down');
        await until('the port to be closed', () =>
          ask({ port, path: '/slow?ms=0' }).then(
            () => false,
            (error) => error.code === 'ECONNREFUSED',
          ),
        );
        const reply = await replied;
        assert.deepEqual([reply.statusCode, await textOf(reply)], [200, 'at last']);
        assert.equal(reply.headers.connection, 'close');
        assert.deepEqual(await ended, [0, null]);
        assert.ok(gateway.log.some((line) => line.msg === 'the gateway has stopped'));
        idle.destroy();
      } finally {
        await gateway.stop();
      }
    });
  }

  it('does not wait beyond the deadline', async () => {
    const port = await freePort();
    const gateway = await startGateway(config(port, '300ms'));
    try {
      const call = openCall({ port, path: '/slow?ms=30000' });
      call.end();
      const cut = once(call, 'response').then(
        () => 'answered',
        () => 'cut',
      );
      await until('the request to be in flight', () => upstream.active > 0);
      const ended = once(gateway.process, 'exit');
      gateway.process.kill('SIGTERM');
      assert.equal(await cut, 'cut');
      assert.deepEqual(await ended, [0, null]);
    } finally {
      await gateway.stop();
    }
  });

  it('leaves the data directory to the next gateway, also after SIGKILL', async () => {
    const port = await freePort();
    const directory = await mkdtemp(join(tmpdir(), 'sp-kill-'));
    const text = `${config(port, '1s')}dataDir: '${join(directory, 'data')}'\n`;
    const killed = await startGateway(text);
    killed.process.kill('SIGKILL');
    await once(killed.process, 'exit');
    const next = await startGateway(text);
    assert.equal((await ask({ port, path: '/slow?ms=0' })).status, 200);
    assert.equal(await next.stop(), 0);
    await killed.stop();
    await rm(directory, { recursive: true, force: true });
  });
});

describe('a start that cannot be', { timeout: 60_000 }, () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-start-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const config = (port: number): string => `
listeners: [{ name: public, address: 127.0.0.1:${port}, tls: none }]
workers: 2
apis: [{ name: api, upstream: 'http://127.0.0.1:1', authenticate: none }]
`;

  it('on a data directory in use ends with 4 and names the process', async () => {
    const gateway = await startGateway(config(await freePort()));
    try {
      const other = join(gateway.directory, 'other.yaml');
      await writeFile(other, config(await freePort()));
      const { code, printed } = await start(other);
      assert.equal(code, 4);
      assert.match(printed, new RegExp(`process id ${gateway.process.pid} already uses .*dataDir`));
    } finally {
      await gateway.stop();
    }
  });

  it('on a port in use says which, and does not hang', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    assert.ok(address !== null && typeof address === 'object');
    const path = await write(config(address.port));
    const { code, printed } = await start(path);
    taken.close();
    assert.equal(code, 1);
    assert.match(
      printed,
      new RegExp(`listener public: cannot listen on 127.0.0.1:${address.port}: another program listens there`),
    );
  });

  it('on a port of another gateway does not share it', async () => {
    const port = await freePort();
    const gateway = await startGateway(config(port));
    try {
      const { code, printed } = await start(await write(config(port)));
      assert.equal(code, 1);
      assert.match(printed, /another program listens there/);
    } finally {
      await gateway.stop();
    }
  });

  it('from a faulty file ends with 3 and names path and line of every fault', async () => {
    const path = await write(
      config(8080).replace('workers: 2', 'worker: 2').replace('authenticate: none', 'authenticate: nobody'),
    );
    const { code, printed } = await start(path);
    assert.equal(code, 3);
    assert.match(printed, /sallyport\.yaml:3\b/);
    assert.match(printed, /workers/);
    assert.match(printed, /sallyport\.yaml:4\b/);
  });

  it('from a file that is not there ends with 3 and says so', async () => {
    const { code, printed } = await start(join(directory, 'nowhere.yaml'));
    assert.equal(code, 3);
    assert.match(printed, /nowhere\.yaml/);
  });

  async function write(text: string): Promise<string> {
    const path = join(directory, 'sallyport.yaml');
    await writeFile(path, text);
    return path;
  }
});

/** Runs `sallyport start` that is to end by itself; one that does not is killed, and its code is null. */
async function start(path: string): Promise<{ readonly code: number | null; readonly printed: string }> {
  const child = spawn(process.execPath, [entry, 'start', '--config', path], { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  const hung = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await once(child, 'close');
  clearTimeout(hung);
  return { code: child.exitCode, printed };
}

function pick({ status, body }: Answered): { readonly status: number; readonly body: string } {
  return { status, body };
}
