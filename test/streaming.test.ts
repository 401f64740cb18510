import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { askGateway, type ReloadOutcome } from '../src/process/control-socket.ts';
import { freePort, startGateway, type TestGateway } from './support/gateway.ts';
import { ask, oneConnection, openCall, replyTo, textOf } from './support/http-client.ts';
import { forgetPeak, residentMemory } from './support/process-memory.ts';
import { sendRaw } from './support/raw-client.ts';
import {
  count,
  newTally,
  type StreamUpstream,
  sendFile,
  startStreamUpstream,
  type Tally,
  tallyOf,
} from './support/stream-upstream.ts';
import { until } from './support/until.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** What the gateway may hold while a file of any size passes. */
const MEMORY_LIMIT_MIB = 300;
/** SALLYPORT_LONG=1 keeps the streams that outlive reloads open for ten minutes. */
const STREAMS_LIVE_MS = process.env['SALLYPORT_LONG'] === '1' ? 600_000 : 3_000;

describe('streaming', { timeout: STREAMS_LIVE_MS + 120_000 }, () => {
  let upstream: StreamUpstream;
  let gateway: TestGateway;
  let port: number;
  let tlsPort: number;
  let ca: string;
  let file: Tally;

  before(async () => {
    upstream = await startStreamUpstream();
    port = await freePort();
    tlsPort = await freePort();
    gateway = await startGateway(config(64));
    ca = await readFile(join(gateway.directory, '.sallyport/dev-ca/ca.pem'), 'utf8');
    file = tallyOf(GIB);
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  /** `connections` of the upstream: another number is another upstream, whose predecessor is retired. */
  function config(connections: number): string {
    return `
listeners:
  - { name: plain, address: 127.0.0.1:${port}, tls: none }
  - { name: secure, address: 127.0.0.1:${tlsPort} }
workers: 1
drain: 2s
upstreams: { streams: { targets: ['${upstream.url}'], connections: ${connections} } }
apis:
  - name: files
    upstream: streams
    authenticate: none
    requestLimits: { bodyBytes: 2GiB }
  - { name: small, path: /small, rewrite: /, upstream: streams, authenticate: none, requestLimits: { bodyBytes: 1MiB } }
`;
  }

  describe('a file of 1 GiB', () => {
    for (const framing of ['length', 'chunked'] as const) {
      it(`is uploaded whole in bounded memory (${framing})`, async () => {
        forgetPeak(gateway.process.pid);
        const headers = framing === 'length' ? { 'Content-Length': String(GIB) } : { 'Transfer-Encoding': 'chunked' };
        const call = openCall({ port, path: '/upload', method: 'POST', headers });
        const reply = replyTo(call);
        await sendFile(call, GIB);
        call.end();
        const received = JSON.parse(await textOf(await reply));
        assert.deepEqual(received, { ...file, framing: framing === 'length' ? String(GIB) : 'chunked' });
        assert.ok(
          residentMemory(gateway.process.pid).peak < MEMORY_LIMIT_MIB,
          `${residentMemory(gateway.process.pid).peak} MiB`,
        );
      });

      it(`is downloaded whole in bounded memory (${framing})`, async () => {
        forgetPeak(gateway.process.pid);
        const call = openCall({ port, path: `/download?bytes=${GIB}${framing === 'length' ? '&length' : ''}` });
        call.end();
        const reply = await replyTo(call);
        assert.equal(reply.headers['content-length'], framing === 'length' ? String(GIB) : undefined);
        assert.deepEqual(await tallyStream(reply), file);
        assert.ok(
          residentMemory(gateway.process.pid).peak < MEMORY_LIMIT_MIB,
          `${residentMemory(gateway.process.pid).peak} MiB`,
        );
      });
    }
  });

  describe('over HTTP/2 and TLS', () => {
    let session: ClientHttp2Session;
    before(async () => {
      session = connectHttp2(`https://localhost:${tlsPort}`, { ca });
      await once(session, 'connect');
      session.setLocalWindowSize(16 * MIB); // else one stream that is not read would use up the connection's window
    });
    after(() => session.close());

    it('64 MiB are uploaded whole in bounded memory', async () => {
      forgetPeak(gateway.process.pid);
      const stream = session.request({ ':path': '/upload', ':method': 'POST' });
      await sendFile(stream, 64 * MIB);
      stream.end();
      const received = JSON.parse(await textOfStream(stream));
      assert.deepEqual(received, { ...tallyOf(64 * MIB), framing: 'chunked' });
      assert.ok(residentMemory(gateway.process.pid).peak < MEMORY_LIMIT_MIB);
    });

    it('64 MiB are downloaded whole in bounded memory', async () => {
      forgetPeak(gateway.process.pid);
      const stream = session.request({ ':path': `/download?bytes=${64 * MIB}&length` });
      const [headers] = await once(stream, 'response');
      assert.equal(headers['content-length'], String(64 * MIB));
      assert.deepEqual(await tallyStream(stream), tallyOf(64 * MIB));
      assert.ok(residentMemory(gateway.process.pid).peak < MEMORY_LIMIT_MIB);
    });

    it('parts go both ways while both directions are open', async () => {
      const stream = session.request({ ':path': '/duplex', ':method': 'POST' });
      await converse(stream, stream, once(stream, 'response'));
    });

    it('events arrive one by one', async () => {
      const stream = session.request({ ':path': '/events' });
      stream.setEncoding('utf8');
      await takeEvents(stream, 5);
      stream.close();
      await once(stream, 'close');
    });

    it('trailers go both ways', async () => {
      const stream = session.request({ ':path': '/trailers', ':method': 'POST' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'of-the-request' }));
      const trailers = once(stream, 'trailers');
      stream.end('body');
      assert.equal(await textOfStream(stream), 'body');
      const [fields] = await trailers;
      assert.equal(fields['x-checksum'], 'of-the-reply');
      assert.equal(fields['x-seen'], 'of-the-request');
    });

    it('HEAD has the length of the body it leaves out', async () => {
      const stream = session.request({ ':path': '/download?bytes=1000&length', ':method': 'HEAD' });
      const [headers] = await once(stream, 'response');
      assert.equal(headers['content-length'], '1000');
      assert.equal(await textOfStream(stream), '');
    });

    it('a slow reader makes the upstream wait, and others on the connection are served meanwhile', async () => {
      const before = upstream.offered.bytes;
      const stream = session.request({ ':path': `/download?bytes=${GIB}` });
      await once(stream, 'response');
      await standsStill(() => upstream.offered.bytes);
      assert.ok(
        upstream.offered.bytes - before < 64 * MIB,
        `${upstream.offered.bytes - before} bytes were taken from the upstream`,
      );
      const other = session.request({ ':path': '/download?bytes=10' });
      assert.equal((await tallyStream(other)).bytes, 10);
      stream.close(constants.NGHTTP2_CANCEL);
      await until('the upstream connection to be freed', async () => (await activeConnections()) === 0);
    });
  });

  it('parts go both ways while both directions are open', async () => {
    const call = openCall({ port, path: '/duplex', method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } });
    const reply = replyTo(call);
    await converse(call, reply, reply);
  });

  it('events arrive one by one while the stream is open', async () => {
    const call = openCall({ port, path: '/events' });
    call.end();
    const reply = await replyTo(call);
    assert.equal(reply.headers['content-type'], 'text/event-stream');
    assert.equal(reply.headers['content-length'], undefined);
    reply.setEncoding('utf8');
    await takeEvents(reply, 5);
    reply.destroy();
    await until('the upstream to be told', async () => (await activeConnections()) === 0);
  });

  it('trailers go both ways', async () => {
    const headers = { 'Transfer-Encoding': 'chunked', Trailer: 'X-Checksum' };
    const call = openCall({ port, path: '/trailers', method: 'POST', headers: { ...headers, TE: 'trailers' } });
    const sent = replyTo(call);
    call.write('body');
    call.addTrailers({ 'X-Checksum': 'of-the-request' });
    call.end();
    const reply = await sent;
    assert.equal(await textOf(reply), 'body');
    assert.equal(reply.trailers['x-checksum'], 'of-the-reply');
    assert.equal(reply.trailers['x-seen'], 'of-the-request');
  });

  describe('Expect: 100-continue', () => {
    it('is answered before the body is sent', async () => {
      const call = openCall({
        port,
        path: '/upload',
        method: 'POST',
        headers: { Expect: '100-continue', 'Content-Length': '5' },
      });
      const reply = replyTo(call);
      call.flushHeaders();
      await once(call, 'continue');
      call.end('hello');
      assert.equal(JSON.parse(await textOf(await reply)).bytes, 5);
      assert.equal(upstream.uploads.at(-1)?.headers.expect, undefined);
    });

    it('is not answered with 100 where the body would be refused', async () => {
      const before = upstream.uploads.length;
      const request = `POST /small/upload HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ${2 * MIB}\r\n\r\n`;
      const reply = await sendRaw({ port }, request);
      assert.equal(reply.status, 413);
      assert.equal(reply.text.includes('100 Continue'), false);
      assert.equal(upstream.uploads.length, before);
    });
  });

  it('HEAD has the length of the body it leaves out, and the connection goes on', async () => {
    const agent = oneConnection();
    const reply = await ask({ port, path: '/download?bytes=1000&length', method: 'HEAD', agent });
    assert.deepEqual([reply.status, reply.headers['content-length'], reply.body], [200, '1000', '']);
    assert.equal((await ask({ port, path: '/slow?ms=0', agent })).body, 'at last');
    agent.destroy();
  });

  describe('a body that grows beyond its limit', () => {
    for (const framing of ['length', 'chunked'] as const) {
      it(`is refused (413) and the upstream gets no whole request (${framing})`, async () => {
        const before = upstream.uploads.length;
        const headers =
          framing === 'length' ? { 'Content-Length': String(8 * MIB) } : { 'Transfer-Encoding': 'chunked' };
        const call = openCall({ port, path: '/small/upload', method: 'POST', headers });
        const replied = replyTo(call);
        void sendFile(call, 8 * MIB).catch(() => undefined);
        const reply = await replied;
        assert.equal(reply.statusCode, 413);
        assert.equal(JSON.parse(await textOf(reply)).code, 'body-too-large');
        call.destroy();
        await until('the upstream to see the end', () =>
          upstream.uploads.slice(before).every((upload) => upload.closed),
        );
        assert.deepEqual(
          upstream.uploads.slice(before).filter((upload) => upload.complete),
          [],
        );
      });
    }

    it('of exactly the limit passes', async () => {
      const call = openCall({
        port,
        path: '/small/upload',
        method: 'POST',
        headers: { 'Transfer-Encoding': 'chunked' },
      });
      const replied = replyTo(call);
      await sendFile(call, MIB);
      call.end();
      assert.equal(JSON.parse(await textOf(await replied)).bytes, MIB);
    });
  });

  describe('a client that goes away', () => {
    it('in the middle of an upload frees the upstream, which sees no whole request', async () => {
      const before = upstream.uploads.length;
      const call = openCall({ port, path: '/upload', method: 'POST', headers: { 'Content-Length': String(64 * MIB) } });
      await sendFile(call, MIB);
      await until('the upload to begin', () => (upstream.uploads[before]?.bytes ?? 0) > 0);
      call.destroy();
      await until('the upload to be cut', () => upstream.uploads[before]?.closed);
      assert.equal(upstream.uploads[before]?.complete, false);
      await until('the connection to be freed', async () => (await activeConnections()) === 0);
    });

    it('in the middle of a download frees the upstream', async () => {
      const call = openCall({ port, path: `/download?bytes=${GIB}` });
      call.end();
      const reply = await replyTo(call);
      await once(reply, 'data');
      reply.destroy();
      await until('the connection to be freed', async () => (await activeConnections()) === 0);
      const offered = upstream.offered.bytes;
      await delay(100);
      assert.equal(upstream.offered.bytes, offered, 'the upstream sends no more');
    });
  });

  it('a slow reader makes the upstream wait, in flat memory', async () => {
    const before = upstream.offered.bytes;
    const resident = residentMemory(gateway.process.pid).now;
    forgetPeak(gateway.process.pid);
    const socket = connect(port, '127.0.0.1').pause();
    socket.write(`GET /download?bytes=${GIB} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    await standsStill(() => upstream.offered.bytes);
    const taken = upstream.offered.bytes - before;
    assert.ok(taken > 0 && taken < 64 * MIB, `${taken} bytes were taken from the upstream`);
    assert.ok(residentMemory(gateway.process.pid).peak - resident < 64, 'memory stays flat');

    // Once it reads, it goes on.
    let read = 0;
    socket.on('data', (part: Buffer) => {
      read += part.length;
      if (read > 128 * MIB) socket.destroy();
    });
    socket.resume();
    await once(socket, 'close');
    assert.ok(read > 128 * MIB);
    await until('the connection to be freed', async () => (await activeConnections()) === 0);
  });

  it('a slow upstream makes the client wait', async () => {
    const lazy = await startLazyServer();
    try {
      await gateway.write(config(64).replaceAll(upstream.url, lazy.url));
      assert.equal((await reload()).ok, true);
      forgetPeak(gateway.process.pid);
      const resident = residentMemory(gateway.process.pid).now;
      const sent = newTally();
      const call = openCall({ port, path: '/upload', method: 'POST', headers: { 'Content-Length': String(GIB) } });
      void sendFile(call, GIB, sent).catch(() => undefined);
      await standsStill(() => sent.bytes);
      assert.ok(sent.bytes > 0 && sent.bytes < 64 * MIB, `${sent.bytes} bytes were taken from the client`);
      assert.ok(residentMemory(gateway.process.pid).peak - resident < 64, 'memory stays flat');
      call.destroy();
    } finally {
      await gateway.write(config(64));
      await reload();
      lazy.close();
    }
  });

  describe('WebSocket', () => {
    for (const scheme of ['ws', 'wss'] as const) {
      it(`${scheme}: texts, binary and messages of 1 MiB come back`, async () => {
        const socket = await openWebSocket(scheme);
        assert.equal(String(await say(socket, 'hello')), 'hello');
        assert.deepEqual(await say(socket, Buffer.from([0, 255, 1, 254])), Buffer.from([0, 255, 1, 254]));
        const block = Buffer.alloc(MIB, 'sallyport');
        assert.deepEqual(await say(socket, block), block);
        socket.ping('are you there');
        const [pong] = await once(socket, 'pong');
        assert.equal(String(pong), 'are you there');
        socket.close();
        await once(socket, 'close');
      });

      it(`${scheme}: codes and reasons of a close pass`, async () => {
        const socket = await openWebSocket(scheme);
        socket.close(4001, 'enough');
        const [code, reason] = await once(socket, 'close');
        assert.deepEqual([code, String(reason)], [4001, 'enough']); // the upstream's answer repeats them
        await until('the upstream connection to be freed', async () => (await activeConnections()) === 0);
      });
    }

    it('a client that vanishes frees the upstream', async () => {
      const socket = await openWebSocket('ws');
      socket.terminate();
      await until('the upstream connection to be freed', async () => (await activeConnections()) === 0);
    });
  });

  it(`an event stream and a WebSocket outlive reloads for ${STREAMS_LIVE_MS / 1000} s`, async () => {
    const call = openCall({ port, path: '/events' });
    call.end();
    const events = await replyTo(call);
    let text = '';
    let broken: string | undefined;
    events.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    events.on('close', () => {
      broken = 'the event stream ended';
    });
    const sockets = [await openWebSocket('ws'), await openWebSocket('wss')];
    const end = Date.now() + STREAMS_LIVE_MS;
    // Each reload retires the upstream the streams run on, and the drain time of the first passes.
    for (let connections = 65; Date.now() < end; connections += 1) {
      await gateway.write(config(connections));
      assert.equal((await reload()).ok, true);
      for (const socket of sockets)
        assert.equal(String(await say(socket, `after ${connections}`)), `after ${connections}`);
      await delay(Math.min(500, STREAMS_LIVE_MS / 6));
    }
    assert.equal(broken, undefined);
    const numbers = [...text.matchAll(/^data: event (\d+)$/gm)].map((match) => Number(match[1]));
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index),
      'no event is missing or doubled',
    );
    assert.ok(numbers.length > STREAMS_LIVE_MS / 200, `${numbers.length} events`);
    events.destroy();
    for (const socket of sockets) {
      socket.close();
      await once(socket, 'close');
    }
  });

  function reload(): Promise<ReloadOutcome> {
    return askGateway<ReloadOutcome>(join(gateway.directory, '.sallyport'), 'POST', '/reload');
  }

  /** Upstream connections with a request on them: the gateway keeps the others for four seconds at most. */
  async function activeConnections(): Promise<number> {
    upstream.server.closeIdleConnections();
    return await upstream.connections();
  }

  async function openWebSocket(scheme: 'ws' | 'wss'): Promise<WebSocket> {
    const url = scheme === 'ws' ? `ws://127.0.0.1:${port}/echo` : `wss://localhost:${tlsPort}/echo`;
    const socket = new WebSocket(url, { ca, perMessageDeflate: false });
    await once(socket, 'open');
    return socket;
  }
});

async function say(socket: WebSocket, message: string | Buffer): Promise<unknown> {
  const answer = once(socket, 'message');
  socket.send(message);
  const [data, isBinary] = await answer;
  assert.equal(isBinary, Buffer.isBuffer(message));
  return data;
}

/** Says three things, each only after the one before came back: neither side may wait for the other's end. */
async function converse(
  to: Writable,
  from: Readable | Promise<IncomingMessage>,
  head: Promise<unknown>,
): Promise<void> {
  to.write('part 0;');
  await head;
  const reply: Readable = await from;
  let text = '';
  reply.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  for (let part = 1; part < 4; part += 1) {
    await until(`part ${part - 1} to come back`, () => text.endsWith(`part ${part - 1};`));
    to.write(`part ${part};`);
  }
  to.end();
  await once(reply, 'end');
  assert.equal(text, 'part 0;part 1;part 2;part 3;');
}

/** Waits for that many events; they come at a pace of one each 50 ms, so more than two at once were held back. */
async function takeEvents(stream: Readable, number: number): Promise<void> {
  let taken = 0;
  for (; taken < number; ) {
    const [part]: string[] = await once(stream, 'data');
    const events = [...(part ?? '').matchAll(/data: event (\d+)\n\n/g)].map((match) => Number(match[1]));
    assert.deepEqual(
      events,
      events.map((_, index) => taken + index),
    );
    taken += events.length;
  }
}

async function tallyStream(stream: Readable): Promise<Tally> {
  const tally = newTally();
  for await (const part of stream) count(tally, Buffer.from(part as Uint8Array)); // no encoding was set
  return tally;
}

async function textOfStream(stream: Readable): Promise<string> {
  let text = '';
  for await (const part of stream.setEncoding('utf8')) text += part;
  return text;
}

/** Resolves when a count has been the same for a second. */
async function standsStill(read: () => number): Promise<void> {
  let before = -1;
  await until('the flow to stand still', async () => {
    const now = read();
    const same = now > 0 && now === before;
    before = now;
    if (!same) await delay(1_000);
    return same;
  });
}

/** Accepts connections and never reads. */
async function startLazyServer(): Promise<{ url: string; close(): void }> {
  const { createServer } = await import('node:net');
  const open = new Set<import('node:net').Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    open.add(socket.on('error', () => {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}
