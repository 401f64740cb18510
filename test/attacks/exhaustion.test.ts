import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { freePort, startGateway, type TestGateway } from '../support/gateway.ts';
import { assertAlive, devCaOf, underAttack } from '../support/gateway-under-attack.ts';
import {
  dataFrame,
  FRAME,
  frame,
  type Http2Target,
  headerBlock,
  headersFrame,
  indexedLiteral,
  openHttp2,
  openSilent,
  PREFACE,
  priorityFrame,
  type RawHttp2,
  requestFields,
  resetFrame,
  settingsFrame,
  windowUpdateFrame,
} from '../support/http2-frames.ts';
import { head, sendRaw } from '../support/raw-client.ts';
import { residentMiB } from '../support/resident-memory.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

/** Nothing here may hold more than this, in MiB: a young generation of garbage, and no part of what the attack sent. */
const FLAT = 160;

/** Attack cases 24, 25, 27, 28 and 30: who takes all he can get is cut off, and nobody else notices. */
describe('attacks by exhaustion', () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let h2: Http2Target;
  let slow: number;
  let few: number;
  let counted: number;
  let wide: number;
  /** Replies of 64 MiB that the upstream was stopped from writing to their end. */
  let cutReplies = 0;

  before(async () => {
    upstream = await startUpstream((request, response, seen) => {
      if (seen.target.endsWith('/large')) {
        response.on('close', () => {
          if (!response.writableFinished) cutReplies += 1;
        });
        response.writeHead(200, { 'Content-Length': LARGE.length });
        response.end(LARGE);
        return;
      }
      const body = JSON.stringify({ target: seen.target, length: seen.body.length });
      response.writeHead(200, { 'Content-Length': body.length });
      response.end(request.method === 'HEAD' ? undefined : body);
    });
    const ports = { h2: await freePort(), slow: await freePort(), few: await freePort(), counted: await freePort(), wide: await freePort() };
    ({ slow, few, counted, wide } = ports);
    gateway = await startGateway(`
listeners:
  - { name: h2, address: 127.0.0.1:${ports.h2}, limits: { headerTimeout: 1500ms, idleTimeout: 2s, connectionsPerAddress: 3000, bodyIdleTimeout: 1s, writeIdleTimeout: 1s } }
  - { name: slow, address: 127.0.0.1:${slow}, tls: none, limits: { headerTimeout: 1s, idleTimeout: 1s, bodyIdleTimeout: 1s, writeIdleTimeout: 1s } }
  - { name: few, address: 127.0.0.1:${few}, tls: none, limits: { connections: 8, connectionsPerAddress: 5 } }
  - { name: counted, address: 127.0.0.1:${counted}, tls: none, limits: { requestsPerConnection: 3 } }
  - { name: wide, address: 127.0.0.1:${wide}, tls: none }
workers: 1
upstreams:
  slots: { targets: ['${upstream.url}'], connections: 1 }
apis:
  - { name: all, upstream: '${upstream.url}', authenticate: none }
  - { name: slots, path: /slots, upstream: slots, authenticate: none }
  - { name: small, path: /small, upstream: '${upstream.url}', authenticate: none, requestLimits: { bodyBytes: 1KiB } }
`);
    h2 = { port: ports.h2, ca: devCaOf(gateway) };
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  /** How many requests for a path have reached the upstream. */
  const reached = (path: string): number => upstream.seen.filter((seen) => seen.target === path).length;

  const block = headerBlock(requestFields('/flood'));

  /** Sends what `part` makes for 0, 1, 2… until the gateway ends the connection or `times` is reached; resolves with whether it did. */
  async function flood(connection: RawHttp2, times: number, part: (round: number) => Buffer): Promise<boolean> {
    const many: Buffer[] = [];
    for (let round = 0; round < times; round += 1) {
      many.push(part(round));
      if (many.length < 50) continue;
      if (!(await connection.send(...many.splice(0)))) return true;
    }
    await connection.send(...many);
    return connection.until(() => connection.isOver, 5_000);
  }

  /** Runs an attack over HTTP/2 and says whether it was cut off. */
  async function attackHttp2(attack: (connection: RawHttp2) => Promise<boolean>): Promise<boolean> {
    let cut = false;
    const report = await underAttack(gateway, h2, async () => {
      const connection = await openHttp2(h2);
      try {
        cut = await attack(connection);
      } finally {
        connection.close();
      }
    });
    assert.ok(report.grownBy < FLAT, `grew by ${report.grownBy} MiB`);
    assert.ok(report.served > 0);
    return cut;
  }

  describe('HTTP/2', () => {
    it('rapid reset (CVE-2023-44487): cut off, and the upstream saw a fraction of it', async () => {
      const before = reached('/flood');
      const cut = await attackHttp2((connection) =>
        flood(connection, 5_000, (round) => Buffer.concat([headersFrame(round * 2 + 1, block), resetFrame(round * 2 + 1)])),
      );
      assert.ok(cut, 'it went on to its end');
      const passed = reached('/flood') - before;
      assert.ok(passed < 1_000, `${passed} requests reached the upstream`);
    });

    it('a client that resets fewer streams than the burst is served on', async () => {
      const connection = await openHttp2(h2);
      for (let round = 0; round < 50; round += 1) connection.write(headersFrame(round * 2 + 1, block), resetFrame(round * 2 + 1));
      connection.write(headersFrame(999, block));
      assert.equal((await connection.reply(999)).status, 200);
      connection.close();
    });

    const lying = headerBlock([...requestFields('/flood', 'POST'), ['content-length', '1']]);
    for (const [what, provoke] of [
      ['a window past 2^31', (stream: number) => [headersFrame(stream, block), windowUpdateFrame(stream, 0x7fffffff)]],
      ['a window update of 0', (stream: number) => [headersFrame(stream, block), windowUpdateFrame(stream, 0)]],
      ['a body longer than it says', (stream: number) => [headersFrame(stream, lying, { endStream: false }), dataFrame(stream, 'abc')]],
      ['a body on a stream that has ended', (stream: number) => [headersFrame(stream, block), dataFrame(stream, 'abc')]],
      ['a head that is malformed', (stream: number) => [headersFrame(stream, headerBlock([...requestFields('/flood'), ['connection', 'close']]))]],
    ] as const) {
      it(`resets the client provokes by ${what} (MadeYouReset, CVE-2025-8671) count as its own`, async () => {
        const before = reached('/flood');
        const cut = await attackHttp2(async (connection) => {
          // In batches that keep to the concurrent streams, so that it is the resets that end the connection.
          for (let batch = 0; batch < 50 && !connection.isOver; batch += 1) {
            const streams = Array.from({ length: 10 }, (_, at) => (batch * 10 + at) * 2 + 1);
            await connection.send(...streams.flatMap(provoke));
            await connection.until(() => connection.isOver || streams.every((stream) => connection.hasEnded(stream)), 5_000);
          }
          return connection.isOver;
        });
        assert.ok(cut, `it went on to its end; ${reached('/flood') - before} requests reached the upstream`);
      });
    }

    it('a flood of requests past the concurrent streams is cut off', async () => {
      const open = headerBlock(requestFields('/flood', 'POST'));
      assert.ok(await attackHttp2((connection) => flood(connection, 3_000, (round) => headersFrame(round * 2 + 1, open, { endStream: false }))));
    });

    it('a flood of SETTINGS whose answers nobody reads is cut off or costs nothing', async () => {
      await attackHttp2((connection) => {
        connection.socket.pause();
        const part = Buffer.concat(Array.from({ length: 20 }, () => settingsFrame({ 3: 100 })));
        return flood(connection, 10_000, () => part);
      });
    });

    it('a flood of PINGs whose answers nobody reads is cut off or costs nothing', async () => {
      await attackHttp2((connection) => {
        connection.socket.pause();
        const part = Buffer.concat(Array.from({ length: 20 }, () => frame(FRAME.ping, 0, 0, 'attacker')));
        return flood(connection, 10_000, () => part);
      });
    });

    it('a flood of empty DATA is cut off', async () => {
      assert.ok(
        await attackHttp2((connection) => {
          connection.write(headersFrame(1, headerBlock(requestFields('/flood', 'POST')), { endStream: false }));
          const part = Buffer.concat(Array.from({ length: 20 }, () => dataFrame(1, '', { endStream: false })));
          return flood(connection, 10_000, () => part);
        }),
      );
    });

    it('a flood of PRIORITY is cut off or costs nothing', async () => {
      await attackHttp2((connection) => flood(connection, 50_000, (round) => priorityFrame((round * 2 + 1) % 2_000_000, 0, round % 256)));
    });

    it('a flood of CONTINUATION (CVE-2024-27983) is cut off', async () => {
      const before = reached('/flood');
      assert.ok(
        await attackHttp2((connection) => {
          connection.write(headersFrame(1, block, { endHeaders: false }));
          const more = headerBlock(Array.from({ length: 100 }, (_, at) => [`x-${at}`, 'a'.repeat(100)] as const));
          return flood(connection, 2_000, () => frame(FRAME.continuation, 0, 1, more));
        }),
      );
      assert.equal(reached('/flood'), before);
    });

    it('a flood of empty CONTINUATION is cut off', async () => {
      assert.ok(
        await attackHttp2((connection) => {
          connection.write(headersFrame(1, block, { endHeaders: false }));
          return flood(connection, 50_000, () => frame(FRAME.continuation, 0, 1));
        }),
      );
    });

    it('an HPACK bomb, one byte for 4,000: nothing of it is kept, nothing reaches the upstream', async () => {
      const before = reached('/flood');
      await attackHttp2(async (connection) => {
        const bomb = Buffer.concat([indexedLiteral('x-bomb', 'a'.repeat(4_000)), headerBlock(requestFields('/flood')), Buffer.alloc(8_000, 0xbe)]);
        // The pseudo-headers must come first.
        const ordered = Buffer.concat([headerBlock(requestFields('/flood')), indexedLiteral('x-bomb', 'a'.repeat(4_000)), Buffer.alloc(8_000, 0xbe)]);
        return flood(connection, 300, (round) => headersFrame(round * 2 + 1, round === 0 ? ordered : round % 2 === 0 ? bomb : ordered));
      });
      assert.equal(reached('/flood'), before);
    });

    it('more fields than the limit: refused', async () => {
      const connection = await openHttp2(h2);
      connection.write(headersFrame(1, headerBlock([...requestFields('/flood'), ...Array.from({ length: 300 }, (_, at) => [`x-${at}`, 'a'] as const)])));
      const reply = await connection.reply(1);
      assert.ok(reply.broken || reply.status === 431, `status ${reply.status}`);
      connection.close();
    });

    it('a connection broken in the middle of a header block, 200 times: the process lives', async () => {
      const report = await underAttack(gateway, h2, async () => {
        for (let round = 0; round < 200; round += 10) {
          await Promise.all(
            Array.from({ length: 10 }, async (_, at) => {
              const connection = await openSilent(h2);
              const bytes = Buffer.concat([PREFACE, settingsFrame(), headersFrame(1, block, { endHeaders: false }), frame(FRAME.continuation, 0, 1, block)]);
              connection.write(bytes.subarray(0, bytes.length - ((round + at) % 60)));
              if (at % 2 === 0) connection.socket.destroy();
              else setTimeout(() => connection.tcp.resetAndDestroy(), 5);
              await connection.until(() => connection.closed);
            }),
          );
        }
      });
      assert.ok(report.grownBy < FLAT, `grew by ${report.grownBy} MiB`);
    });

    // nghttp2 does not tell of a head that has begun, so it is the idle timeout that ends it: until then it holds a connection and no more.
    it('a head that never ends, a preface that never comes: cut off', async () => {
      const [dribbling, silent] = await Promise.all([openHttp2(h2), openSilent(h2)]);
      dribbling.write(headersFrame(1, block, { endHeaders: false }));
      await Promise.all([dribbling, silent].map(async (connection) => {
        assert.ok(await connection.until(() => connection.isOver, 15_000), connection === silent ? 'no preface' : 'no end of the head');
        connection.close();
      }));
    });

    it('a body that never comes: 408 or a reset, and the connection lives', async () => {
      const connection = await openHttp2(h2);
      connection.write(headersFrame(1, headerBlock([...requestFields('/flood', 'POST'), ['content-length', '100']]), { endStream: false }), dataFrame(1, 'abc', { endStream: false }));
      const reply = await connection.reply(1, 15_000);
      assert.ok(reply.status === 408 || (reply.status === 0 && reply.broken), `status ${reply.status}`);
      connection.write(headersFrame(3, block));
      assert.equal((await connection.reply(3)).status, 200);
      connection.close();
    });

    it('a client that opens no window for the reply: its stream is cut, the slot of the upstream is free', async () => {
      const before = cutReplies;
      const connection = await openHttp2(h2, { 4: 100 });
      connection.write(headersFrame(1, headerBlock(requestFields('/slots/large'))));
      assert.ok(await connection.until(() => connection.isOver || connection.frames.some((each) => each.stream === 1 && each.type === FRAME.reset), 15_000));
      connection.close();
      await assertSlotFree();
      assert.ok(cutReplies > before);
    });

    it('1,000 half-open TLS handshakes hold up nobody, and are cut off', async () => {
      const sockets: Socket[] = [];
      let open = 0;
      try {
        const report = await underAttack(gateway, h2, async () => {
          for (let round = 0; round < 1_000; round += 1) {
            const socket = connect({ port: h2.port, host: '127.0.0.1' });
            sockets.push(socket);
            open += 1;
            socket.on('error', () => {}).on('close', () => {
              open -= 1;
            });
            // Every second one begins a ClientHello.
            if (round % 2 === 0) socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
            if (round % 100 === 99) await once(socket, 'connect');
          }
        });
        assert.ok(report.grownBy < FLAT, `grew by ${report.grownBy} MiB`);
        assert.ok(await comesTrue(() => open === 0, 20_000), `${open} are still open`);
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    });
  });

  describe('slow clients', () => {
    it('a head that dribbles: 408 or close', async () => {
      const client = new SlowClient(slow);
      client.write('GET /x HTTP/1.1\r\nHost: localhost\r\n');
      client.dribble('X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
      await client.assertCut(/^(?:HTTP\/1\.1 408 |$)/);
    });

    it('a head that dribbles on a connection that was in use: 408 or close', async () => {
      const client = new SlowClient(slow);
      client.write(head('GET /x HTTP/1.1'));
      await client.until(/"target":"\/x"/);
      client.dribble('GET /x HTTP/1.1\r\nX-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
      await client.assertCut(/^HTTP\/1\.1 200 [^]*?\}(?:HTTP\/1\.1 408 [^]*)?$/);
    });

    it('blank lines do not count as a request', async () => {
      const client = new SlowClient(slow);
      client.dribble('\r\n'.repeat(200));
      await client.assertCut(/^(?:HTTP\/1\.1 4\d\d |$)/);
    });

    it('a connection that says nothing is closed, before its first request and after', async () => {
      const [fresh, used] = [new SlowClient(slow), new SlowClient(slow)];
      used.write(head('GET /x HTTP/1.1'));
      await Promise.all([fresh.assertCut(/^(?:HTTP\/1\.1 408 |$)/), used.assertCut(/^HTTP\/1\.1 200 /)]);
    });

    it('a body that stops: 408, and the slot of the upstream is free', async () => {
      const client = new SlowClient(slow);
      client.write(head('POST /slots/x HTTP/1.1', 'Content-Length: 100') + 'abc');
      await client.assertCut(/^HTTP\/1\.1 408 /);
      await assertSlotFree();
    });

    it('a chunked body that stops in a chunk: 408, and the slot is free', async () => {
      const client = new SlowClient(slow);
      client.write(`${head('POST /slots/x HTTP/1.1', 'Transfer-Encoding: chunked')}ff\r\nabc`);
      await client.assertCut(/^HTTP\/1\.1 408 /);
      await assertSlotFree();
    });

    it('a body that dribbles faster than the limit is slow, but honest', async () => {
      const client = new SlowClient(slow);
      client.write(head('POST /slots/x HTTP/1.1', 'Content-Length: 20', 'Connection: close'));
      client.dribble('aaaaaaaaaaaaaaaaaaaa');
      await client.assertCut(/^HTTP\/1\.1 200 [^]*"length":20/);
    });

    it('a client that reads nothing of a large reply is cut off, and the slot is free', async () => {
      const before = cutReplies;
      const client = new SlowClient(slow);
      client.socket.pause();
      client.write(head('GET /slots/large HTTP/1.1'));
      assert.ok(await comesTrue(() => cutReplies > before, 20_000), 'the upstream still writes');
      await assertSlotFree();
      client.socket.destroy();
    });

    it('memory is bounded while 40 clients read nothing of large replies', async () => {
      const clients = Array.from({ length: 40 }, () => new SlowClient(wide));
      const before = residentMiB(gateway.process.pid);
      for (const client of clients) {
        client.socket.pause();
        client.write(head('GET /large HTTP/1.1'));
      }
      assert.ok(await comesTrue(() => reached('/large') === clients.length, 10_000));
      let most = 0;
      for (let look = 0; look < 10; look += 1) {
        await assertAlive(gateway, { port: wide });
        most = Math.max(most, residentMiB(gateway.process.pid) - before);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      for (const client of clients) client.socket.destroy();
      assert.ok(most < FLAT, `grew by ${most} MiB of the ${clients.length * 64} that were asked for`);
    });
  });

  describe('numbers', () => {
    it('connections of one address and in all are capped; those that are there go on', async () => {
      const connections: SlowClient[] = [];
      const openFrom = async (address: string): Promise<boolean> => {
        const client = new SlowClient(few, address);
        connections.push(client);
        client.write(head('GET /x HTTP/1.1'));
        return client.answered();
      };
      const open = async (address: string, times: number): Promise<boolean[]> => {
        const outcomes: boolean[] = [];
        for (let round = 0; round < times; round += 1) outcomes.push(await openFrom(address));
        return outcomes;
      };
      try {
        assert.deepEqual(await open('127.0.0.1', 6), [true, true, true, true, true, false]);
        if (process.platform === 'linux') assert.deepEqual(await open('127.0.0.2', 4), [true, true, true, false]); // elsewhere there is but one loopback address
        const [first] = connections;
        first?.write(head('GET /again HTTP/1.1'));
        await first?.until(/"target":"\/again"/);
        first?.socket.destroy();
        assert.ok(await comesTrueAsync(() => openFrom('127.0.0.1'), 5_000), 'a place that became free is not given away');
      } finally {
        for (const client of connections) client.socket.destroy();
      }
    });

    it('a connection ends with the last request it may carry', async () => {
      const reply = await sendRaw({ port: counted }, head('GET /x HTTP/1.1').repeat(6), { replies: 6 });
      assert.equal(reply.text.match(/HTTP\/1\.1 200/g)?.length, 3);
      assert.match(reply.text, /connection: close/i);
      assert.ok(reply.closed);
    });

    it('a body over the limit: 413 before the upstream sees it', async () => {
      const before = reached('/small');
      const declared = await sendRaw({ port: wide }, `${head('POST /small HTTP/1.1', 'Content-Length: 2000')}${'a'.repeat(2_000)}`);
      assert.equal(declared.status, 413);
      assert.equal(reached('/small'), before);
    });

    it('a chunked body over the limit: 413, and no complete request reaches the upstream', async () => {
      const before = reached('/small');
      const chunked = await sendRaw({ port: wide }, head('POST /small HTTP/1.1', 'Transfer-Encoding: chunked') + `3e8\r\n${'a'.repeat(1_000)}\r\n`.repeat(3) + '0\r\n\r\n');
      assert.equal(chunked.status, 413);
      assert.equal(reached('/small'), before);
      const exact = await sendRaw({ port: wide }, head('POST /small HTTP/1.1', 'Transfer-Encoding: chunked') + `400\r\n${'a'.repeat(1_024)}\r\n0\r\n\r\n`);
      assert.equal(exact.status, 200);
    });

    it('a body over the limit in HTTP/2: 413 with a length and without', async () => {
      const connection = await openHttp2(h2);
      const before = reached('/small');
      connection.write(headersFrame(1, headerBlock([...requestFields('/small', 'POST'), ['content-length', '2000']]), { endStream: false }), dataFrame(1, 'a'.repeat(2_000)));
      assert.equal((await connection.reply(1)).status, 413);
      connection.write(headersFrame(3, headerBlock(requestFields('/small', 'POST')), { endStream: false }), dataFrame(3, 'a'.repeat(2_000)));
      assert.equal((await connection.reply(3)).status, 413);
      assert.equal(reached('/small'), before);
      connection.close();
    });

    it('a body that goes on after its 413 is not taken for ever', async () => {
      const client = new SlowClient(wide);
      client.write(head('POST /small HTTP/1.1', 'Content-Length: 1000000000'));
      const more = setInterval(() => client.write('a'.repeat(65_536)), 1);
      try {
        await client.assertCut(/^HTTP\/1\.1 413 /);
      } finally {
        clearInterval(more);
      }
    });

    it('a gzip bomb is passed on unopened', async () => {
      const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024));
      const before = residentMiB(gateway.process.pid);
      const reply = await sendRaw({ port: wide }, Buffer.concat([Buffer.from(head('POST /x HTTP/1.1', 'Content-Encoding: gzip', `Content-Length: ${bomb.length}`)), bomb]));
      assert.equal(reply.status, 200);
      assert.match(reply.body, new RegExp(`"length":${bomb.length}\\b`));
      assert.ok(residentMiB(gateway.process.pid) - before < 60);
    });

    for (const encoding of ['gzip, gzip', 'gzip,br', 'compress', 'gzip;q=1', 'identity, gzip']) {
      it(`Content-Encoding: ${encoding} is refused (415)`, async () => {
        const before = reached('/encoded');
        assert.equal((await sendRaw({ port: wide }, `${head('POST /encoded HTTP/1.1', `Content-Encoding: ${encoding}`, 'Content-Length: 3')}abc`)).status, 415);
        assert.equal(reached('/encoded'), before);
      });
    }

    it('a chain of Content-Encoding fields is refused (415)', async () => {
      assert.equal((await sendRaw({ port: wide }, `${head('POST /x HTTP/1.1', 'Content-Encoding: gzip', 'Content-Encoding: gzip', 'Content-Length: 3')}abc`)).status, 415);
    });

    it('JSON 10,000 levels deep and a number of 4 MB cost nothing: the gateway does not read them', async () => {
      const before = residentMiB(gateway.process.pid);
      for (const json of [`${'['.repeat(10_000)}${']'.repeat(10_000)}`, '1'.repeat(4_000_000)]) {
        const reply = await sendRaw({ port: wide }, `${head('POST /x HTTP/1.1', 'Content-Type: application/json', `Content-Length: ${json.length}`)}${json}`);
        assert.equal(reply.status, 200);
        assert.match(reply.body, new RegExp(`"length":${json.length}\\b`));
      }
      assert.ok(residentMiB(gateway.process.pid) - before < 60);
    });

    it('heads of many fields, large fields and long targets, over and over: refused, memory flat', async () => {
      const report = await underAttack(gateway, { port: wide }, async () => {
        for (let round = 0; round < 60; round += 1) {
          const replies = await Promise.all([
            sendRaw({ port: wide }, head('GET /flood HTTP/1.1', ...Array.from({ length: 1_000 }, (_, at) => `X-${round}-${at}: a`))),
            sendRaw({ port: wide }, head('GET /flood HTTP/1.1', `X-A: ${'a'.repeat(100_000)}`)),
            sendRaw({ port: wide }, head(`GET /flood/${'a'.repeat(12_000)} HTTP/1.1`)),
          ]);
          assert.deepEqual(replies.map((reply) => reply.status), [431, 431, 414]);
        }
      });
      assert.ok(report.grownBy < FLAT, `grew by ${report.grownBy} MiB`);
    });

    it('a pipeline of thousands of requests is bounded', async () => {
      const report = await underAttack(gateway, { port: wide }, async () => {
        const client = new SlowClient(wide);
        client.socket.pause();
        client.write(head('GET /flood HTTP/1.1').repeat(20_000));
        await new Promise((resolve) => setTimeout(resolve, 500));
        client.socket.destroy();
      });
      assert.ok(report.grownBy < FLAT, `grew by ${report.grownBy} MiB`);
    });

    it('after all this the gateway serves, and its memory is bounded', async () => {
      await assertAlive(gateway, { port: wide });
      await assertAlive(gateway, h2);
      const resident = residentMiB(gateway.process.pid);
      assert.ok(resident < 500, `${resident} MiB`);
    });
  });

  /** The upstream of /slots has one connection: whoever gets an answer had it. */
  async function assertSlotFree(): Promise<void> {
    const reply = await sendRaw({ port: wide }, head('GET /slots/free HTTP/1.1'), { quietMs: 8_000 });
    assert.equal(reply.status, 200, `the slot is taken: ${reply.text.slice(0, 200)}`);
  }
});

const LARGE = Buffer.alloc(64 * 1024 * 1024, 0x61);

/** A client whose pace the test sets. */
class SlowClient {
  readonly socket: Socket;
  text = '';
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(port: number, localAddress = '127.0.0.1') {
    this.socket = connect({ port, host: '127.0.0.1', localAddress });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (part: string) => {
      this.text += part;
    });
    this.socket.on('error', () => {}).on('close', () => {
      this.#closed = true;
      clearInterval(this.#timer);
    });
  }

  write(text: string): void {
    if (this.socket.writable) this.socket.write(text, 'latin1');
  }

  /** A character every 100 ms. */
  dribble(text: string): void {
    let at = 0;
    this.#timer = setInterval(() => {
      if (at < text.length) this.write(text[at] ?? '');
      at += 1;
    }, 100);
  }

  async until(pattern: RegExp): Promise<void> {
    assert.ok(await comesTrue(() => pattern.test(this.text), 10_000), `not seen: ${pattern}; got ${this.text.slice(-200)}`);
  }

  /** Whether a reply comes before the connection is closed. */
  async answered(): Promise<boolean> {
    await comesTrue(() => this.#closed || this.text.startsWith('HTTP/1.1 200'), 5_000);
    return this.text.startsWith('HTTP/1.1 200');
  }

  /** The gateway ends the connection, and this is what it has said by then. */
  async assertCut(said: RegExp): Promise<void> {
    const cut = await comesTrue(() => this.#closed, 20_000);
    this.socket.destroy();
    clearInterval(this.#timer);
    assert.ok(cut, 'the connection is still open');
    assert.match(this.text, said);
  }
}

async function comesTrue(condition: () => boolean, withinMs: number): Promise<boolean> {
  return comesTrueAsync(() => Promise.resolve(condition()), withinMs);
}

async function comesTrueAsync(condition: () => Promise<boolean>, withinMs: number): Promise<boolean> {
  for (const end = Date.now() + withinMs; Date.now() < end; ) {
    if (await condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return condition();
}
