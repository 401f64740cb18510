import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { Exchange } from '../exchange.ts';
import type { TlsMaterial } from './listener-options.ts';
import {
  Client,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  hpack,
  PING,
  RawClient,
  RST_STREAM,
  requestWith,
  SETTINGS,
  WINDOW_UPDATE,
} from './test-http2.ts';
import { echoTarget, makeCa, readAll, TestListener, type TestOptions, tlsMaterial, until } from './test-listener.ts';

let tls: TlsMaterial;
before(async () => {
  const ca = await makeCa();
  tls = tlsMaterial([await ca.issue('a.example', 'b.example')]);
});

const start = (options: TestOptions = {}, answer: (exchange: Exchange) => void | Promise<void> = echoTarget) =>
  TestListener.start({ tls, ...options }, answer);

describe('HTTP/2 under attack (attacks 24 and 25)', () => {
  async function othersAreServed(test: TestListener): Promise<void> {
    using client = new Client(test);
    assert.equal((await client.fetch()).status, 200);
  }

  it('rapid reset → GOAWAY', async () => {
    await using test = await start(
      { limits: { http2ResetBurst: 20, http2ResetsPerSecond: 1 } },
      () => new Promise(() => {}),
    );
    using client = await RawClient.connect(test);
    for (let stream = 1; stream < 400; stream += 2) {
      client.request(stream, requestWith({}));
      client.send(RST_STREAM, 0, stream, Buffer.from([0, 0, 0, 8]));
    }
    await client.goaway();
    await until(() => test.connections === 0);
    assert.ok(test.exchanges.length <= 25, `${test.exchanges.length} requests reached the road`);
  });

  it('resets that the client provokes (MadeYouReset) → GOAWAY', async () => {
    await using test = await start({ limits: { http2ResetBurst: 20, http2ResetsPerSecond: 1 } }, (exchange) =>
      exchange.target.path === '/x' ? new Promise(() => {}) : echoTarget(exchange),
    );
    using client = await RawClient.connect(test);
    for (let stream = 1; stream < 400 && client.socket.writable; stream += 2) {
      client.request(stream, requestWith({}));
      client.send(WINDOW_UPDATE, 0, stream, Buffer.alloc(4)); // an increment of 0 is a stream error
      if (stream % 20 === 1) await new Promise((resolve) => setImmediate(resolve));
    }
    await client.goaway();
    await until(() => test.connections === 0);
    assert.ok(test.exchanges.length < 100, `${test.exchanges.length} requests reached the road`);
    using other = new Client(test);
    assert.equal((await other.fetch({ ':path': '/y' })).status, 200);
  });

  it('an honest client may reset a few', async () => {
    await using test = await start({}, (exchange) =>
      exchange.target.path === '/wait' ? undefined : echoTarget(exchange),
    );
    using client = new Client(test);
    for (let count = 0; count < 30; count += 1) {
      const stream = client.session.request({ ':authority': 'a.example', ':path': '/wait' });
      stream.on('error', () => undefined);
      stream.close(constants.NGHTTP2_CANCEL);
      await once(stream, 'close');
    }
    assert.equal((await client.fetch()).status, 200);
  });

  for (const [what, type, payload] of [
    ['settings', SETTINGS, Buffer.from([0, 3, 0, 0, 0, 100])],
    ['ping', PING, Buffer.alloc(8)],
  ] as const) {
    it(`a ${what} flood by a client that takes no answers → the connection ends, others are served`, async () => {
      await using test = await start();
      using client = await RawClient.connect(test);
      client.socket.pause();
      const flood = Buffer.concat(Array.from({ length: 5000 }, () => frame(type, 0, 0, payload)));
      const closed = once(client.socket, 'close').catch(() => undefined);
      for (let round = 0; round < 200 && client.socket.writable && test.connections === 1; round += 1) {
        client.socket.write(flood);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await until(() => test.connections === 0);
      client.socket.resume();
      await closed;
      await othersAreServed(test);
    });
  }

  it('a CONTINUATION flood → the connection ends, others are served', async () => {
    await using test = await start();
    using client = await RawClient.connect(test);
    client.send(HEADERS, END_STREAM, 1, hpack(requestWith({})));
    for (let count = 0; count < 2000 && client.socket.writable; count += 1) {
      client.send(CONTINUATION, 0, 1, hpack([[`x-${count}`, 'a'.repeat(1000)]]));
      if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => test.connections === 0);
    assert.equal(test.exchanges.length, 0);
    await othersAreServed(test);
  });

  it('an abrupt close in the middle of HPACK → the process lives (CVE-2024-27983)', async () => {
    await using test = await start();
    for (let count = 0; count < 20; count += 1) {
      using client = await RawClient.connect(test);
      client.send(HEADERS, 0, 1, hpack(requestWith({})));
      client.send(CONTINUATION, 0, 1, hpack([['x-a', 'b']]).subarray(0, 3));
      client.socket.destroy();
    }
    await until(() => test.connections === 0);
    await othersAreServed(test);
  });

  it('frames that make no sense → the connection ends, others are served', async () => {
    await using test = await start();
    for (const send of [
      (client: RawClient) => client.send(DATA, 0, 0, Buffer.alloc(5)),
      (client: RawClient) => client.send(HEADERS, END_HEADERS, 2, hpack(requestWith({}))),
      (client: RawClient) => client.send(HEADERS, END_HEADERS, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
      (client: RawClient) => client.send(WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
      (client: RawClient) => client.socket.write(Buffer.alloc(100, 0xff)),
    ]) {
      using client = await RawClient.connect(test);
      send(client);
      await until(() => client.socket.destroyed);
    }
    await othersAreServed(test);
  });

  it('more streams at once than allowed are refused', async () => {
    await using test = await start({ limits: { http2Streams: 3 } }, () => new Promise(() => {}));
    using client = await RawClient.connect(test);
    await client.frame(({ type, flags }) => type === SETTINGS && flags === 1);
    client.send(SETTINGS, 1, 0);
    for (let stream = 1; stream < 20; stream += 2) client.request(stream, requestWith({}));
    await client.frame(({ type }) => type === RST_STREAM || type === GOAWAY);
    assert.equal(test.exchanges.length, 3);
  });

  it('an idle session is ended, and one that never says anything', async () => {
    await using test = await start({ limits: { idleTimeout: 150, headerTimeout: 150 } });
    using client = new Client(test);
    assert.equal((await client.fetch()).status, 200);
    await until(() => test.connections === 0);
    const silent = connectTls({
      host: '127.0.0.1',
      port: test.port,
      rejectUnauthorized: false,
      servername: 'a.example',
      ALPNProtocols: ['h2'],
    });
    await readAll(silent);
  });

  it('a body that stops arriving gets 408 (attack 27)', async () => {
    await using test = await start({ limits: { bodyIdleTimeout: 150 } }, (exchange) => {
      exchange.body?.resume();
    });
    using client = new Client(test);
    const stream = client.session.request({ ':method': 'POST', ':authority': 'a.example' });
    stream.on('error', () => undefined);
    stream.write('hel');
    const [headers] = await once(stream, 'response');
    assert.equal(headers[':status'], 408);
    assert.equal(test.last.aborted, true);
  });

  it('a reader that takes nothing is reset (attack 27)', async () => {
    await using test = await start({ limits: { writeIdleTimeout: 150 } }, (exchange) => {
      exchange.wire.head(200, []);
      for (let count = 0; count < 100; count += 1) exchange.wire.write(Buffer.alloc(16_384));
    });
    using client = new Client(test);
    const stream = client.session.request({ ':authority': 'a.example' });
    stream.on('error', () => undefined);
    stream.pause();
    await until(() => test.exchanges.length === 1 && test.last.aborted);
  });

  it('the last request of a connection is followed by GOAWAY', async () => {
    await using test = await start({ limits: { requestsPerConnection: 2 } });
    using client = new Client(test);
    assert.equal((await client.fetch()).status, 200);
    assert.equal((await client.fetch()).status, 200);
    await until(() => test.connections === 0);
  });
});
