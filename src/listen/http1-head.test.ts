import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readAll, readUntil, statusOf, TestListener, until } from './test-listener.ts';

describe('a request that is taken', () => {
  let test: TestListener;
  before(async () => {
    test = await TestListener.start();
  });
  after(() => test[Symbol.asyncDispose]());

  async function take(bytes: string) {
    const text = await test.send(`${bytes.replace('\r\n', '\r\nConnection: close\r\n')}\r\n`);
    assert.equal(statusOf(text), 200, text);
    return test.last;
  }

  it('has its canonical host, target and facts', async () => {
    const exchange = await take('GET /%61pi?b=c HTTP/1.1\r\nHost: A.Example.:80\r\n');
    assert.equal(exchange.host, 'a.example');
    assert.equal(exchange.authority, 'a.example');
    assert.deepEqual(exchange.target, { path: '/api', query: 'b=c', encodedDelimiters: false });
    assert.equal(exchange.scheme, 'http');
    assert.equal(exchange.httpVersion, '1.1');
    assert.equal(exchange.body, undefined);
    assert.equal(exchange.bodyLength, undefined);
    assert.equal(exchange.clientAddress, '127.0.0.1');
    assert.equal(exchange.peerAddress, '127.0.0.1');
    assert.equal(exchange.tls, undefined);
    assert.deepEqual(exchange.listener, { name: 'test', exposure: 'public' });
  });

  it('may have the absolute form of its own host', async () => {
    const exchange = await take('GET http://A.example:80/x HTTP/1.1\r\nHost: a.example\r\n');
    assert.equal(exchange.target.path, '/x');
  });

  it('OPTIONS may ask for *', async () => {
    assert.equal((await take('OPTIONS * HTTP/1.1\r\nHost: a\r\n')).target.path, '*');
  });

  it('keeps names objects have (attack 17)', async () => {
    const exchange = await take('GET / HTTP/1.1\r\nHost: a\r\nconstructor: x\r\nhasOwnProperty: y\r\n');
    assert.equal(exchange.headers.get('constructor'), 'x');
  });

  it('loses what says who the caller is, and its aliases (attacks 11 and 12)', async () => {
    const claims = [
      'X-User: root',
      'x-user-id: 1',
      'X_User: root',
      'X.User: root',
      'X-Forwarded-For: 1.1.1.1',
      'Forwarded: for=1.1.1.1',
      'X-Real-IP: 1.1.1.1',
    ];
    const more = [
      'X-Forwarded-Proto: https',
      'x_forwarded_for: 1.1.1.1',
      'Remote-User: root',
      'X-Original-URL: /admin',
      'X-HTTP-Method-Override: DELETE',
      'Proxy: x',
      '__proto__: x',
      'X-Request-Id: chosen-by-me',
    ];
    const exchange = await take(
      `GET / HTTP/1.1\r\nHost: a\r\n${[...claims, ...more].join('\r\n')}\r\nX-Mine: kept\r\nAuthorization: Bearer t\r\n`,
    );
    assert.deepEqual(exchange.headers.raw, [
      'Connection',
      'close',
      'Host',
      'a',
      'X-Mine',
      'kept',
      'Authorization',
      'Bearer t',
    ]);
    assert.equal(exchange.clientAddress, '127.0.0.1');
    assert.equal(exchange.scheme, 'http');
    assert.notEqual(exchange.id, 'chosen-by-me');
  });

  it('keeps Connection for the road to judge, and nothing it nominates is gone (attack 14)', async () => {
    const exchange = await take(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Mine, Authorization\r\nAuthorization: x\r\n',
    );
    assert.equal(exchange.headers.get('authorization'), 'x');
  });

  it('with an Upgrade nobody here knows is an ordinary one, and the last of its connection', async () => {
    const socket = await test.connect();
    socket.write(
      'GET /one HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    const text = await readAll(socket);
    assert.match(text, /200 OK[\s\S]*\r\nConnection: close[\s\S]*\/one$/);
  });

  it('in a pipeline is served in its turn', async () => {
    const order: string[] = [];
    const waiting = new Map<string, () => void>();
    const slow = await TestListener.start({}, async (exchange) => {
      order.push(exchange.target.path);
      await new Promise<void>((resolve) => waiting.set(exchange.target.path, resolve));
      exchange.wire.head(200, ['Content-Length', '2']);
      exchange.wire.end(exchange.target.path, undefined);
    });
    const socket = await slow.connect();
    socket.write(
      'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\nGET //bad HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    const all = readUntil(socket, /ambiguous-target/);
    while (!waiting.has('/a')) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(order, ['/a']);
    waiting.get('/a')?.();
    while (!waiting.has('/b')) await new Promise((resolve) => setImmediate(resolve));
    waiting.get('/b')?.();
    assert.match(await all, /200 OK[\s\S]*\/aHTTP\/1\.1 200 OK[\s\S]*\/bHTTP\/1\.1 400/);
    await slow[Symbol.asyncDispose]();
  });

  it('in an endless pipeline waits with the client: memory is bounded, and every request is answered in the end', async () => {
    const PIPELINED = 5000; // 20 MB, more than the systems' buffers take
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using slow = await TestListener.start({ limits: { requestsPerConnection: PIPELINED } }, async (exchange) => {
      if (slow.exchanges.length === 1) await released;
      exchange.wire.head(200, ['Content-Length', '1']);
      exchange.wire.end('.', undefined);
    });
    const socket = await slow.connect();
    socket.write(`GET /${'a'.repeat(4000)} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(PIPELINED));
    await until(() => slow.exchanges.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(slow.exchanges.length, 1);
    // What the listener does not read stays with the systems and, where their buffers are full, with the client.
    assert.ok(socket.writableLength > 0, 'all of it was read');
    release();
    const text = await readAll(socket);
    assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, PIPELINED);
  });
});
