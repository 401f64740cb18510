import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { assertAlive, underAttack } from '../support/gateway-under-attack.ts';
import { headerBlock } from '../support/hpack.ts';
import { dataFrame, headersFrame, openHttp2, requestFields } from '../support/http2-frames.ts';
import { FLAT, type LimitedGateway, startLimitedGateway } from '../support/limited-gateway.ts';
import { residentMemory } from '../support/process-memory.ts';
import { head, sendRaw } from '../support/raw-client.ts';
import { SlowClient } from '../support/slow-client.ts';
import { until } from '../support/until.ts';

/** Attack cases 24, 28 and 30: sizes and numbers have their limits, and memory is flat. */
describe('attacks by size and number', () => {
  let house: LimitedGateway;

  before(async () => {
    house = await startLimitedGateway();
  });

  after(() => house?.stop());

  it('connections of one address and in all are capped; those that are there go on', async () => {
    const connections: SlowClient[] = [];
    const openFrom = async (address: string): Promise<boolean> => {
      const client = new SlowClient(house.few, address);
      connections.push(client);
      client.write(head('GET /x HTTP/1.1'));
      return client.isServed();
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
      await first?.heard(/"target":"\/again"/);
      first?.socket.destroy();
      await until('a place that became free is given away', () => openFrom('127.0.0.1'));
    } finally {
      for (const client of connections) client.socket.destroy();
    }
  });

  it('a connection ends with the last request it may carry', async () => {
    const reply = await sendRaw({ port: house.counted }, head('GET /x HTTP/1.1').repeat(6), { replies: 6 });
    assert.equal(reply.text.match(/HTTP\/1\.1 200/g)?.length, 3);
    assert.match(reply.text, /connection: close/i);
    assert.ok(reply.closed);
  });

  it('a body over the limit: 413 before the upstream sees it', async () => {
    const before = house.reached('/small');
    const declared = await sendRaw(
      { port: house.wide },
      `${head('POST /small HTTP/1.1', 'Content-Length: 2000')}${'a'.repeat(2_000)}`,
    );
    assert.equal(declared.status, 413);
    assert.equal(house.reached('/small'), before);
  });

  it('a chunked body over the limit: 413, and no complete request reaches the upstream', async () => {
    const before = house.reached('/small');
    const chunked = await sendRaw(
      { port: house.wide },
      head('POST /small HTTP/1.1', 'Transfer-Encoding: chunked') +
        `3e8\r\n${'a'.repeat(1_000)}\r\n`.repeat(3) +
        '0\r\n\r\n',
    );
    assert.equal(chunked.status, 413);
    assert.equal(house.reached('/small'), before);
    const exact = await sendRaw(
      { port: house.wide },
      head('POST /small HTTP/1.1', 'Transfer-Encoding: chunked') + `400\r\n${'a'.repeat(1_024)}\r\n0\r\n\r\n`,
    );
    assert.equal(exact.status, 200);
  });

  it('a body over the limit in HTTP/2: 413 with a length and without', async () => {
    const connection = await openHttp2(house.h2);
    const before = house.reached('/small');
    connection.write(
      headersFrame(1, headerBlock([...requestFields('/small', 'POST'), ['content-length', '2000']]), {
        endStream: false,
      }),
      dataFrame(1, 'a'.repeat(2_000)),
    );
    assert.equal((await connection.reply(1)).status, 413);
    connection.write(
      headersFrame(3, headerBlock(requestFields('/small', 'POST')), { endStream: false }),
      dataFrame(3, 'a'.repeat(2_000)),
    );
    assert.equal((await connection.reply(3)).status, 413);
    assert.equal(house.reached('/small'), before);
    connection.close();
  });

  it('a body that goes on after its 413 is not taken for ever', async () => {
    const client = new SlowClient(house.wide);
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
    const before = residentMemory(house.gateway.process.pid).now;
    const reply = await sendRaw(
      { port: house.wide },
      Buffer.concat([
        Buffer.from(head('POST /x HTTP/1.1', 'Content-Encoding: gzip', `Content-Length: ${bomb.length}`)),
        bomb,
      ]),
    );
    assert.equal(reply.status, 200);
    assert.match(reply.body, new RegExp(`"length":${bomb.length}\\b`));
    assert.ok(residentMemory(house.gateway.process.pid).now - before < 60);
  });

  for (const encoding of ['gzip, gzip', 'gzip,br', 'compress', 'gzip;q=1', 'identity, gzip']) {
    it(`Content-Encoding: ${encoding} is refused (415)`, async () => {
      const before = house.reached('/encoded');
      assert.equal(
        (
          await sendRaw(
            { port: house.wide },
            `${head('POST /encoded HTTP/1.1', `Content-Encoding: ${encoding}`, 'Content-Length: 3')}abc`,
          )
        ).status,
        415,
      );
      assert.equal(house.reached('/encoded'), before);
    });
  }

  it('a chain of Content-Encoding fields is refused (415)', async () => {
    assert.equal(
      (
        await sendRaw(
          { port: house.wide },
          `${head('POST /x HTTP/1.1', 'Content-Encoding: gzip', 'Content-Encoding: gzip', 'Content-Length: 3')}abc`,
        )
      ).status,
      415,
    );
  });

  it('JSON 10,000 levels deep and a number of 4 MB cost nothing: the gateway does not read them', async () => {
    const before = residentMemory(house.gateway.process.pid).now;
    for (const json of [`${'['.repeat(10_000)}${']'.repeat(10_000)}`, '1'.repeat(4_000_000)]) {
      const reply = await sendRaw(
        { port: house.wide },
        `${head('POST /x HTTP/1.1', 'Content-Type: application/json', `Content-Length: ${json.length}`)}${json}`,
      );
      assert.equal(reply.status, 200);
      assert.match(reply.body, new RegExp(`"length":${json.length}\\b`));
    }
    assert.ok(residentMemory(house.gateway.process.pid).now - before < 60);
  });

  it('heads of many fields, large fields and long targets, over and over: refused, memory flat', async () => {
    const report = await underAttack(house.gateway, { port: house.wide }, async () => {
      for (let round = 0; round < 60; round += 1) {
        const replies = await Promise.all([
          sendRaw(
            { port: house.wide },
            head('GET /flood HTTP/1.1', ...Array.from({ length: 1_000 }, (_, at) => `X-${round}-${at}: a`)),
          ),
          sendRaw({ port: house.wide }, head('GET /flood HTTP/1.1', `X-A: ${'a'.repeat(100_000)}`)),
          sendRaw({ port: house.wide }, head(`GET /flood/${'a'.repeat(12_000)} HTTP/1.1`)),
        ]);
        assert.deepEqual(
          replies.map((reply) => reply.status),
          [431, 431, 414],
        );
      }
    });
    assert.ok(report.grownBy < FLAT, `grew by ${report.grownBy} MiB`);
  });

  it('a pipeline of thousands of requests is bounded', async () => {
    const report = await underAttack(house.gateway, { port: house.wide }, async () => {
      const client = new SlowClient(house.wide);
      client.socket.pause();
      client.write(head('GET /flood HTTP/1.1').repeat(20_000));
      await new Promise((resolve) => setTimeout(resolve, 500));
      client.socket.destroy();
    });
    assert.ok(report.grownBy < FLAT, `grew by ${report.grownBy} MiB`);
  });

  it('after all this the gateway serves, and its memory is bounded', async () => {
    await assertAlive(house.gateway, { port: house.wide });
    await assertAlive(house.gateway, house.h2);
    const resident = residentMemory(house.gateway.process.pid).now;
    assert.ok(resident < 500, `${resident} MiB`);
  });
});
