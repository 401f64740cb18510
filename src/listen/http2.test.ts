import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants, type OutgoingHttpHeaders } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import type { Exchange } from '../exchange.ts';
import type { TlsMaterial } from './listener-options.ts';
import { Client, DATA, END_STREAM, GOAWAY, HEADERS, RawClient, RST_STREAM, requestWith } from './test-http2.ts';
import { echoTarget, makeCa, reply, TestListener, type TestOptions, tlsMaterial, until } from './test-listener.ts';

let tls: TlsMaterial;
before(async () => {
  const ca = await makeCa();
  tls = tlsMaterial([await ca.issue('a.example', 'b.example')]);
});

const start = (options: TestOptions = {}, answer: (exchange: Exchange) => void | Promise<void> = echoTarget) =>
  TestListener.start({ tls, ...options }, answer);

describe('a request over HTTP/2', () => {
  let test: TestListener;
  before(async () => {
    test = await start({ limits: { headerCount: 20, headerBytes: 4096, targetBytes: 1000 } });
  });
  after(() => test[Symbol.asyncDispose]());

  it('is served, and the exchange knows its facts', async () => {
    using client = new Client(test);
    const answer = await client.fetch({
      ':path': '/%61?b=c',
      'x-user': 'root',
      x_user: 'root',
      'x-mine': 'kept',
      'x-forwarded-for': '1.1.1.1',
    });
    assert.deepEqual([answer.status, answer.text], [200, '/a']);
    assert.match(String(answer.headers['date']), /GMT$/);
    const {
      httpVersion,
      method,
      scheme,
      authority,
      host,
      target,
      headers,
      body,
      upgrade,
      wire,
      tls: facts,
      clientAddress,
    } = test.last;
    assert.deepEqual(
      { httpVersion, method, scheme, authority, host },
      { httpVersion: '2', method: 'GET', scheme: 'https', authority: 'a.example', host: 'a.example' },
    );
    assert.deepEqual(target, { path: '/a', query: 'b=c', encodedDelimiters: false });
    assert.deepEqual(headers.raw, ['x-mine', 'kept']);
    assert.deepEqual([body, upgrade, wire.takeOver], [undefined, undefined, undefined]);
    assert.deepEqual([facts?.protocol, clientAddress], ['TLSv1.3', '127.0.0.1']);
  });

  it('has one Cookie, however many it came in (RFC 9113 §8.2.3)', async () => {
    using client = await RawClient.connect(test);
    client.request(1, requestWith({}, ['cookie', 'a=1'], ['x-a', 'b'], ['cookie', 'c=2'], ['cookie', 'd=3']));
    await client.frame(({ type, stream }) => type === HEADERS && stream === 1);
    assert.deepEqual(test.last.headers.raw, ['cookie', 'a=1; c=2; d=3', 'x-a', 'b']);
  });

  it('may name its host in Host', async () => {
    using client = await RawClient.connect(test);
    client.request(1, requestWith({ ':authority': undefined }, ['host', 'B.example']));
    await client.frame(({ type, stream }) => type === HEADERS && stream === 1);
    assert.equal(test.last.host, 'b.example');
  });

  // biome-ignore format: aligned on purpose, one case a row
  const reset: readonly [why: string, fields: [string, string][]][] = [
    ['no :method',                     requestWith({ ':method': undefined })],
    ['no :scheme',                     requestWith({ ':scheme': undefined })],
    ['no :path',                       requestWith({ ':path': undefined })],
    ['an empty :path',                 requestWith({ ':path': '' })],
    ['a second :path',                 requestWith({}, [':path', '/y'])],
    ['a pseudo-header field late',     [...requestWith({ ':path': undefined }, ['x-a', 'b']), [':path', '/x']]],
    ['an unknown pseudo-header field', requestWith({}, [':secret', 'x'])],
    [':protocol',                      requestWith({ ':method': 'CONNECT' }, [':protocol', 'websocket'])],
    ['an uppercase name',              requestWith({}, ['X-A', 'b'])],
    ['connection',                     requestWith({}, ['connection', 'close'])],
    ['transfer-encoding',              requestWith({}, ['transfer-encoding', 'chunked'])],
    ['keep-alive',                     requestWith({}, ['keep-alive', '5'])],
    ['upgrade',                        requestWith({}, ['upgrade', 'websocket'])],
    ['proxy-connection',               requestWith({}, ['proxy-connection', 'x'])],
    ['te other than trailers',         requestWith({}, ['te', 'gzip'])],
    ['a second content-length',        requestWith({}, ['content-length', '0'], ['content-length', '0'])],
    ['a content-length that is none',  requestWith({}, ['content-length', '+0'])],
    ['a content-length without a body', requestWith({}, ['content-length', '5'])],
  ];
  for (const [why, fields] of reset) {
    it(`with ${why} is reset or refused, and the connection lives (attack 20)`, async () => {
      const served = test.exchanges.length;
      using client = await RawClient.connect(test);
      client.request(1, fields);
      client.request(3, requestWith({}));
      await client.frame(({ type, stream }) => type === HEADERS && stream === 3);
      const answer = await client.frame(
        ({ type, stream, flags }) => stream === 1 && (type === RST_STREAM || (flags & END_STREAM) !== 0),
      );
      assert.equal(test.exchanges.length, served + 1);
      assert.equal(test.last.target.path, '/x');
      if (answer.type !== RST_STREAM) {
        const body = client.frames.filter(({ type, stream }) => type === DATA && stream === 1);
        assert.match(String(Buffer.concat(body.map(({ payload }) => payload))), /"status":400/);
      }
    });
  }

  // biome-ignore format: aligned on purpose, one case a row
  const refused: readonly [status: number, why: string, headers: OutgoingHttpHeaders][] = [
    [400, 'another Host than :authority', { host: 'b.example' }],
    [400, 'credentials in :authority',    { ':authority': 'u:p@a.example' }],
    [400, 'another scheme',               { ':scheme': 'http' }],
    [400, 'a dot segment',                { ':path': '/pub/%2e%2e/admin' }],
    [400, 'a path without a slash',       { ':path': 'https://a.example/x' }],
    [400, 'obs-text in a value',          { 'x-a': 'caf\xe9' }],
    [400, '* for GET',                    { ':path': '*' }],
    [414, 'a target that is too long',    { ':path': `/${'a'.repeat(1000)}` }],
    [417, 'an unknown expectation',       { expect: 'x', ':method': 'POST' }],
    [431, 'too many fields',              Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`x-${at}`, 'a']))],
    [431, 'a head that is too large',     { 'x-a': 'b'.repeat(4090) }],
    [501, 'TRACE',                        { ':method': 'TRACE' }],
    [501, 'an unknown method',            { ':method': 'FROBNICATE' }],
  ];
  for (const [status, why, headers] of refused) {
    it(`with ${why} → ${status}`, async () => {
      const served = test.exchanges.length;
      using client = new Client(test);
      const answer = await client.fetch(headers);
      // Some of it nghttp2 resets by itself.
      if (answer.reset === 0) assert.equal(answer.headers['content-type'], 'application/problem+json');
      assert.equal(answer.status, answer.reset === 0 ? status : 0);
      assert.equal(test.exchanges.length, served);
      assert.equal((await client.fetch()).status, 200);
    });
  }

  for (const field of [
    ['x a', 'b'],
    ['x-a', 'b\r\nx-user: root'],
    ['x-a', 'b\nc'],
    ['x-a', 'b\0c'],
    ['x-a', ' b'],
  ] satisfies [string, string][]) {
    it(`with the field ${JSON.stringify(field)} loses it: nghttp2 drops what is no field`, async () => {
      using client = await RawClient.connect(test);
      client.request(1, requestWith({}, field, ['x-b', 'c']));
      await client.frame(
        ({ type, stream, flags }) => stream === 1 && (type === RST_STREAM || (flags & END_STREAM) !== 0),
      );
      assert.deepEqual(test.last.headers.raw, ['x-b', 'c']);
    });
  }

  it('with two Authorizations → 400', async () => {
    using client = await RawClient.connect(test);
    const served = test.exchanges.length;
    client.request(1, requestWith({}, ['authorization', 'a'], ['authorization', 'b']));
    await client.frame(({ type, stream }) => type === DATA && stream === 1);
    assert.equal(test.exchanges.length, served);
  });
});

describe('bodies and replies over HTTP/2', () => {
  const echo = async (exchange: Exchange): Promise<void> => {
    let text = '';
    for await (const chunk of exchange.body ?? []) text += chunk;
    exchange.wire.head(200, [
      'Content-Type',
      'text/plain',
      'Connection',
      'close',
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
    ]);
    exchange.wire.end(`${text}|${exchange.bodyLength}|${exchange.trailers() ?? ''}`, ['X-Sum', '5']);
  };

  it('stream both ways, with trailers', async () => {
    await using test = await start({}, echo);
    using client = new Client(test);
    const answer = await client.fetch({ ':method': 'POST' }, 'hello', {
      'x-sum': '5',
      'x-user': 'root',
      authorization: 'x',
    });
    assert.equal(answer.text, 'hello|undefined|x-sum,5');
    assert.deepEqual(answer.trailers['x-sum'], '5');
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
    assert.equal('connection' in answer.headers, false);
    assert.equal((await client.fetch({ ':method': 'POST', 'content-length': 5 }, 'hello')).text, 'hello|5|');
  });

  it('a body of another length than declared is never taken for a complete one', async () => {
    await using test = await start({}, echo);
    for (const body of ['hell', 'hello!']) {
      using client = await RawClient.connect(test);
      client.request(1, requestWith({ ':method': 'POST' }, ['content-length', '5']), 0);
      client.send(DATA, END_STREAM, 1, Buffer.from(body));
      await client.frame(({ type, stream }) => type === GOAWAY || (type === RST_STREAM && stream === 1));
      await until(() => test.last.aborted);
    }
    using honest = new Client(test);
    assert.equal((await honest.fetch({ ':method': 'POST', 'content-length': 5 }, 'hello')).text, 'hello|5|');
  });

  it('HEAD, 204 and 304 have no body', async () => {
    await using test = await start({}, (exchange) => {
      exchange.wire.head(Number(exchange.target.path.slice(1)), ['Content-Length', '5']);
      exchange.wire.write(Buffer.from('hel'));
      exchange.wire.end('lo', undefined);
    });
    using client = new Client(test);
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ] as const) {
      const answer = await client.fetch({ ':method': method, ':path': `/${status}` });
      assert.deepEqual([answer.status, answer.text, answer.reset], [status, '', 0]);
      assert.equal(answer.headers['content-length'], status === 204 ? undefined : '5');
    }
  });

  it('invalid fields are not sent, and another reply can take their place (attack 23)', async () => {
    for (const value of ['b\r\nset-cookie: evil=1', 'b\0set-cookie\0evil', 'b\u010ac']) {
      await using test = await start({}, (exchange) => {
        assert.throws(() => exchange.wire.head(200, ['X-A', value]));
        reply(exchange, 502, [], 'other');
      });
      using client = new Client(test);
      const answer = await client.fetch();
      assert.deepEqual([answer.status, answer.text, answer.headers['set-cookie']], [502, 'other', undefined]);
    }
  });

  it('a reply of another length than declared, or aborted, is reset', async () => {
    await using test = await start({}, (exchange) => {
      exchange.wire.head(200, exchange.target.path === '/abort' ? [] : ['Content-Length', '5']);
      if (exchange.target.path === '/abort') exchange.wire.abort();
      else exchange.wire.end(exchange.target.path, undefined);
    });
    using client = new Client(test);
    for (const path of ['/abc', '/abcdef', '/abort'])
      assert.notEqual((await client.fetch({ ':path': path })).reset, 0, path);
    assert.equal((await client.fetch({ ':path': '/abcd' })).text, '/abcd');
  });

  it('100 Continue is sent when the body is read', async () => {
    await using test = await start({}, echo);
    using client = new Client(test);
    const stream = client.session.request({ ':method': 'POST', ':authority': 'a.example', expect: '100-continue' });
    await once(stream, 'continue');
    stream.end('hello');
    await once(stream, 'response');
    stream.destroy();
  });

  it('a reader that is slow makes the road wait, and is not lost', async () => {
    let sent = 0;
    await using test = await start({}, (exchange) => {
      const pump = () => {
        while (sent < 200) {
          sent += 1;
          if (!exchange.wire.write(Buffer.alloc(16_384, 'x'))) return;
        }
        exchange.wire.end(undefined, undefined);
      };
      exchange.wire.head(200, []);
      exchange.wire.onDrain = pump;
      pump();
    });
    using client = new Client(test);
    const stream = client.session.request({ ':authority': 'a.example' });
    await once(stream, 'response');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(sent < 200, 'all was taken at once: nothing asked the road to wait');
    let taken = 0;
    for await (const chunk of stream) taken += chunk.length;
    assert.equal(taken, 200 * 16_384);
  });

  it('a stream that is reset tells the road, and the others go on', async () => {
    await using test = await start({}, (exchange) =>
      exchange.target.path === '/wait' ? undefined : echoTarget(exchange),
    );
    using client = new Client(test);
    const stream = client.session.request({ ':authority': 'a.example', ':path': '/wait' });
    stream.on('error', () => undefined);
    await until(() => test.exchanges.length === 1);
    stream.close(constants.NGHTTP2_CANCEL);
    await until(() => test.last.aborted);
    assert.equal((await client.fetch()).status, 200);
  });

  it('a refused upload is answered and stopped', async () => {
    await using test = await start();
    using client = new Client(test);
    const answer = await client.fetch({ ':method': 'POST', ':path': '/a/../b' }, 'x'.repeat(1 << 20));
    assert.equal(answer.status, 400);
    assert.equal((await client.fetch()).status, 200);
  });
});

describe('a drain of HTTP/2', () => {
  it('says GOAWAY, lets streams end, and resolves', async () => {
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using test = await start({}, async (exchange) => {
      await released;
      echoTarget(exchange);
    });
    using client = new Client(test);
    const answer = client.fetch({ ':path': '/slow' });
    await until(() => test.exchanges.length === 1);
    const goaway = once(client.session, 'goaway');
    const drained = test.listener.drain(10_000);
    await goaway;
    release();
    assert.equal((await answer).text, '/slow');
    await drained;
    assert.equal(test.connections, 0);
  });
});
