import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import type { TestGateway } from './support/gateway.ts';
import { headerBlock } from './support/hpack.ts';
import {
  dataFrame,
  FRAME,
  frame,
  headersFrame,
  openHttp2,
  type RawHttp2,
  requestFields,
  resetFrame,
} from './support/http2-frames.ts';
import { forgetPeak, residentMemory } from './support/process-memory.ts';
import { converse, standsStill, takeEvents, tallyStream, textOfStream } from './support/stream-checks.ts';
import { type StreamUpstream, sendFile, tallyOf } from './support/stream-upstream.ts';
import { type StreamingGateway, startStreamingGateway } from './support/streaming-gateway.ts';
import { until } from './support/until.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** What the gateway may hold while a file of any size passes. */
const MEMORY_LIMIT_MIB = 300;

describe('streaming over HTTP/2 and TLS', { timeout: 60_000 }, () => {
  let stage: StreamingGateway;
  let upstream: StreamUpstream;
  let session: ClientHttp2Session;
  let gateway: TestGateway;
  let tlsPort: number;

  before(async () => {
    stage = await startStreamingGateway();
    ({ upstream, gateway, tlsPort } = stage);
    session = connectHttp2(`https://localhost:${tlsPort}`, { ca: stage.ca });
    await once(session, 'connect');
    session.setLocalWindowSize(16 * MIB); // else one stream that is not read would use up the connection's window
  });

  after(async () => {
    session?.destroy();
    await stage?.close();
  });

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
    await until('the upstream connection to be freed', async () => (await stage.activeConnections()) === 0);
  });

  describe('an upload that breaks off in its middle never looks complete to the upstream', () => {
    // A reset without an error is one all the same: only END_STREAM ends a request (RFC 9113 §8.1).
    for (const [how, breakOff] of [
      ['reset with NO_ERROR', (client: RawHttp2) => void client.write(resetFrame(1, constants.NGHTTP2_NO_ERROR))],
      ['reset with CANCEL', (client: RawHttp2) => void client.write(resetFrame(1, constants.NGHTTP2_CANCEL))],
      [
        'GOAWAY and the end of the connection',
        (client: RawHttp2) => {
          client.write(frame(FRAME.goAway, 0, 0, Buffer.alloc(8)));
          client.socket.end();
        },
      ],
      ['the end of the connection', (client: RawHttp2) => void client.socket.end()],
      ['a reset of the connection', (client: RawHttp2) => void client.tcp.resetAndDestroy()],
    ] as const) {
      it(how, async () => {
        const number = upstream.uploads.length;
        const client = await openHttp2({ port: tlsPort, ca: stage.ca });
        client.write(headersFrame(1, headerBlock(requestFields('/upload', 'POST')), { endStream: false }));
        client.write(dataFrame(1, Buffer.alloc(1000), { endStream: false }));
        await until('the upload to begin', () => upstream.uploads[number]?.bytes === 1000);
        breakOff(client);
        await until('the upload to be cut', () => upstream.uploads[number]?.closed);
        assert.equal(upstream.uploads[number]?.complete, false);
        await until('the connection to be freed', async () => (await stage.activeConnections()) === 0);
        client.close();
      });
    }
  });
});
