import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isServed, readAll, readUntil, reply, statusOf, TestListener, until } from './test-listener.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('slowness (attack 27)', () => {
  it('a connection that says nothing gets 408 and is closed', async () => {
    await using test = await TestListener.start({ limits: { headerTimeout: 150 } });
    assert.equal(statusOf(await readAll(await test.connect())), 408);
    await until(() => test.connections === 0);
  });

  it('so does one that dribbles its head', async () => {
    await using test = await TestListener.start({ limits: { headerTimeout: 200 } });
    const socket = await test.connect();
    socket.write('GET / HTTP/1.1\r\n');
    const dribble = setInterval(() => socket.write('X'), 20);
    assert.equal(statusOf(await readAll(socket)), 408);
    clearInterval(dribble);
    await until(() => test.connections === 0);
  });

  it('so does one that dribbles the head of a later request', async () => {
    await using test = await TestListener.start({ limits: { headerTimeout: 200 } });
    const socket = await test.connect();
    socket.write(`${GET}GET / HTTP/1.1\r\n`);
    const dribble = setInterval(() => socket.write('X'), 20);
    const text = await readAll(socket);
    clearInterval(dribble);
    assert.match(text, /^HTTP\/1\.1 200[\s\S]*HTTP\/1\.1 408[\s\S]*request-timeout/);
  });

  it('an idle connection is closed without a word', async () => {
    await using test = await TestListener.start({ limits: { idleTimeout: 150 } });
    assert.match(await test.send(GET), /\r\n\r\n\/$/);
  });

  for (const [when, first] of [
    ['before the first request', ''],
    ['between requests', GET],
  ] as const) {
    it(`blank lines do not keep a connection for ever, ${when}, not even in halves`, async () => {
      await using test = await TestListener.start({ limits: { idleTimeout: 100, headerTimeout: 200 } });
      const socket = await test.connect();
      socket.write(first);
      let written = 0;
      const dribble = setInterval(() => {
        socket.write(written % 2 === 0 ? '\r' : '\n');
        written += 1;
      }, 15);
      await readAll(socket);
      clearInterval(dribble);
    });
  }

  it('a body that stops arriving gets 408, and the road learns of it', async () => {
    await using test = await TestListener.start({ limits: { bodyIdleTimeout: 150 } }, (exchange) => {
      exchange.body?.resume();
    });
    const text = await test.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel');
    assert.equal(statusOf(text), 408);
    assert.equal(test.last.aborted, true);
    await until(() => test.connections === 0);
  });

  it('a body that keeps arriving, however slowly, is read to its end', async () => {
    await using test = await TestListener.start({ limits: { bodyIdleTimeout: 250 } }, async (exchange) => {
      let text = '';
      for await (const chunk of exchange.body ?? []) text += chunk;
      reply(exchange, 200, [], text);
    });
    const socket = await test.connect();
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 8\r\n\r\n');
    for (const letter of 'abcdefgh') {
      await new Promise((resolve) => setTimeout(resolve, 80));
      socket.write(letter);
    }
    assert.match(await readAll(socket), /^HTTP\/1\.1 200[\s\S]*abcdefgh$/);
  });

  it('a body the road itself keeps waiting is not the client’s fault', async () => {
    await using test = await TestListener.start({ limits: { bodyIdleTimeout: 100 } }, async (exchange) => {
      exchange.body?.on('data', () => {});
      exchange.body?.pause();
      await new Promise((resolve) => setTimeout(resolve, 400));
      reply(exchange, 200, [], 'patient');
    });
    const socket = await test.connect();
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel');
    await readUntil(socket, /patient/);
  });

  it('a client that takes nothing of its reply is cut, and the road learns of it', async () => {
    await using test = await TestListener.start({ limits: { writeIdleTimeout: 200 } }, (exchange) => {
      exchange.wire.head(200, []);
      const chunk = Buffer.alloc(1 << 20);
      for (let megabyte = 0; megabyte < 32; megabyte += 1) exchange.wire.write(chunk);
    });
    const socket = await test.connect();
    socket.pause();
    socket.write(GET);
    await until(() => test.exchanges.length === 1 && test.last.aborted);
    await until(() => test.connections === 0);
  });

  it('a client that takes a little now and then is not', async () => {
    const size = 6 << 20;
    await using test = await TestListener.start({ limits: { writeIdleTimeout: 300 } }, (exchange) => {
      exchange.wire.head(200, ['Content-Length', String(size)]);
      exchange.wire.end(Buffer.alloc(size, 'x'), undefined);
    });
    const socket = await test.connect();
    socket.write(GET);
    let taken = 0;
    socket.on('data', (chunk) => {
      taken += chunk.length;
      if (taken < size / 2 && taken % (size / 8) < chunk.length) {
        socket.pause();
        setTimeout(() => socket.resume(), 100);
      }
    });
    await until(() => taken > size);
    assert.equal(test.last.aborted, false);
    socket.destroy();
  });

  it('a slot that was freed serves the next client', async () => {
    await using test = await TestListener.start({ limits: { headerTimeout: 150, connections: 1 } });
    const slow = await test.connect();
    slow.write('GET');
    await until(() => test.connections === 1);
    assert.equal(await isServed(test), false);
    await readAll(slow);
    await until(() => test.connections === 0);
    assert.equal(await isServed(test), true);
  });
});
