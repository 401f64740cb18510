import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestGateway } from './support/gateway.ts';
import { ask, oneConnection, openCall, replyTo, textOf } from './support/http-client.ts';
import { forgetPeak, residentMemory } from './support/process-memory.ts';
import { sendRaw } from './support/raw-client.ts';
import { converse, standsStill, takeEvents, tallyStream } from './support/stream-checks.ts';
import { newTally, type StreamUpstream, sendFile, tallyOf } from './support/stream-upstream.ts';
import { type StreamingGateway, startStreamingGateway } from './support/streaming-gateway.ts';
import { until } from './support/until.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** What the gateway may hold while a file of any size passes. */
const MEMORY_LIMIT_MIB = 300;

describe('streaming', { timeout: 120_000 }, () => {
  let stage: StreamingGateway;
  let upstream: StreamUpstream;
  let gateway: TestGateway;
  let port: number;

  before(async () => {
    stage = await startStreamingGateway();
    ({ upstream, gateway, port } = stage);
  });

  after(() => stage?.close());

  describe('a file of 1 GiB', () => {
    const file = tallyOf(GIB);

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
    await until('the upstream to be told', async () => (await stage.activeConnections()) === 0);
  });

  it('the head of a stream that is silent arrives at once', async () => {
    const call = openCall({ port, path: '/silent' });
    call.end();
    const reply = await replyTo(call);
    assert.equal(reply.headers['content-type'], 'text/event-stream');
    reply.destroy();
    await until('the upstream to be told', async () => (await stage.activeConnections()) === 0);
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
      await until('the connection to be freed', async () => (await stage.activeConnections()) === 0);
    });

    for (const [how, breakOff] of [
      ['ends the connection', (socket: Socket) => void socket.end()],
      ['resets the connection', (socket: Socket) => void socket.resetAndDestroy()],
    ] as const) {
      it(`in the middle of a chunked upload and ${how} never completes it`, async () => {
        const before = upstream.uploads.length;
        const socket = connect(port, '127.0.0.1').on('error', () => {});
        socket.resume();
        socket.write('POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
        await until('the upload to begin', () => upstream.uploads[before]?.bytes === 5);
        breakOff(socket);
        await until('the upload to be cut', () => upstream.uploads[before]?.closed);
        assert.equal(upstream.uploads[before]?.complete, false);
        await until('the connection to be freed', async () => (await stage.activeConnections()) === 0);
      });
    }

    it('in the middle of a download frees the upstream', async () => {
      const call = openCall({ port, path: `/download?bytes=${GIB}` });
      call.end();
      const reply = await replyTo(call);
      await once(reply, 'data');
      reply.destroy();
      await until('the connection to be freed', async () => (await stage.activeConnections()) === 0);
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
    await until('the connection to be freed', async () => (await stage.activeConnections()) === 0);
  });

  it('a slow upstream makes the client wait', async () => {
    const lazy = await startLazyServer();
    try {
      await gateway.write(stage.config(64).replaceAll(upstream.url, lazy.url));
      assert.equal((await stage.reload()).ok, true);
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
      await gateway.write(stage.config(64));
      await stage.reload();
      lazy.close();
    }
  });
});

/** Accepts connections and never reads. */
async function startLazyServer(): Promise<{ url: string; close(): void }> {
  const open = new Set<Socket>();
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
