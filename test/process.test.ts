import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort, startGateway } from './support/gateway.ts';
import { ask, oneConnection, openCall, replyTo, textOf } from './support/http-client.ts';
import { type StreamUpstream, startStreamUpstream } from './support/stream-upstream.ts';
import { until } from './support/until.ts';

const entry = fileURLToPath(new URL('../src/main.ts', import.meta.url));

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
