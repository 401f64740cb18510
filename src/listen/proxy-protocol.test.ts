import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { readProxyHeader } from './proxy-protocol.ts';
import { makeCa, readAll, readUntil, statusOf, TestListener, tlsMaterial, until } from './test-listener.ts';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const REQUEST = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

function header(command: number, family: number, addresses: readonly number[], length = addresses.length): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.from([command, family, length >> 8, length & 255, ...addresses])]);
}

const TCP4 = header(0x21, 0x11, [192, 0, 2, 7, 10, 0, 0, 1, 0x10, 0, 1, 0xbb]);
const TCP6 = header(0x21, 0x21, [
  0x20,
  1,
  0xd,
  0xb8,
  ...new Array<number>(11).fill(0),
  7,
  ...new Array<number>(20).fill(0),
]);
const MAPPED = header(0x21, 0x21, [
  ...new Array<number>(10).fill(0),
  255,
  255,
  192,
  0,
  2,
  9,
  ...new Array<number>(20).fill(0),
]);
const LOCAL = header(0x20, 0, []);
const WITH_EXTENSIONS = header(0x21, 0x11, [192, 0, 2, 7, 10, 0, 0, 1, 0x10, 0, 1, 0xbb, 4, 0, 3, 1, 2, 3]);

describe('readProxyHeader', () => {
  it('reads addresses of both families, and skips extensions', () => {
    assert.deepEqual(readProxyHeader(TCP4), { length: 28, source: '192.0.2.7' });
    assert.deepEqual(readProxyHeader(TCP6), { length: 52, source: '2001:db8::7' });
    assert.deepEqual(readProxyHeader(MAPPED), { length: 52, source: '192.0.2.9' });
    assert.deepEqual(readProxyHeader(WITH_EXTENSIONS), { length: 34, source: '192.0.2.7' });
    assert.deepEqual(readProxyHeader(LOCAL), { length: 16, source: undefined });
  });

  it('asks for more on each part of a header', () => {
    for (const whole of [TCP4, TCP6, WITH_EXTENSIONS, LOCAL]) {
      for (let length = 0; length < whole.length; length += 1)
        assert.equal(readProxyHeader(whole.subarray(0, length)), 'need-more');
    }
  });

  // biome-ignore format: aligned on purpose, one case a row
  const refused = [
    ['version 1',                 Buffer.from('PROXY TCP4 192.0.2.7 10.0.0.1 4096 443\r\n')],
    ['HTTP',                      Buffer.from('GET ')],
    ['another version',           header(0x11, 0x11, [192, 0, 2, 7, 10, 0, 0, 1, 0, 1, 0, 2])],
    ['an unknown command',        header(0x22, 0x11, [192, 0, 2, 7, 10, 0, 0, 1, 0, 1, 0, 2])],
    ['an unknown source',         header(0x21, 0x00, [])],
    ['datagrams',                 header(0x21, 0x12, [192, 0, 2, 7, 10, 0, 0, 1, 0, 1, 0, 2])],
    ['a Unix socket',             header(0x21, 0x31, new Array<number>(216).fill(1))],
    ['too few bytes of address',  header(0x21, 0x11, [192, 0, 2, 7])],
    ['IPv6 in the room of IPv4',  header(0x21, 0x21, [192, 0, 2, 7, 10, 0, 0, 1, 0, 1, 0, 2])],
    ['a header of 64 KiB',        header(0x21, 0x11, [192, 0, 2, 7], 65_535)],
  ] as const;
  for (const [why, bytes] of refused) it(`refuses ${why}`, () => assert.equal(readProxyHeader(bytes), 'refuse'));

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => {
        readProxyHeader(noise);
        readProxyHeader(Buffer.concat([SIGNATURE, noise]));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the PROXY protocol on a listener', () => {
  it('gives the address of the client, also where the header comes in pieces or with the request', async () => {
    await using test = await TestListener.start({ proxyProtocol: { trusted: ['127.0.0.1'] } });
    assert.equal(statusOf(await test.send(Buffer.concat([TCP4, Buffer.from(REQUEST)]))), 200);
    assert.equal(test.last.clientAddress, '192.0.2.7');
    assert.equal(test.last.peerAddress, '127.0.0.1');

    const socket = await test.connect();
    socket.setNoDelay();
    for (const byte of TCP6) {
      socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.write(REQUEST.replace('Connection: close\r\n', ''));
    await readUntil(socket, /\/x/);
    socket.write(REQUEST);
    await readAll(socket);
    assert.equal(test.last.clientAddress, '2001:db8::7');
    assert.equal(test.exchanges.length, 3);
  });

  it('is required of trusted peers', async () => {
    await using test = await TestListener.start({
      proxyProtocol: { trusted: ['127.0.0.1'] },
      limits: { headerTimeout: 150 },
    });
    assert.equal(await test.send(REQUEST), '');
    assert.equal(await test.send(`PROXY TCP4 192.0.2.7 10.0.0.1 4096 443\r\n${REQUEST}`), '');
    assert.equal(await test.send(TCP4.subarray(0, 20)), ''); // until the deadline
    assert.equal(test.exchanges.length, 0);
    assert.equal(statusOf(await test.send(Buffer.concat([LOCAL, Buffer.from(REQUEST)]))), 200);
    assert.equal(test.last.clientAddress, '127.0.0.1');
  });

  it('is not read from anybody else', async () => {
    await using test = await TestListener.start({ proxyProtocol: { trusted: ['10.0.0.0/8'] } });
    assert.ok(statusOf(await test.send(Buffer.concat([TCP4, Buffer.from(REQUEST)]))) >= 400);
    assert.equal(test.exchanges.length, 0);
    assert.equal(statusOf(await test.send(REQUEST)), 200);
    assert.equal(test.last.clientAddress, '127.0.0.1');
  });

  it('feeds the address rules, the count of connections and the trust in proxies', async () => {
    await using denied = await TestListener.start({
      proxyProtocol: { trusted: ['127.0.0.1'] },
      deny: ['192.0.2.0/24'],
    });
    assert.equal(await denied.send(Buffer.concat([TCP4, Buffer.from(REQUEST)])), '');
    await using counted = await TestListener.start({
      proxyProtocol: { trusted: ['127.0.0.1'] },
      limits: { connectionsPerAddress: 1 },
    });
    const first = await counted.connect();
    first.write(TCP4);
    await until(() => counted.connections === 1);
    assert.equal(await counted.send(Buffer.concat([TCP4, Buffer.from(REQUEST)])), '');
    assert.equal(statusOf(await counted.send(Buffer.concat([TCP6, Buffer.from(REQUEST)]))), 200);
    await using trusted = await TestListener.start({
      proxyProtocol: { trusted: ['127.0.0.1'] },
      trustedProxies: ['192.0.2.7'],
    });
    const forwarded = REQUEST.replace('\r\n\r\n', '\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n');
    await trusted.send(Buffer.concat([TCP4, Buffer.from(forwarded)]));
    assert.equal(trusted.last.clientAddress, '198.51.100.1');
    await trusted.send(Buffer.concat([LOCAL, Buffer.from(forwarded)]));
    assert.equal(trusted.last.clientAddress, '127.0.0.1');
  });

  it('goes before TLS', async () => {
    const ca = await makeCa();
    const pair = await ca.issue('a.example');
    const acmeAlpn = [{ domain: 'a.example', cert: pair.cert, key: pair.key }]; // makes the listener look at the ClientHello too
    await using test = await TestListener.start({
      proxyProtocol: { trusted: ['127.0.0.1'] },
      tls: tlsMaterial([pair], { acmeAlpn }),
    });
    const socket = connect(test.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(TCP4);
    const tls = connectTls({ socket, ca: ca.cert, servername: 'a.example' });
    await once(tls, 'secureConnect');
    tls.write(REQUEST);
    assert.equal(statusOf(await readAll(tls)), 200);
    assert.equal(test.last.clientAddress, '192.0.2.7');
  });
});
