import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { type AcmeServer, startAcmeServer } from './support/acme-server.ts';
import { freePort, startGateway, type TestGateway } from './support/gateway.ts';
import { ask } from './support/http-client.ts';
import { skipUnless } from './support/require-tool.ts';
import { until } from './support/until.ts';
import { startUpstream, type TestUpstream } from './support/upstream.ts';
import { reserveWellKnownPorts } from './support/well-known-ports.ts';

/** The whole gateway gets its certificate from a real ACME server, on the ports the RFCs fix: it needs leave to bind them. */
const unmet = skipUnless('caddy') || (await reserveWellKnownPorts());

describe('a certificate from ACME', { skip: unmet, timeout: 90_000 }, () => {
  let acme: AcmeServer;
  let upstream: TestUpstream;
  let home: string;
  const portOf = { 'http-01': 0, 'tls-alpn-01': 443 };
  const issued = new Map<string, string>();

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'sp-acme-'));
    upstream = await startUpstream();
    acme = await startAcmeServer();
    portOf['http-01'] = await freePort();
    // It outlives the ACME server.
    await writeFile(join(home, 'acme-root.pem'), acme.root);
  });

  after(async () => {
    await acme?.stop();
    await upstream?.close();
    await rm(home, { recursive: true, force: true });
  });

  function config(challenge: 'http-01' | 'tls-alpn-01', port: number): string {
    return `
listeners:
  - name: public
    address: 127.0.0.1:${port}
    tls:
      acme: { domains: [localhost], email: ops@example.com, directory: '${acme.directoryUrl}', challenge: ${challenge}, agreeToTerms: true, ca: '${join(home, 'acme-root.pem')}' }
${challenge === 'http-01' ? '    redirectHttpFrom: 127.0.0.1:80' : ''}
workers: 2
dataDir: '${join(home, challenge)}'
apis: [{ name: api, upstream: '${upstream.url}', authenticate: none }]
`;
  }

  for (const challenge of ['http-01', 'tls-alpn-01'] as const) {
    it(`is got by ${challenge} and served by every worker without a restart`, async () => {
      const port = portOf[challenge];
      const gateway = await startGateway(config(challenge, port));
      try {
        const fingerprint = await until('a certificate of the ACME server', () => verifiedFingerprint(port), 30_000);
        issued.set(challenge, fingerprint);
        await until('every worker to serve it', () => allServe(port, fingerprint));
        const reply = await ask({ port, ca: acme.root, headers: { Host: 'localhost' } });
        assert.equal(reply.status, 200);
        if (challenge === 'http-01') await redirectsAllElse(port);
        assert.deepEqual(complaints(gateway), []);
      } finally {
        assert.equal(await gateway.stop(), 0);
      }
    });
  }

  it('is kept for the next start, which needs no ACME server', async () => {
    await acme.stop();
    for (const challenge of ['http-01', 'tls-alpn-01'] as const) {
      const port = portOf[challenge];
      const gateway = await startGateway(config(challenge, port));
      try {
        await until('the kept certificate', async () => (await verifiedFingerprint(port)) === issued.get(challenge));
      } finally {
        await gateway.stop();
      }
    }
  });

  async function redirectsAllElse(port: number): Promise<void> {
    const token = await ask({
      port: 80,
      path: '/.well-known/acme-challenge/unknown-token',
      headers: { Host: 'localhost' },
    });
    assert.equal(token.status, 308);
    assert.equal(token.headers.location, `https://localhost:${port}/.well-known/acme-challenge/unknown-token`);
    assert.equal((await ask({ port: 80, method: 'POST', headers: { Host: 'localhost' } })).status, 403);
  }

  async function allServe(port: number, fingerprint: string | undefined): Promise<boolean> {
    const served = await Promise.all(Array.from({ length: 12 }, () => verifiedFingerprint(port)));
    return served.every((one) => one === fingerprint);
  }

  /** The fingerprint of what is served, where it verifies against the ACME server's root; undefined where it does not yet. */
  async function verifiedFingerprint(port: number): Promise<string | undefined> {
    const socket = connectTls({ host: '127.0.0.1', port, servername: 'localhost', ca: acme.root });
    try {
      await once(socket, 'secureConnect');
      return socket.getPeerX509Certificate()?.fingerprint256;
    } catch {
      return undefined;
    } finally {
      socket.destroy();
    }
  }
});

/** What the gateway logged as going wrong. */
function complaints(gateway: TestGateway): unknown[] {
  return gateway.log.filter(
    (line) => Number(line['level']) >= 40 || line['level'] === 'warn' || line['level'] === 'error',
  );
}
