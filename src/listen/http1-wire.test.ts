import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import type { Exchange } from '../exchange.ts';
import { answerOf, readAll, readUntil, reply, statusOf, TestListener, until } from './test-listener.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n';
const CLOSE = 'Connection: close\r\n';

async function bodyOf(exchange: Exchange): Promise<string> {
  let text = '';
  for await (const chunk of exchange.body ?? []) text += chunk;
  return text;
}

describe('a reply over HTTP/1.1', () => {
  it('has Date and, where the connection goes on, nothing about it', async () => {
    await using test = await TestListener.start();
    const socket = await test.connect();
    socket.write(`${GET}\r\n`);
    const text = await readUntil(socket, /\r\n\r\n\//);
    assert.match(text, /\r\nDate: \w{3}, \d\d \w{3} \d{4}/);
    assert.doesNotMatch(text, /connection|keep-alive/i);
  });

  it('of known length leaves in one piece', async () => {
    await using test = await TestListener.start();
    const socket = await test.connect();
    socket.write(`${GET}\r\n`);
    const [first] = await once(socket, 'data');
    assert.match(String(first), /^HTTP\/1\.1 200[\s\S]*\r\n\r\n\/$/);
  });

  it('of unknown length is chunked, with trailers', async () => {
    const text = await answerOf(`${GET}${CLOSE}\r\n`, (exchange) => {
      exchange.wire.head(200, ['Trailer', 'X-Sum']);
      exchange.wire.write(Buffer.from('one'));
      exchange.wire.end('two', ['X-Sum', '6', 'Content-Length', '1', 'X-Bad', 'a\r\nb']);
    });
    assert.match(text, /\r\nTransfer-Encoding: chunked\r\n/);
    assert.match(text, /0\r\nX-Sum: 6\r\n\r\n$/);
    assert.doesNotMatch(text, /X-Bad/);
  });

  it('to HTTP/1.0 ends with the connection and is not chunked', async () => {
    const text = await answerOf('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n', (exchange) => {
      exchange.wire.head(200, []);
      exchange.wire.write(Buffer.from('one'));
      exchange.wire.end('two', ['X-Sum', '6']);
    });
    assert.match(text, /\r\n\r\nonetwo$/);
    assert.doesNotMatch(text, /chunked/);
  });

  it('has no body for HEAD, 204 and 304, whatever is written', async () => {
    for (const [request, status] of [
      ['HEAD / HTTP/1.1\r\nHost: a\r\n', 200],
      [GET, 204],
      [GET, 304],
    ] as const) {
      const text = await answerOf(`${request}${CLOSE}\r\n`, (exchange) => {
        exchange.wire.head(status, ['Content-Length', '5']);
        exchange.wire.write(Buffer.from('hel'));
        exchange.wire.end('lo', undefined);
      });
      assert.equal(statusOf(text), status);
      assert.match(text, /\r\n\r\n$/);
      assert.equal(/Content-Length: 5/.test(text), status !== 204);
    }
  });

  it('loses fields of the connection that are not the wire’s own', async () => {
    const text = await answerOf(`${GET}${CLOSE}\r\n`, (exchange) => {
      reply(
        exchange,
        200,
        ['Connection', 'keep-alive', 'Transfer-Encoding', 'gzip', 'Keep-Alive', 'timeout=9', 'Upgrade', 'x'],
        'ok',
      );
    });
    assert.match(text, /\r\nConnection: close\r\n/);
    assert.doesNotMatch(text, /gzip|Keep-Alive|Upgrade/i);
  });

  for (const [why, headers] of [
    ['CR LF in a value', ['X-A', 'b\r\nSet-Cookie: evil=1']],
    ['LF in a value', ['X-A', 'b\nc']],
    ['NUL in a value', ['X-A', 'b\0c']],
    ['a character that becomes LF when cut to a byte', ['X-A', 'b\u010ac']],
    ['a name that is no token', ['X A', 'b']],
    ['two lengths', ['Content-Length', '1', 'content-length', '2']],
    ['a length that is none', ['Content-Length', '1, 1']],
  ] as const) {
    it(`with ${why} is not sent, and another can take its place (attack 23)`, async () => {
      const text = await answerOf(`${GET}${CLOSE}\r\n`, (exchange) => {
        assert.throws(() => exchange.wire.head(200, ['Content-Length', '999', ...headers]));
        exchange.wire.head(502, []);
        exchange.wire.end('other', undefined);
      });
      assert.match(text, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
      assert.doesNotMatch(text, /evil|999|Content-Length/);
      assert.match(text, /5\r\nother\r\n0\r\n\r\n$/);
    });
  }

  it('longer or shorter than it declared is cut, and the road learns of it', async () => {
    for (const body of ['four', 'sixsix']) {
      let lost = false;
      const text = await answerOf(`${GET}\r\n`, (exchange) => {
        exchange.onAbort = () => {
          lost = true;
        };
        exchange.wire.head(200, ['Content-Length', '5']);
        exchange.wire.end(body, undefined);
      });
      assert.doesNotMatch(text, new RegExp(body));
      assert.ok(lost);
    }
  });

  it('that is aborted cannot be taken for a complete one', async () => {
    const text = await answerOf(`${GET}\r\n`, async (exchange) => {
      exchange.wire.head(200, []);
      exchange.wire.write(Buffer.from('begin'));
      await new Promise((resolve) => setTimeout(resolve, 50));
      exchange.wire.abort();
      exchange.wire.end('end', undefined);
    });
    assert.match(text, /begin/);
    assert.doesNotMatch(text, /0\r\n\r\n$/);
  });

  it('that was not begun when the road fails is a cut connection, and the process lives', async () => {
    await using test = await TestListener.start({}, (exchange) => {
      if (exchange.target.path === '/sync') throw new Error('a fault');
      return Promise.reject(new Error('a fault'));
    });
    assert.equal(await test.send(`GET /sync HTTP/1.1\r\nHost: a\r\n\r\n`), '');
    assert.equal(await test.send(`${GET}\r\n`), '');
  });

  it('waits for a client that reads slowly, and says so', async () => {
    let sent = 0;
    await using test = await TestListener.start({}, (exchange) => {
      const chunk = Buffer.alloc(64 * 1024, 'x');
      exchange.wire.head(200, []);
      const pump = () => {
        while (sent < 400) {
          sent += 1;
          if (!exchange.wire.write(chunk)) return;
        }
        exchange.wire.end(undefined, undefined);
      };
      exchange.wire.onDrain = pump;
      pump();
    });
    const socket = await test.connect();
    socket.pause();
    socket.write(`${GET}${CLOSE}\r\n`);
    await until(() => sent > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(sent < 400, 'all was taken at once: nothing asked the road to wait');
    const all = await readAll(socket.resume());
    assert.equal(all.match(/x/g)?.length, 400 * 64 * 1024);
  });

  it('the road learns that the client went away', async () => {
    let aborted = 0;
    await using test = await TestListener.start({}, (exchange) => {
      exchange.onAbort = () => {
        aborted += 1;
      };
    });
    const socket = await test.connect();
    socket.write(`${GET}\r\n`);
    await until(() => test.exchanges.length === 1);
    socket.destroy();
    await until(() => aborted === 1);
    assert.equal(test.last.aborted, true);
    await until(() => test.connections === 0);
    assert.equal(aborted, 1);
  });
});

describe('the body of a request over HTTP/1.1', () => {
  const echo = async (exchange: Exchange) =>
    reply(exchange, 200, [], `${await bodyOf(exchange)}|${exchange.trailers() ?? ''}`);

  it('comes with its length', async () => {
    let length: number | undefined;
    const text = await answerOf(`POST / HTTP/1.1\r\nHost: a\r\n${CLOSE}Content-Length: 5\r\n\r\nhello`, (exchange) => {
      length = exchange.bodyLength;
      return echo(exchange);
    });
    assert.match(text, /\r\n\r\nhello\|$/);
    assert.equal(length, 5);
  });

  it('of no bytes is none', async () => {
    await using test = await TestListener.start();
    await test.send(`POST / HTTP/1.1\r\nHost: a\r\n${CLOSE}Content-Length: 0\r\n\r\n`);
    assert.equal(test.last.body, undefined);
    assert.equal(test.last.bodyLength, 0);
  });

  it('in chunks comes with its trailers, less what nobody may say late', async () => {
    const text = await answerOf(
      `POST / HTTP/1.1\r\nHost: a\r\n${CLOSE}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 5\r\nAuthorization: x\r\nX-User: root\r\nX_Sum: 6\r\nHost: b\r\n\r\n`,
      echo,
    );
    assert.match(text, /\r\n\r\nabcde\|X-Sum,5$/);
  });

  it('is asked for when somebody reads it, and only then', async () => {
    const request = `POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`;
    await using reading = await TestListener.start({}, echo);
    const socket = await reading.connect();
    socket.write(request);
    assert.equal(await readUntil(socket, /\r\n\r\n/), 'HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('hello');
    assert.match(await readUntil(socket, /hello/), /^HTTP\/1\.1 200/);

    const refused = await answerOf(request, (exchange) => reply(exchange, 403, [], 'no'));
    assert.match(refused, /^HTTP\/1\.1 403[\s\S]*\r\nConnection: close\r\n/);
  });

  it('that nobody read is never taken for the next request', async () => {
    await using test = await TestListener.start({}, (exchange) => reply(exchange, 403, [], 'no'));
    const inner = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
    const socket = await test.connect();
    socket.write(`POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: ${inner.length + 4}\r\n\r\n${inner.slice(0, 10)}`);
    await readUntil(socket, /no$/);
    socket.write(`${inner.slice(10)}1234GET /two HTTP/1.1\r\nHost: a\r\n${CLOSE}\r\n`);
    await readAll(socket);
    assert.deepEqual(
      test.exchanges.map((exchange) => exchange.target.path),
      ['/one', '/two'],
    );
  });

  it('that is large and refused ends the connection, after the client could read why', async () => {
    await using test = await TestListener.start({}, (exchange) => reply(exchange, 413, [], 'too large'));
    const socket = await test.connect();
    const chunk = Buffer.alloc(64 * 1024);
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n');
    let writing = true;
    const pump = () => {
      while (writing && socket.writable && socket.write(chunk));
    };
    socket.on('drain', pump).on('close', () => {
      writing = false;
    });
    pump();
    const text = await readAll(socket);
    assert.match(text, /^HTTP\/1\.1 413[\s\S]*\r\nConnection: close[\s\S]*too large$/);
    assert.ok(socket.bytesWritten < 100e6);
  });

  it('that is refused may be sent to its end without a reset, though the connection ends', async () => {
    await using test = await TestListener.start({}, (exchange) => reply(exchange, 413, [], 'too large'));
    const socket = connect({ port: test.port, host: '127.0.0.1', allowHalfOpen: true });
    const errors: Error[] = [];
    socket.on('error', (error) => errors.push(error));
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n');
    assert.match(await readUntil(socket, /too large$/), /\r\nConnection: close\r\n/);
    for (let part = 0; part < 10; part += 1) {
      socket.write(Buffer.alloc(10_000));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    socket.end();
    await readAll(socket);
    assert.deepEqual(errors, []);
  });

  it('that breaks off tells its reader', async () => {
    let failed = false;
    await using test = await TestListener.start({}, (exchange) => {
      exchange.body
        ?.on('data', () => {})
        .on('error', () => {
          failed = true;
        });
    });
    const socket = await test.connect();
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel');
    await until(() => test.exchanges.length === 1);
    socket.destroy();
    await until(() => failed);
    assert.equal(test.last.aborted, true);
  });
});
