import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import type { Exchange } from '../exchange.ts';
import { openListener } from './listener.ts';
import {
  echoTarget,
  isServed,
  listenerOptions,
  ownCounts,
  readAll,
  readUntil,
  TestListener,
  until,
} from './test-listener.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('numbers', () => {
  it('connections in all', async () => {
    await using test = await TestListener.start({ limits: { connections: 2 } });
    const first = await test.connect();
    assert.equal(await isServed(test), true);
    assert.equal(await isServed(test), false);
    first.destroy();
    await until(() => test.connections === 1);
    assert.equal(await isServed(test), true);
  });

  it('connections of one address', async () => {
    await using test = await TestListener.start({ limits: { connectionsPerAddress: 2 } });
    await test.connect();
    assert.equal(await isServed(test), true);
    assert.equal(await isServed(test), false);
    const other = connect({ port: test.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    other.write(GET);
    await once(other, 'data');
    other.destroy();
  });

  it('requests of one connection: the last one says so', async () => {
    await using test = await TestListener.start({ limits: { requestsPerConnection: 2 } });
    const text = await test.send(`${GET}${GET}${GET}`);
    assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 2);
    assert.match(text, /200 OK[\s\S]*200 OK[\s\S]*\r\nConnection: close\r\n/);
    assert.equal(test.exchanges.length, 2);
  });
});

describe('addresses', () => {
  it('that may not connect are cut', async () => {
    await using denied = await TestListener.start({ deny: ['127.0.0.0/8'] });
    assert.equal(await isServed(denied), false);
    await using notAllowed = await TestListener.start({ allow: ['10.0.0.0/8'] });
    assert.equal(await isServed(notAllowed), false);
    await using deniedFirst = await TestListener.start({ allow: ['127.0.0.0/8'], deny: ['127.0.0.1'] });
    assert.equal(await isServed(deniedFirst), false);
    await using allowed = await TestListener.start({ allow: ['127.0.0.0/8'], deny: ['10.0.0.0/8'] });
    assert.equal(await isServed(allowed), true);
  });

  it('of a trusted proxy: its word counts, and only its own (attacks 13 and 48)', async () => {
    await using test = await TestListener.start({ trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] });
    const send = async (fields: string): Promise<Exchange | undefined> => {
      const before = test.exchanges.length;
      await test.send(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n`);
      return test.exchanges.length > before ? test.last : undefined;
    };
    assert.equal((await send(''))?.clientAddress, '127.0.0.1');
    const told = await send(
      'X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-For: 10.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Request-Id: from-the-edge-1\r\n',
    );
    assert.equal(told?.clientAddress, '192.0.2.7');
    assert.equal(told?.peerAddress, '127.0.0.1');
    assert.equal(told?.scheme, 'https');
    assert.equal(told?.id, 'from-the-edge-1');
    assert.equal(told?.headers.has('x-forwarded-for'), false);
    assert.equal((await send('Forwarded: for="[2001:DB8::7]:4711";proto=https\r\n'))?.clientAddress, '2001:db8::7');
    assert.notEqual((await send('X-Request-Id: a b\r\n'))?.id, 'a b');
    // A proxy that writes only one of the two passes the client's own word in the other.
    assert.equal(await send('X-Forwarded-For: 192.0.2.7\r\nForwarded: for=10.0.0.1\r\n'), undefined);
    assert.equal(await send('X-Forwarded-For: unknown\r\n'), undefined);
  });
});

describe('an update', () => {
  it('puts lists and limits into force without dropping a connection', async () => {
    await using test = await TestListener.start();
    const old = await test.connect();
    old.write(GET);
    await readUntil(old, /\r\n\r\n\//);
    test.listener.update(listenerOptions({ deny: ['127.0.0.1'], limits: { targetBytes: 10 } }));
    assert.equal(await isServed(test), false);
    old.write('GET /longer/than/ten HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(await readUntil(old, /\r\n\r\n/), /^HTTP\/1\.1 414/);
    assert.throws(() => test.listener.update(listenerOptions({ deny: ['nonsense'] })));
    assert.equal(await isServed(test), false);
  });
});

describe('a drain', () => {
  async function refusesConnections(port: number): Promise<boolean> {
    const socket: Socket = connect(port, '127.0.0.1');
    return await once(socket, 'connect').then(
      () => once(socket, 'close').then(() => true),
      () => true,
    );
  }

  it('closes idle connections at once, lets requests end, and resolves', async () => {
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using test = await TestListener.start({}, async (exchange) => {
      if (exchange.target.path === '/slow') await released;
      echoTarget(exchange);
    });
    const idle = await test.connect();
    idle.write(GET);
    await readUntil(idle, /\r\n\r\n\//);
    const busy = await test.connect();
    busy.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => test.exchanges.length === 2);

    let drained = false;
    const drain = test.listener.drain(10_000).then(() => {
      drained = true;
    });
    await readAll(idle);
    assert.equal(await refusesConnections(test.port), true);
    assert.equal(drained, false);
    release();
    assert.match(await readAll(busy), /\r\nConnection: close\r\n[\s\S]*\/slow$/);
    await drain;
    assert.equal(test.connections, 0);
  });

  it('cuts at the deadline what will not end', async () => {
    await using test = await TestListener.start({}, () => new Promise(() => {}));
    const busy = await test.connect();
    busy.write(GET);
    await until(() => test.exchanges.length === 1);
    await test.listener.drain(50);
    assert.equal(test.last.aborted, true);
  });

  it('without connections resolves at once', async () => {
    await using test = await TestListener.start();
    await test.listener.drain(10_000);
  });
});

describe('opening', () => {
  it('says what is wrong where the address is taken', async () => {
    await using test = await TestListener.start();
    const handlers = { exchange: () => {}, refuse: () => {}, connectionOpened: () => {}, connectionClosed: () => {} };
    await assert.rejects(openListener(listenerOptions({ port: test.port }), handlers, ownCounts()), {
      code: 'EADDRINUSE',
    });
  });

  it('two listeners share a port where both say so', async () => {
    await using first = await TestListener.start({ reusePort: true });
    await using second = await TestListener.start({ reusePort: true, port: first.port });
    assert.equal(second.port, first.port);
  });
});
