import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { TestGateway } from './support/gateway.ts';
import { openCall, replyTo } from './support/http-client.ts';
import { type StreamingGateway, startStreamingGateway } from './support/streaming-gateway.ts';
import { until } from './support/until.ts';

const MIB = 1024 * 1024;
/** SALLYPORT_LONG=1 keeps the streams that outlive reloads open for ten minutes. */
const STREAMS_LIVE_MS = process.env['SALLYPORT_LONG'] === '1' ? 600_000 : 3_000;

describe('WebSocket', { timeout: STREAMS_LIVE_MS + 60_000 }, () => {
  let stage: StreamingGateway;
  let gateway: TestGateway;
  let port: number;

  before(async () => {
    stage = await startStreamingGateway();
    ({ gateway, port } = stage);
  });

  after(() => stage?.close());

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
      await until('the upstream connection to be freed', async () => (await stage.activeConnections()) === 0);
    });
  }

  it('a client that vanishes frees the upstream', async () => {
    const socket = await openWebSocket('ws');
    socket.terminate();
    await until('the upstream connection to be freed', async () => (await stage.activeConnections()) === 0);
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
      await gateway.write(stage.config(connections));
      assert.equal((await stage.reload()).ok, true);
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

  async function openWebSocket(scheme: 'ws' | 'wss'): Promise<WebSocket> {
    const url = scheme === 'ws' ? `ws://127.0.0.1:${port}/echo` : `wss://localhost:${stage.tlsPort}/echo`;
    const socket = new WebSocket(url, { ca: stage.ca, perMessageDeflate: false });
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
