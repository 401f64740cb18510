import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type AcmeManager, type AcmeOptions, createAcmeManager } from './acme.ts';
import type { Certificate } from './certificate-pair.ts';
import { type DevCa, openDevCa } from './dev-ca.ts';

// What an ACME server does when it behaves is tested against a real one in test/acme.test.ts; here it misbehaves.
describe('createAcmeManager', () => {
  let home: string;
  let ca: DevCa;
  let identity: Certificate;
  let troubles: EventEmitter;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'acme-unit-'));
    ca = await openDevCa(join(home, 'ca'));
    identity = await ca.issue([]);
  });
  after(async () => {
    await rm(home, { recursive: true, force: true });
  });
  beforeEach(() => {
    troubles = new EventEmitter();
  });

  function manage(options: Partial<AcmeOptions> & Pick<AcmeOptions, 'directoryUrl'>): AcmeManager {
    const report = (facts: object): void => void troubles.emit('trouble', facts);
    return createAcmeManager({
      directory: join(home, 'acme'),
      domains: ['api.example.com'],
      email: 'ops@example.com',
      challenge: 'http-01',
      ca: ca.caCert,
      log: { info: ignore, warn: report, error: report },
      publish: { publishChallenge: ignore, retractChallenge: ignore, publishCertificate: ignore },
      timing: { checkEvery: 20, firstRetry: 20, slowestRetry: 40 },
      ...options,
    });
  }

  async function nextTrouble(): Promise<{ err: Error; failures: number; retryInSeconds: number }> {
    const [facts] = await once(troubles, 'trouble', { signal: AbortSignal.timeout(10_000) });
    return facts;
  }

  /** An HTTPS server with a certificate of the test's own CA. */
  async function serve(answer: RequestListener): Promise<{ readonly url: string } & AsyncDisposable> {
    const server: Server = createServer({ cert: identity.cert, key: identity.key }, answer).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // a TCP server that listens has one
    return {
      url: `https://localhost:${port}/directory`,
      async [Symbol.asyncDispose](): Promise<void> {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      },
    };
  }

  for (const domains of [[], ['*.example.com'], ['127.0.0.1'], ['a b'], ['../../etc/x'], ['api.example.com', '']]) {
    it(`refuses the domains ${JSON.stringify(domains)}`, () => {
      assert.throws(() => manage({ directoryUrl: 'https://localhost/', domains }), /^Error: acme: /);
    });
  }

  it('speaks https only, also where the directory points to something else', async () => {
    await using plain = await serve((_request, reply) => {
      const leak = 'http://127.0.0.1:9/';
      reply.end(JSON.stringify({ newNonce: leak, newAccount: leak, newOrder: leak }));
    });
    for (const directoryUrl of ['http://127.0.0.1:9/', plain.url]) {
      const manager = manage({ directoryUrl });
      manager.start();
      assert.match((await nextTrouble()).err.message, /https only, not at "http:/);
      await manager.close();
    }
  });

  it('goes on trying after a failure, and counts', async () => {
    const manager = manage({ directoryUrl: 'https://127.0.0.1:1/' });
    manager.start();
    assert.equal((await nextTrouble()).failures, 1);
    assert.equal((await nextTrouble()).failures, 2);
    assert.equal((await nextTrouble()).failures, 3);
    await manager.close();
  });

  it('comes back when the ACME server said, but within a day', async () => {
    for (const { retryAfter, seconds } of [
      { retryAfter: '120', seconds: 120 },
      { retryAfter: '999999999', seconds: 24 * 3600 },
      { retryAfter: 'soon', seconds: 0 },
    ]) {
      await using busy = await serve((_request, reply) => {
        reply.writeHead(503, { 'retry-after': retryAfter }).end('busy');
      });
      const manager = manage({ directoryUrl: busy.url });
      manager.start();
      const trouble = await nextTrouble();
      assert.match(trouble.err.message, /answered 503: busy/);
      assert.equal(trouble.retryInSeconds, seconds);
      await manager.close();
    }
  });

  it('reads no endless answer', async () => {
    await using endless = await serve((_request, reply) => {
      const more = (): void => {
        while (!reply.destroyed && reply.write(Buffer.alloc(2 ** 16, 0x20)));
      };
      reply.on('drain', more);
      more();
    });
    const manager = manage({ directoryUrl: endless.url });
    manager.start();
    assert.match((await nextTrouble()).err.message, /more than 1 MiB/);
    await manager.close();
  });

  it('ends when it is closed while the ACME server keeps silent', { timeout: 10_000 }, async () => {
    const asked = new EventEmitter();
    await using silent = await serve(() => void asked.emit('request'));
    const manager = manage({ directoryUrl: silent.url });
    manager.start();
    await once(asked, 'request');
    await manager.close();
  });

  it('asks nothing before the start nor after the close', async () => {
    const directory = join(home, 'never');
    const manager = manage({ directoryUrl: 'https://127.0.0.1:1/', directory });
    await manager.close();
    manager.start();
    await assert.rejects(readdir(directory), { code: 'ENOENT' });
  });
});

function ignore(): void {}
