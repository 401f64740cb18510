import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { TlsMaterial } from './listener-options.ts';
import { listenerOptions, makeCa, readAll, statusOf, type TestCa, TestListener, tlsMaterial } from './test-listener.ts';

const REQUEST = 'GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n';

type Pair = TlsMaterial['certificates'][number];

let ca: TestCa;
let a: Pair;
let b: Pair;
let client: ClientCa;
before(async () => {
  ca = await makeCa();
  a = await ca.issue('a.example', '127.0.0.1');
  b = await ca.issue('b.example', '*.b.example');
  client = makeClientCa();
});

interface ClientCa {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A CA and a client certificate of it, made by OpenSSL itself. */
function makeClientCa(): ClientCa {
  const home = mkdtempSync(join(tmpdir(), 'client-ca-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: home, stdio: 'pipe' });
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  try {
    openssl('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=partners', '-days', '2');
    openssl('req', ...ec, '-keyout', 'client.key', '-out', 'client.csr', '-subj', '/CN=partner-1');
    writeFileSync(join(home, 'ext'), 'extendedKeyUsage=clientAuth\n');
    openssl(
      'x509',
      '-req',
      '-in',
      'client.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      'client.pem',
      '-days',
      '2',
      '-extfile',
      'ext',
    );
    const read = (name: string) => readFileSync(join(home, name), 'utf8');
    return { ca: read('ca.pem'), cert: read('client.pem'), key: read('client.key') };
  } finally {
    rmSync(home, { recursive: true });
  }
}

describe('client certificates', () => {
  const ticketKeys = randomBytes(48);

  /** A session ticket of a listener, taken over a complete exchange. */
  async function sessionOf(port: number, options: ConnectionOptions): Promise<Buffer> {
    const socket = connect({ host: '127.0.0.1', port, ca: ca.cert, servername: 'a.example', ...options });
    let session: Buffer | undefined;
    socket.on('error', () => undefined);
    socket.on('session', (ticket) => {
      session = ticket;
    });
    socket.on('secureConnect', () => socket.write(REQUEST));
    await readAll(socket);
    assert.ok(session !== undefined, 'the listener gave no ticket');
    return session;
  }

  const partner = () => ({ cert: client.cert, key: client.key });

  it('are asked for, verified and told to the road', async () => {
    await using test = await TestListener.start({ tls: tlsMaterial([a], { clientCa: client.ca }) });
    assert.equal(await get(test.port), '');
    assert.equal(await get(test.port, { maxVersion: 'TLSv1.2' }), '');
    const stranger = makeClientCa();
    assert.equal(await get(test.port, { cert: stranger.cert, key: stranger.key }), '');
    assert.equal(test.exchanges.length, 0);
    assert.equal(statusOf(await get(test.port, partner())), 200);
    assert.match(test.last.tls?.clientCertificate?.subject ?? '', /CN=partner-1/);
    assert.match(test.last.tls?.clientCertificate?.fingerprint256 ?? '', /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  });

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`a session resumes in another worker, still with its certificate (${maxVersion})`, async () => {
      const tls = tlsMaterial([a, b], { clientCa: client.ca, ticketKeys });
      await using first = await TestListener.start({ tls });
      await using second = await TestListener.start({ tls });
      const session = await sessionOf(first.port, { maxVersion, ...partner() });
      const resumed = await dial(second.port, { maxVersion, session, ...partner() });
      assert.equal(resumed.isSessionReused(), true);
      resumed.write(REQUEST);
      assert.equal(statusOf(await readAll(resumed)), 200);
      assert.match(second.last.tls?.clientCertificate?.subject ?? '', /partner-1/);
    });

    it(`a session of a listener that asks for none opens nothing where one is asked for (attack 26, ${maxVersion})`, async () => {
      await using open = await TestListener.start({ name: 'open', tls: tlsMaterial([a], { ticketKeys }) });
      await using closed = await TestListener.start({
        name: 'closed',
        tls: tlsMaterial([a, b], { ticketKeys, clientCa: client.ca }),
      });
      const session = await sessionOf(open.port, { maxVersion });
      for (const servername of ['a.example', 'b.example', 'nobody.example']) {
        assert.equal(
          await get(closed.port, { maxVersion, session, servername, checkServerIdentity: () => undefined }),
          '',
        );
      }
      assert.equal(closed.exchanges.length, 0);
    });

    it(`a session made before client certificates were asked for, or under another CA, opens nothing after (${maxVersion})`, async () => {
      await using test = await TestListener.start({ tls: tlsMaterial([a], { ticketKeys }) });
      const anonymous = await sessionOf(test.port, { maxVersion });
      test.listener.update(listenerOptions({ tls: tlsMaterial([a], { ticketKeys, clientCa: client.ca }) }));
      const known = await sessionOf(test.port, { maxVersion, ...partner() });
      const served = test.exchanges.length;
      assert.equal(await get(test.port, { maxVersion, session: anonymous }), '');
      test.listener.update(listenerOptions({ tls: tlsMaterial([a], { ticketKeys, clientCa: makeClientCa().ca }) }));
      assert.equal(await get(test.port, { maxVersion, session: known, ...partner() }), '');
      assert.equal(test.exchanges.length, served);
    });

    it(`a session resumed under another SNI still has its certificate (${maxVersion})`, async () => {
      await using test = await TestListener.start({ tls: tlsMaterial([a, b], { ticketKeys, clientCa: client.ca }) });
      const session = await sessionOf(test.port, { maxVersion, ...partner() });
      const text = await get(test.port, {
        maxVersion,
        session,
        servername: 'b.example',
        checkServerIdentity: () => undefined,
        ...partner(),
      });
      if (text !== '') assert.match(test.last.tls?.clientCertificate?.subject ?? '', /partner-1/);
      assert.equal(statusOf(await get(test.port, partner())), 200);
    });
  }
});

async function dial(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: ca.cert, servername: 'a.example', ...options });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

/** What a GET over a new connection is answered with; the empty text where the server closes without an answer. */
async function get(port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca: ca.cert, servername: 'a.example', ...options });
  socket.on('error', () => undefined).on('secureConnect', () => socket.write(REQUEST));
  return await readAll(socket);
}
