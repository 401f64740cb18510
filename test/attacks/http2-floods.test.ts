import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { underAttack } from '../support/gateway-under-attack.ts';
import { headerBlock, indexedLiteral } from '../support/hpack.ts';
import {
  dataFrame,
  FRAME,
  frame,
  headersFrame,
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
import { FLAT, type LimitedGateway, startLimitedGateway } from '../support/limited-gateway.ts';
import { until } from '../support/until.ts';

/** Attack cases 24 and 25 over HTTP/2: who takes all he can get is cut off, and nobody else notices. */
describe('attacks by exhaustion over HTTP/2', () => {
  let house: LimitedGateway;

  before(async () => {
    house = await startLimitedGateway();
  });

  after(() => house?.stop());

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
    const report = await underAttack(house.gateway, house.h2, async () => {
      const connection = await openHttp2(house.h2);
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

  it('rapid reset (CVE-2023-44487): cut off, and the upstream saw a fraction of it', async () => {
    const before = house.reached('/flood');
    const cut = await attackHttp2((connection) =>
      flood(connection, 5_000, (round) =>
        Buffer.concat([headersFrame(round * 2 + 1, block), resetFrame(round * 2 + 1)]),
      ),
    );
    assert.ok(cut, 'it went on to its end');
    const passed = house.reached('/flood') - before;
    assert.ok(passed < 1_000, `${passed} requests reached the upstream`);
  });

  it('rapid reset at a pace that waits for the gateway each time: cut off all the same', async () => {
    const before = house.reached('/flood');
    const cut = await attackHttp2(async (connection) => {
      for (let round = 0; round < 100 && !connection.isOver; round += 1) {
        const streams = Array.from({ length: 10 }, (_, at) => (round * 10 + at) * 2 + 1);
        await connection.send(
          ...streams.map((stream) => headersFrame(stream, block)),
          ...streams.map((stream) => resetFrame(stream)),
        );
        await connection.roundTrip();
      }
      return connection.isOver;
    });
    assert.ok(cut, `1,000 resets were taken; ${house.reached('/flood') - before} requests reached the upstream`);
  });

  it('a client that resets fewer streams than the burst is served on', async () => {
    const connection = await openHttp2(house.h2);
    for (let round = 0; round < 50; round += 1)
      connection.write(headersFrame(round * 2 + 1, block), resetFrame(round * 2 + 1));
    connection.write(headersFrame(999, block));
    assert.equal((await connection.reply(999)).status, 200);
    connection.close();
  });

  const lying = headerBlock([...requestFields('/flood', 'POST'), ['content-length', '1']]);
  for (const [what, provoke] of [
    ['a window past 2^31', (stream: number) => [headersFrame(stream, block), windowUpdateFrame(stream, 0x7fffffff)]],
    ['a window update of 0', (stream: number) => [headersFrame(stream, block), windowUpdateFrame(stream, 0)]],
    [
      'a body longer than it says',
      (stream: number) => [headersFrame(stream, lying, { endStream: false }), dataFrame(stream, 'abc')],
    ],
    ['a body on a stream that has ended', (stream: number) => [headersFrame(stream, block), dataFrame(stream, 'abc')]],
    [
      'a head that is malformed',
      (stream: number) => [headersFrame(stream, headerBlock([...requestFields('/flood'), ['connection', 'close']]))],
    ],
  ] as const) {
    it(`resets the client provokes by ${what} (MadeYouReset, CVE-2025-8671) count as its own`, async () => {
      const before = house.reached('/flood');
      const cut = await attackHttp2(async (connection) => {
        // In batches that keep to the concurrent streams, so that it is the resets that end the connection.
        for (let batch = 0; batch < 50 && !connection.isOver; batch += 1) {
          const streams = Array.from({ length: 10 }, (_, at) => (batch * 10 + at) * 2 + 1);
          await connection.send(...streams.flatMap(provoke));
          await connection.until(
            () => connection.isOver || streams.every((stream) => connection.hasEnded(stream)),
            5_000,
          );
        }
        return connection.isOver;
      });
      assert.ok(cut, `it went on to its end; ${house.reached('/flood') - before} requests reached the upstream`);
    });
  }

  it('a flood of requests past the concurrent streams is cut off', async () => {
    const open = headerBlock(requestFields('/flood', 'POST'));
    assert.ok(
      await attackHttp2((connection) =>
        flood(connection, 3_000, (round) => headersFrame(round * 2 + 1, open, { endStream: false })),
      ),
    );
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
    await attackHttp2((connection) =>
      flood(connection, 50_000, (round) => priorityFrame((round * 2 + 1) % 2_000_000, 0, round % 256)),
    );
  });

  it('a flood of CONTINUATION (CVE-2024-27983) is cut off', async () => {
    const before = house.reached('/flood');
    assert.ok(
      await attackHttp2((connection) => {
        connection.write(headersFrame(1, block, { endHeaders: false }));
        const more = headerBlock(Array.from({ length: 100 }, (_, at) => [`x-${at}`, 'a'.repeat(100)] as const));
        return flood(connection, 2_000, () => frame(FRAME.continuation, 0, 1, more));
      }),
    );
    assert.equal(house.reached('/flood'), before);
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
    const before = house.reached('/flood');
    await attackHttp2(async (connection) => {
      const bomb = Buffer.concat([
        indexedLiteral('x-bomb', 'a'.repeat(4_000)),
        headerBlock(requestFields('/flood')),
        Buffer.alloc(8_000, 0xbe),
      ]);
      // The pseudo-headers must come first.
      const ordered = Buffer.concat([
        headerBlock(requestFields('/flood')),
        indexedLiteral('x-bomb', 'a'.repeat(4_000)),
        Buffer.alloc(8_000, 0xbe),
      ]);
      return flood(connection, 300, (round) =>
        headersFrame(round * 2 + 1, round === 0 ? ordered : round % 2 === 0 ? bomb : ordered),
      );
    });
    assert.equal(house.reached('/flood'), before);
  });

  it('more fields than the limit: refused', async () => {
    const connection = await openHttp2(house.h2);
    connection.write(
      headersFrame(
        1,
        headerBlock([...requestFields('/flood'), ...Array.from({ length: 300 }, (_, at) => [`x-${at}`, 'a'] as const)]),
      ),
    );
    const reply = await connection.reply(1);
    assert.ok(reply.broken || reply.status === 431, `status ${reply.status}`);
    connection.close();
  });

  it('a connection broken in the middle of a header block, 200 times: the process lives', async () => {
    const report = await underAttack(house.gateway, house.h2, async () => {
      for (let round = 0; round < 200; round += 10) {
        await Promise.all(
          Array.from({ length: 10 }, async (_, at) => {
            const connection = await openSilent(house.h2);
            const bytes = Buffer.concat([
              PREFACE,
              settingsFrame(),
              headersFrame(1, block, { endHeaders: false }),
              frame(FRAME.continuation, 0, 1, block),
            ]);
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
    const [dribbling, silent] = await Promise.all([openHttp2(house.h2), openSilent(house.h2)]);
    dribbling.write(headersFrame(1, block, { endHeaders: false }));
    await Promise.all(
      [dribbling, silent].map(async (connection) => {
        assert.ok(
          await connection.until(() => connection.isOver, 15_000),
          connection === silent ? 'no preface' : 'no end of the head',
        );
        connection.close();
      }),
    );
  });

  it('a body that never comes: 408 or a reset, and the connection lives', async () => {
    const connection = await openHttp2(house.h2);
    connection.write(
      headersFrame(1, headerBlock([...requestFields('/flood', 'POST'), ['content-length', '100']]), {
        endStream: false,
      }),
      dataFrame(1, 'abc', { endStream: false }),
    );
    const reply = await connection.reply(1, 15_000);
    assert.ok(reply.status === 408 || (reply.status === 0 && reply.broken), `status ${reply.status}`);
    connection.write(headersFrame(3, block));
    assert.equal((await connection.reply(3)).status, 200);
    connection.close();
  });

  it('a client that opens no window for the reply: its stream is cut, the slot of the upstream is free', async () => {
    const before = house.cutReplies();
    const connection = await openHttp2(house.h2, { 4: 100 });
    connection.write(headersFrame(1, headerBlock(requestFields('/slots/large'))));
    assert.ok(
      await connection.until(
        () => connection.isOver || connection.frames.some((each) => each.stream === 1 && each.type === FRAME.reset),
        15_000,
      ),
    );
    connection.close();
    await house.assertSlotFree();
    assert.ok(house.cutReplies() > before);
  });

  it('1,000 half-open TLS handshakes hold up nobody, and are cut off', async () => {
    const sockets: Socket[] = [];
    let open = 0;
    try {
      const report = await underAttack(house.gateway, house.h2, async () => {
        for (let round = 0; round < 1_000; round += 1) {
          const socket = connect({ port: house.h2.port, host: '127.0.0.1' });
          sockets.push(socket);
          open += 1;
          socket
            .on('error', () => {})
            .on('close', () => {
              open -= 1;
            });
          // Every second one begins a ClientHello.
          if (round % 2 === 0) socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
          if (round % 100 === 99) await once(socket, 'connect');
        }
      });
      assert.ok(report.grownBy < FLAT, `grew by ${report.grownBy} MiB`);
      await until('all are cut off', () => open === 0, 20_000);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
});
