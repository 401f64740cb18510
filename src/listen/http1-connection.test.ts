import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { readUntil, reply, TestListener, until } from './test-listener.ts';

const H = 'Host: a\r\n';
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** A client that does not close because the listener did. */
function stubborn(test: TestListener): Socket {
  const socket = connect({ port: test.port, host: '127.0.0.1', allowHalfOpen: true });
  test.open.add(socket);
  return socket.on('error', () => undefined);
}

describe('a connection of HTTP/1.1, from one request to the next', () => {
  it('the connection goes on after a body whose last bytes filled its reader', async () => {
    await using test = await TestListener.start({}, async (exchange) => {
      await wait(50); // authentication, say
      let bytes = 0;
      for await (const chunk of exchange.body ?? []) bytes += chunk.length;
      reply(exchange, 200, [], `read ${bytes};`);
    });
    const socket = await test.connect();
    socket.write(`POST / HTTP/1.1\r\n${H}Content-Length: 70000\r\n\r\n${'x'.repeat(70_000)}`);
    await readUntil(socket, /read 70000;/);
    socket.write(`GET / HTTP/1.1\r\n${H}\r\n`);
    assert.match(await readUntil(socket, /read 0;/), /200 OK/);
  });

  it('what a client sends ahead is bounded while its pipeline is being answered', async () => {
    let served = 0;
    await using test = await TestListener.start({}, async (exchange) => {
      await wait(2);
      served += 1;
      reply(exchange, 200, [], '.');
    });
    const socket = await test.connect();
    socket.resume();
    const block = Buffer.from(`GET / HTTP/1.1\r\n${H}\r\n`.repeat(4000));
    const pump = () => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on('drain', pump);
    pump();
    await until(() => served >= 20);
    const before = socket.bytesWritten - socket.writableLength;
    await until(() => served >= 220);
    const taken = socket.bytesWritten - socket.writableLength - before;
    socket.destroy();
    assert.ok(taken < 2e6, `${taken} bytes taken for 200 requests of 29`);
  });

  it('a closing connection is cut, and no request behind its last one is served (answer inside data)', async () => {
    for (const behind of ['', `GET /behind HTTP/1.1\r\n${H}\r\n`]) {
      await using test = await TestListener.start({}, (exchange) => {
        if (exchange.body === undefined) reply(exchange, 200, [], 'served');
        else exchange.body.once('data', () => reply(exchange, 413, [], 'no'));
      });
      const socket = stubborn(test);
      socket.write(`POST / HTTP/1.1\r\n${H}Connection: close\r\nContent-Length: 5\r\n\r\n`);
      await wait(50);
      socket.write(`hello${behind}`);
      await readUntil(socket, /no$/);
      socket.write(`GET /smuggled HTTP/1.1\r\n${H}\r\n`);
      await wait(100);
      assert.deepEqual(
        test.exchanges.map(({ target }) => target.path),
        ['/'],
      );
      await wait(3500);
      assert.equal(test.connections, 0);
    }
  });

  it('nothing is served behind a malformed body whose reply was still going out', async () => {
    await using test = await TestListener.start({}, (exchange) => {
      exchange.body?.on('error', () => {}).resume();
      reply(exchange, 200, [], 'x'.repeat(20_000_000));
    });
    const socket = stubborn(test);
    socket.pause();
    socket.write(`POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
    await until(() => test.exchanges.length === 1);
    await wait(100);
    socket.write('zz\r\n');
    await wait(100);
    socket.resume();
    await wait(500);
    socket.write(`GET /smuggled HTTP/1.1\r\n${H}\r\n`);
    await wait(200);
    assert.deepEqual(
      test.exchanges.map(({ target }) => target.path),
      ['/'],
    );
  });

  it('a request behind a half-close is not served when its reply can no longer be sent', async () => {
    await using test = await TestListener.start({}, (exchange) =>
      reply(exchange, 200, [], exchange.target.path === '/big' ? 'x'.repeat(20_000_000) : 'paid'),
    );
    const socket = stubborn(test);
    let last = '';
    socket.pause().on('data', (bytes) => (last = String(bytes).slice(-20)));
    socket.end(`GET /big HTTP/1.1\r\n${H}\r\nPOST /pay HTTP/1.1\r\n${H}Content-Length: 0\r\n\r\n`);
    await wait(300);
    socket.resume();
    await wait(800);
    assert.ok(test.exchanges.length === 1 || last.includes('paid'), 'served, and its reply lost');
  });

  it('a head of just the size allowed is taken in two pieces as in one', async () => {
    await using test = await TestListener.start({ limits: { headerBytes: 200 } });
    const head = `${`GET / HTTP/1.1\r\n${H}X-A: `.padEnd(200, 'x')}\r\n\r\n`;
    for (const cut of [204, 203, 202, 201]) {
      const socket = await test.connect();
      const answer = readUntil(socket, /\r\n\r\n/);
      socket.write(head.slice(0, cut));
      await wait(30);
      socket.write(head.slice(cut));
      assert.match(await answer, /^HTTP\/1\.1 200/, `cut at ${cut}`);
    }
  });

  it('no refused HEAD gets a body', async () => {
    for (const request of [
      `HEAD //x HTTP/1.1\r\n${H}\r\n`,
      'HEAD / HTTP/1.1\r\n\r\n',
      `HEAD /\0 HTTP/1.1\r\n${H}\r\n`,
    ]) {
      await using test = await TestListener.start();
      const text = await test.send(request);
      assert.match(text, /^HTTP\/1\.1 400 [\s\S]*\r\nContent-Length: [1-9]\d*\r\n[\s\S]*\r\n\r\n$/);
    }
  });

  it('a closing connection takes little of what a client goes on to send, and ends', async () => {
    await using test = await TestListener.start({}, (exchange) => reply(exchange, 200, [], 'bye'));
    const socket = stubborn(test);
    socket.resume();
    const block = Buffer.alloc(1 << 20);
    const pump = () => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.write(`GET / HTTP/1.1\r\n${H}Connection: close\r\n\r\n`);
    socket.on('drain', pump);
    pump();
    await until(() => test.exchanges.length === 1 && test.connections === 0);
    assert.ok(socket.bytesWritten - socket.writableLength < 50e6, `${socket.bytesWritten} bytes were taken`);
  });
});
