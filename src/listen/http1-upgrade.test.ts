import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import type { Exchange } from '../exchange.ts';
import { answerOf, readUntil, reply, statusOf, TestListener } from './test-listener.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n';

describe('an upgrade to WebSocket', () => {
  const UPGRADE =
    'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n';
  const echo = (exchange: Exchange) => {
    if (exchange.wire.takeOver === undefined) {
      reply(exchange, 200, [], `plain ${exchange.upgrade}`);
      return;
    }
    const socket: Duplex = exchange.wire.takeOver([
      'Sec-WebSocket-Accept',
      'y',
      'Connection',
      'Upgrade',
      'Upgrade',
      'websocket',
    ]);
    socket.on('data', (chunk) => socket.write(chunk)).on('end', () => socket.end());
  };

  it('hands over the connection, with the bytes that came early', async () => {
    await using test = await TestListener.start({}, echo);
    const socket = await test.connect();
    socket.write(`${UPGRADE}\r\nearly`);
    const text = await readUntil(socket, /early/);
    assert.match(
      text,
      /^HTTP\/1\.1 101 Switching Protocols\r\nSec-WebSocket-Accept: y\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly$/,
    );
    socket.write('later');
    assert.equal(await readUntil(socket, /later/), 'later');
    assert.equal(test.last.upgrade, 'websocket');
  });

  it('may be answered with anything else, which ends the connection', async () => {
    const text = await answerOf(`${UPGRADE}\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`, (exchange) =>
      reply(exchange, 403, [], 'no'),
    );
    assert.match(text, /^HTTP\/1\.1 403[\s\S]*\r\nConnection: close\r\n[\s\S]*no$/);
  });

  it('passes the same checks as any request (attack 7)', async () => {
    await using test = await TestListener.start({}, echo);
    assert.equal(statusOf(await test.send(UPGRADE.replace('/chat', '/pub/../admin').concat('\r\n'))), 400);
    assert.equal(statusOf(await test.send(UPGRADE.replace('Host: a', 'Host: a\r\nHost: b').concat('\r\n'))), 400);
    assert.equal(test.exchanges.length, 0);
  });

  it('with a body, of another protocol, by POST or in HTTP/1.0 is none (attack 21)', async () => {
    for (const request of [
      `${UPGRADE}Content-Length: 5\r\n\r\nhello`,
      `${UPGRADE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${UPGRADE.replace('websocket', 'websocket, h2c')}\r\n`,
      `${UPGRADE.replace('GET', 'POST')}Content-Length: 0\r\n\r\n`,
      `${UPGRADE.replace('HTTP/1.1', 'HTTP/1.0')}\r\n`,
    ]) {
      const text = await answerOf(request, echo);
      assert.match(text, /plain undefined$/, request);
      assert.match(text, /\r\nConnection: close\r\n/);
    }
  });

  it('in a pipeline waits its turn', async () => {
    const text = await answerOf(`${GET}\r\n${UPGRADE}\r\nearly`, (exchange) => {
      if (exchange.wire.takeOver === undefined) reply(exchange, 200, [], 'first');
      else
        exchange.wire.takeOver([]).on('data', function end(this: Duplex, bytes) {
          this.end(bytes);
        });
    });
    assert.match(text, /^HTTP\/1\.1 200[\s\S]*firstHTTP\/1\.1 101[\s\S]*\r\n\r\nearly$/);
  });

  it('with an invalid field in the 101 throws, and a problem can be sent', async () => {
    const text = await answerOf(`${UPGRADE}\r\n`, (exchange) => {
      assert.throws(() => exchange.wire.takeOver?.(['X-A', 'b\r\nc']));
      reply(exchange, 502, [], 'bad');
    });
    assert.match(text, /^HTTP\/1\.1 502/);
  });
});
