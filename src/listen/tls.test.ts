import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { TlsMaterial } from './listener-options.ts';
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
before(async () => {
  ca = await makeCa();
  a = await ca.issue('a.example', '127.0.0.1');
  b = await ca.issue('b.example', '*.b.example');
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
