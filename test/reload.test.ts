import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { Agent as TlsAgent } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { askGateway, type GatewayStatus, type ReloadOutcome } from '../src/process/control-socket.ts';
import { createTestAuthority, type TestAuthority, writePair } from './support/certificate-authority.ts';
import { freePort, startGateway, type TestGateway } from './support/gateway.ts';
import { type Answered, ask, oneConnection, openCall, replyTo, textOf } from './support/http-client.ts';
import { startLoad } from './support/load.ts';
import { residentMemory } from './support/process-memory.ts';
import { startStreamUpstream } from './support/stream-upstream.ts';
import { until } from './support/until.ts';
import { startUpstream, type TestUpstream } from './support/upstream.ts';

const RELOADS = 200;
/** V8 lets a heap fill to some 100 MB, in each of three threads, before it looks for garbage; with these it looks sooner. */
const SMALL_HEAPS = '--max-old-space-size=64 --max-semi-space-size=2';
/** What the process may hold more after the last reload than after the twentieth. */
const GROWTH_LIMIT_MIB = 60;

describe('reload', { timeout: 120_000 }, () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;

  before(async () => {
    upstream = await startUpstream();
    port = await freePort();
    gateway = await startGateway(marked(0), { env: { NODE_OPTIONS: SMALL_HEAPS } });
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  /** Each test leaves the first configuration in force. */
  afterEach(async () => {
    await gateway.write(marked(0));
    await reload();
  });

  /** A configuration that leaves its number in the request and in the reply. */
  function marked(number: number, more: { readonly listeners?: string; readonly top?: string } = {}): string {
    return `
listeners:
  - { name: public, address: 127.0.0.1:${port}, tls: none }
${more.listeners ?? ''}
log: { access: false }
${more.top ?? 'workers: 2'}
apis:
  - name: api
    upstream: '${upstream.url}'
    authenticate: none
    headers:
      request: { set: { X-Request-Marker: '${number}' } }
      reply: { set: { X-Reply-Marker: '${number}' } }
`;
  }

  function reload(): Promise<ReloadOutcome> {
    return askGateway<ReloadOutcome>(join(gateway.directory, '.sallyport'), 'POST', '/reload');
  }

  function generation(): Promise<number> {
    return askGateway<GatewayStatus>(join(gateway.directory, '.sallyport'), 'GET', '/status').then(
      (status) => status.generation,
    );
  }

  async function markerInForce(at = port): Promise<string> {
    return markers(await ask({ port: at })).reply;
  }

  it(`${RELOADS} times under load: no request fails, none sees two configurations, memory stays flat`, async () => {
    const seen = new Set<string>();
    const load = startLoad({ port, method: 'POST', body: 'x'.repeat(100) }, 8, (reply) => {
      if (reply.status !== 200) return `status ${reply.status}: ${reply.body}`;
      const { request, reply: answer } = markers(reply);
      seen.add(answer);
      return request === answer ? undefined : `the request passed configuration ${request}, its reply ${answer}`;
    });
    const first = await generation();
    let early = 0;
    for (let number = 1; number <= RELOADS; number += 1) {
      const goal = load.answered + 1;
      await gateway.write(marked(number));
      const outcome = await reload();
      assert.deepEqual(outcome.faults, []);
      // From the moment the reload is done, new requests see it.
      assert.equal(await markerInForce(), String(number));
      await until('the load to go on', () => load.answered >= goal || load.failures.length > 0);
      assert.deepEqual(load.failures, []);
      if (number === 20) early = residentMemory(gateway.process.pid).now;
    }
    await load.stop();
    assert.deepEqual(load.failures, []);
    assert.ok(load.answered > RELOADS, `${load.answered} requests`);
    assert.ok(seen.size > RELOADS / 2, `requests met ${seen.size} of the configurations`);
    assert.ok((await generation()) >= first + RELOADS);
    const late = residentMemory(gateway.process.pid).now;
    assert.ok(late - early < GROWTH_LIMIT_MIB, `from ${early} MiB after 20 reloads to ${late} MiB after ${RELOADS}`);
  });

  it('a request in flight keeps the configuration it began with', async () => {
    const slow = await startStreamUpstream();
    const config = marked(1).replace(upstream.url, slow.url);
    await gateway.write(config);
    assert.equal((await reload()).ok, true);
    const call = openCall({ port, path: '/slow?ms=700' });
    call.end();
    const replied = replyTo(call);
    await until('the request to be in flight', () => slow.active > 0);
    await gateway.write(marked(2));
    assert.equal((await reload()).ok, true);
    assert.equal(await markerInForce(), '2');
    const reply = await replied;
    assert.deepEqual([reply.statusCode, reply.headers['x-reply-marker'], await textOf(reply)], [200, '1', 'at last']);
    await slow.close();
  });

  it('a change of the file is taken up by itself', async () => {
    await gateway.write(marked(301));
    await until('the written file to be in force', async () => (await markerInForce()) === '301');
  });

  it('a file that takes the place of the old one is taken up by itself, again and again', async () => {
    for (const number of [311, 312, 313]) {
      const beside = `${gateway.configPath}.new`;
      await writeFile(beside, marked(number));
      await rename(beside, gateway.configPath);
      await until(`file ${number} to be in force`, async () => (await markerInForce()) === String(number));
    }
  });

  it('SIGHUP takes up the file', async () => {
    const before = await generation();
    gateway.process.kill('SIGHUP');
    await until('another generation', async () => (await generation()) > before);
  });

  it('`sallyport reload` says which configuration is in force', async () => {
    await gateway.write(marked(321));
    const { code, stdout, stderr } = await gateway.cli('reload', '--config', gateway.configPath);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /Configuration \d+ is in force\./);
    assert.equal(await markerInForce(), '321');
  });

  it('a broken file changes nothing and says why, with its line', async () => {
    const before = await generation();
    const broken = marked(331).replace('authenticate: none', 'authentificate: none');
    const line = broken.split('\n').findIndex((text) => text.includes('authentificate')) + 1;
    const from = gateway.log.length;
    await gateway.write(broken);
    const outcome = await reload();
    assert.equal(outcome.ok, false);
    assert.match(outcome.faults.join('\n'), new RegExp(`:${line}\\b`));
    assert.match(outcome.faults.join('\n'), /authentificate/);
    const logged = await gateway.logged(
      (entry) => gateway.log.indexOf(entry) >= from && /refused/.test(entry.msg ?? ''),
    );
    assert.match(JSON.stringify(logged['faults']), /authentificate/);

    const { code, stderr, stdout } = await gateway.cli('reload', '--config', gateway.configPath);
    assert.equal(code, 3);
    assert.match(stderr, new RegExp(`sallyport.yaml:${line}\\b`));
    assert.match(stderr, /authentificate/);
    assert.equal(stdout, '');
    assert.equal(await generation(), before);
    assert.equal(await markerInForce(), '0');
  });

  it('an unreadable file changes nothing', async () => {
    await rm(gateway.configPath);
    const outcome = await reload();
    assert.equal(outcome.ok, false);
    assert.match(outcome.faults.join('\n'), /sallyport\.yaml/);
    assert.equal(await markerInForce(), '0');
  });

  for (const [what, text] of [
    ['workers', 'workers: 3'],
    ['dataDir', 'workers: 2\ndataDir: ./elsewhere'],
  ] as const) {
    it(`${what} cannot change while it runs, and it says so`, async () => {
      await gateway.write(marked(341, { top: text }));
      const outcome = await reload();
      assert.equal(outcome.ok, false);
      assert.match(outcome.faults.join('\n'), new RegExp(`^${what}: .*restart`));
      assert.equal(await markerInForce(), '0');
    });
  }

  it('a listener on a taken port is refused, and the old configuration stays in force', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    assert.ok(address !== null && typeof address === 'object');
    await gateway.write(
      marked(351, { listeners: `  - { name: second, address: 127.0.0.1:${address.port}, tls: none }` }),
    );
    const outcome = await reload();
    taken.close();
    assert.equal(outcome.ok, false);
    assert.match(outcome.faults.join('\n'), new RegExp(`listener second: cannot listen on 127.0.0.1:${address.port}`));
    assert.equal(await markerInForce(), '0');
  });

  it('a listener can be added, and taken away without cutting its requests', async () => {
    const slow = await startStreamUpstream();
    const second = await freePort();
    const listeners = `  - { name: second, address: 127.0.0.1:${second}, tls: none }`;
    await gateway.write(marked(361, { listeners }).replace(upstream.url, slow.url));
    assert.deepEqual((await reload()).faults, []);
    const call = openCall({ port: second, path: '/slow?ms=700' });
    call.end();
    const replied = replyTo(call);
    await until('the request to be in flight', () => slow.active > 0);

    await gateway.write(marked(362));
    assert.deepEqual((await reload()).faults, []);
    await assert.rejects(ask({ port: second }), { code: 'ECONNREFUSED' });
    assert.equal((await replied).statusCode, 200);
    assert.equal(await textOf(await replied), 'at last');
    assert.equal(await markerInForce(), '362');
    await slow.close();
  });

  it('a redirecting port comes and goes, and the listener beside it drops nobody', async () => {
    const secure = await freePort();
    const plain = await freePort();
    const listeners = (redirect: string) => `  - { name: secure, address: 127.0.0.1:${secure}${redirect} }`;
    await gateway.write(marked(365, { listeners: listeners('') }));
    assert.deepEqual((await reload()).faults, []);
    const ca = await readFile(join(gateway.directory, '.sallyport', 'dev-ca', 'ca.pem'), 'utf8');
    const agent = new TlsAgent({ keepAlive: true, maxSockets: 1, ca });
    const first = openCall({ port: secure, ca, agent });
    first.end();
    await textOf(await replyTo(first));

    for (let round = 0; round < 5; round += 1) {
      await gateway.write(marked(366, { listeners: listeners(`, redirectHttpFrom: 127.0.0.1:${plain}`) }));
      assert.deepEqual((await reload()).faults, []);
      assert.equal((await ask({ port: plain })).status, 308);
      await gateway.write(marked(367, { listeners: listeners('') }));
      assert.deepEqual((await reload()).faults, []);
      await assert.rejects(ask({ port: plain }), { code: 'ECONNREFUSED' });
    }
    const last = openCall({ port: secure, ca, agent });
    last.end();
    assert.equal((await replyTo(last)).statusCode, 200);
    assert.ok(last.reusedSocket, 'the connection was closed');
    agent.destroy();
  });

  it('a listener can move to another port', async () => {
    const other = await freePort();
    const kept = port;
    await gateway.write(marked(371).replace(`127.0.0.1:${kept}`, `127.0.0.1:${other}`));
    assert.deepEqual((await reload()).faults, []);
    assert.equal(await markerInForce(other), '371');
    await assert.rejects(ask({ port: kept }), { code: 'ECONNREFUSED' });
  });

  it('a keep-alive connection sees the new configuration with its next request', async () => {
    const agent = oneConnection();
    assert.equal(markers(await ask({ port, agent })).reply, '0');
    await gateway.write(marked(381));
    await reload();
    assert.equal(markers(await ask({ port, agent })).reply, '381');
    agent.destroy();
  });
});

describe('certificate files', { timeout: 60_000 }, () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let directory: string;
  let authority: TestAuthority;
  let port: number;

  before(async () => {
    upstream = await startUpstream();
    port = await freePort();
    directory = await mkdtemp(join(tmpdir(), 'sp-certificates-'));
    authority = await createTestAuthority();
    const pair = await writePair(directory, 'server', await authority.issue('localhost'));
    gateway = await startGateway(`
listeners: [{ name: public, address: 127.0.0.1:${port}, tls: { certificates: [${pair}] } }]
workers: 2
apis: [{ name: api, upstream: '${upstream.url}', authenticate: none }]
`);
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('that are replaced are served to new connections without a restart; open ones live on', async () => {
    const agent = new TlsAgent({ keepAlive: true, maxSockets: 1, ca: authority.cert, servername: 'localhost' });
    const first = await served();
    assert.equal(first, fingerprintOf(await readFile(join(directory, 'server.pem'), 'utf8')));
    assert.equal((await ask({ port, agent, ca: authority.cert })).status, 200);
    const [socket] = Object.values(agent.freeSockets)[0] ?? [];

    const replacement = await authority.issue('localhost');
    await writePair(directory, 'server', replacement);
    await until('the new certificate to be served', async () => (await served()) === fingerprintOf(replacement.cert));
    for (let attempt = 0; attempt < 10; attempt += 1)
      assert.equal(await served(), fingerprintOf(replacement.cert), 'by every worker');

    assert.equal((await ask({ port, agent, ca: authority.cert })).status, 200);
    assert.equal(Object.values(agent.freeSockets)[0]?.[0], socket, 'it is the same connection');
    agent.destroy();
  });

  it('that do not belong together change nothing, and it says why', async () => {
    const before = await served();
    const other = await authority.issue('localhost');
    const from = gateway.log.length;
    await writeFile(join(directory, 'server.pem'), other.cert);
    const refused = await gateway.logged((line) => gateway.log.indexOf(line) >= from && /refused/.test(line.msg ?? ''));
    assert.match(JSON.stringify(refused['faults']), /server/);
    assert.equal(await served(), before);
    await writeFile(join(directory, 'server-key.pem'), other.key);
    await until('the whole pair to be served', async () => (await served()) === fingerprintOf(other.cert));
  });

  it('that TLS cannot use change nothing: no worker takes them up, and none falls over them', async () => {
    const before = await served();
    const good = await readFile(gateway.configPath, 'utf8');
    const bad = join(directory, 'bad-ca.pem');
    for (const text of ['no certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
      await writeFile(bad, text);
      await gateway.write(good.replace('tls: { ', `tls: { clientCa: '${bad}', `));
      const outcome = await askGateway<ReloadOutcome>(join(gateway.directory, '.sallyport'), 'POST', '/reload');
      assert.equal(outcome.ok, false, text);
      assert.match(outcome.faults.join('\n'), /bad-ca\.pem|client/i);
      assert.equal(await served(), before);
    }
    await gateway.write(good);
    assert.deepEqual(
      (await askGateway<ReloadOutcome>(join(gateway.directory, '.sallyport'), 'POST', '/reload')).faults,
      [],
    );
    assert.deepEqual(
      gateway.log.filter((line) => /crashed/.test(line.msg ?? '')),
      [],
    );
  });

  async function served(): Promise<string> {
    const socket: TLSSocket = connectTls({ port, host: '127.0.0.1', ca: authority.cert, servername: 'localhost' });
    await once(socket, 'secureConnect');
    const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
    socket.destroy();
    return fingerprint ?? 'none';
  }
});

function markers(reply: Answered): { readonly request: string; readonly reply: string } {
  const echoed: { headers: Record<string, string> } = JSON.parse(reply.body);
  return {
    request: echoed.headers['x-request-marker'] ?? 'none',
    reply: String(reply.headers['x-reply-marker'] ?? 'none'),
  };
}

function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256;
}
