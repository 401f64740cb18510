import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { TlsMaterial } from './listener.ts';
import {
  listenerOptions,
  makeCa,
  readAll,
  statusOf,
  type TestCa,
  TestListener,
  tlsMaterial,
  until,
} from './test-listener.ts';

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

describe('TLS', () => {
  let test: TestListener;
  before(async () => {
    test = await TestListener.start({ tls: tlsMaterial([a, b]) });
  });
  after(() => test[Symbol.asyncDispose]());

  it('serves HTTP/1.1, and the exchange knows the facts', async () => {
    assert.equal(statusOf(await get(test.port)), 200);
    const { scheme, tls } = test.last;
    assert.equal(scheme, 'https');
    assert.equal(tls?.protocol, 'TLSv1.3');
    assert.match(tls?.cipher ?? '', /^TLS_AES_/);
    assert.equal(tls?.servername, 'a.example');
    assert.equal(tls?.clientCertificate, undefined);
  });

  it('chooses the certificate by SNI, the first one for anything else', async () => {
    for (const [servername, cn] of [
      ['a.example', 'a.example'],
      ['b.example', 'b.example'],
      ['x.b.example', 'b.example'],
      ['nobody.example', 'a.example'],
    ]) {
      const socket = await dial(test.port, { servername, checkServerIdentity: () => undefined });
      assert.match(socket.getPeerX509Certificate()?.subjectAltName ?? '', new RegExp(`DNS:${cn}`));
      socket.destroy();
    }
  });

  it('lives through odd SNI (attack 26)', async () => {
    for (const servername of ['x'.repeat(250), '*.b.example', '__proto__', 'a..b', 'xn--', 'B.EXAMPLE']) {
      const socket = await dial(test.port, { servername, checkServerIdentity: () => undefined }).catch(() => undefined);
      socket?.destroy();
    }
    const bare = connect({ host: '127.0.0.1', port: test.port, rejectUnauthorized: false }); // no SNI at all
    await once(bare, 'secureConnect');
    bare.destroy();
    assert.equal(statusOf(await get(test.port)), 200);
  });

  it('takes TLS 1.2 with modern ciphers only, and nothing older', async () => {
    assert.equal(statusOf(await get(test.port, { maxVersion: 'TLSv1.2' })), 200);
    for (const ciphers of ['AES128-SHA', 'AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'DHE-RSA-AES128-GCM-SHA256']) {
      assert.equal(await get(test.port, { maxVersion: 'TLSv1.2', ciphers }), '', ciphers);
    }
    assert.equal(await get(test.port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' }), '');
  });

  it('takes TLS 1.3 only where the configuration says so', async () => {
    await using strict = await TestListener.start({ tls: tlsMaterial([a], { minVersion: 'TLSv1.3' }) });
    assert.equal(await get(strict.port, { maxVersion: 'TLSv1.2' }), '');
    assert.equal(statusOf(await get(strict.port)), 200);
  });

  it('agrees on X25519MLKEM768 where the client offers it', async () => {
    assert.equal(statusOf(await get(test.port, { ecdhCurve: 'X25519MLKEM768' })), 200);
    assert.equal(statusOf(await get(test.port, { ecdhCurve: 'X25519' })), 200);
    assert.equal(await get(test.port, { ecdhCurve: 'P-521' }), '');
  });

  it('refuses renegotiation', async () => {
    const socket = await dial(test.port, { maxVersion: 'TLSv1.2' });
    const { promise, resolve } = Promise.withResolvers<unknown>();
    socket.on('close', () => resolve('closed'));
    socket.renegotiate({}, resolve);
    assert.ok((await promise) !== null);
    socket.destroy();
  });

  it('ends a handshake over an unknown protocol', async () => {
    assert.equal(await get(test.port, { ALPNProtocols: ['spdy/3'] }), '');
    assert.equal(await get(test.port, { ALPNProtocols: ['acme-tls/1'] }), '');
  });

  it('cuts plain text, garbage and silence, and lives', async () => {
    await using hasty = await TestListener.start({ tls: tlsMaterial([a]), limits: { headerTimeout: 150 } });
    for (const bytes of [Buffer.from(REQUEST), randomBytes(300), Buffer.from('16030100ff', 'hex'), Buffer.alloc(0)]) {
      assert.doesNotMatch(await hasty.send(bytes), /HTTP/);
    }
    await until(() => hasty.connections === 0);
    assert.equal(statusOf(await get(hasty.port)), 200);
  });

  it('an update serves another certificate, and keeps old connections', async () => {
    const old = await dial(test.port);
    test.listener.update(listenerOptions({ tls: tlsMaterial([b]) }));
    const fresh = await dial(test.port, { checkServerIdentity: () => undefined });
    assert.match(fresh.getPeerX509Certificate()?.subjectAltName ?? '', /b\.example/);
    fresh.destroy();
    old.write(REQUEST);
    assert.equal(statusOf(await readAll(old)), 200);
    assert.throws(
      () => test.listener.update(listenerOptions({ tls: tlsMaterial([{ ...a, key: b.key }]) })),
      /a\.example/,
    );
    assert.throws(() => test.listener.update(listenerOptions({ tls: tlsMaterial([]) })), /without a certificate/);
    test.listener.update(listenerOptions({ tls: tlsMaterial([a, b]) }));
    assert.equal(statusOf(await get(test.port)), 200);
  });
});

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

describe('a tls-alpn-01 challenge', () => {
  it('is answered with its certificate and nothing else, while others are served', async () => {
    const challenge = await ca.issue('new.example');
    const acmeAlpn = [{ domain: 'new.example', cert: challenge.cert, key: challenge.key }];
    await using test = await TestListener.start({ tls: tlsMaterial([a], { acmeAlpn }) });
    const options = { servername: 'new.example', ALPNProtocols: ['acme-tls/1'], checkServerIdentity: () => undefined };
    const socket = connect({ host: '127.0.0.1', port: test.port, ca: ca.cert, ...options });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    assert.equal(socket.alpnProtocol, 'acme-tls/1');
    assert.match(socket.getPeerX509Certificate()?.subjectAltName ?? '', /new\.example/);
    socket.write(REQUEST);
    assert.equal(await readAll(socket), '');
    assert.equal(test.exchanges.length, 0);

    assert.equal(await get(test.port, { ...options, servername: 'other.example' }), '');
    assert.equal(statusOf(await get(test.port)), 200);
    assert.equal(statusOf(await get(test.port, { ALPNProtocols: ['http/1.1'] })), 200);

    // A ClientHello in pieces is waited for; afterwards the listener takes no more of them.
    const slow = connectTcp(test.port, '127.0.0.1');
    const pieces = connect({ socket: slow, ca: ca.cert, servername: 'a.example' });
    pieces.on('error', () => undefined);
    await once(pieces, 'secureConnect');
    pieces.destroy();

    test.listener.update(listenerOptions({ tls: tlsMaterial([a]) }));
    assert.equal(await get(test.port, options), '');
  });
});
