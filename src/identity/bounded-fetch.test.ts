import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createBoundedFetch, type FetchBounds, FetchFailed, isPublicAddress } from './bounded-fetch.ts';

const answers: Readonly<Record<string, RequestListener>> = {
  '/json': (_, response) => response.setHeader('content-type', 'application/json').end('{"a":1}'),
  '/echo': (request, response) => request.pipe(response),
  '/missing': (_, response) => response.writeHead(404).end('no'),
  '/moved': (_, response) => response.writeHead(302, { location: '/json' }).end(),
  '/large': (_, response) => response.end('x'.repeat(2_000)),
  '/endless': (_, response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(1_000)));
    };
    response.on('drain', more);
    more();
  },
  '/packed': (_, response) => response.setHeader('content-encoding', 'gzip').end('x'),
  '/never': () => undefined,
  '/dribble': (_, response) => void response.write('x'),
  '/cut': (_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('x', () => response.destroy());
  },
};

describe('bounded fetch', () => {
  let reached = 0;
  const server = createServer((request, response) => {
    reached += 1;
    answers[request.url ?? '']?.(request, response);
  });
  let origin = '';

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${port()}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  function port(): number {
    return (server.address() as AddressInfo).port; // listening on TCP
  }

  async function fetch(url: string, bounds: Partial<FetchBounds> = {}, body?: string) {
    const client = createBoundedFetch({ maxBytes: 1_000, timeoutMs: 5_000, allows: () => true, ...bounds });
    try {
      return await client.fetch(url, body === undefined ? {} : { body });
    } finally {
      await client.close();
    }
  }

  async function fault(url: string, bounds: Partial<FetchBounds> = {}): Promise<string> {
    const failure = await fetch(url, bounds).catch((error: unknown) => error);
    assert.ok(failure instanceof FetchFailed, `${url}: ${String(failure)}`);
    return failure.fault;
  }

  test('a document comes with its status and type', async () => {
    const found = await fetch(`${origin}/json`);
    assert.deepEqual(found, {
      status: 200,
      contentType: 'application/json',
      cacheControl: undefined,
      text: '{"a":1}',
    });
    assert.equal((await fetch(`${origin}/missing`)).status, 404);
    assert.equal((await fetch(`${origin}/echo`, {}, 'token=abc')).text, 'token=abc');
  });

  test('attack 44: redirects, surplus bytes, content codings and slow answers are refused', async () => {
    assert.equal(await fault(`${origin}/moved`), 'redirect');
    assert.equal(await fault(`${origin}/large`), 'size');
    assert.equal(await fault(`${origin}/endless`), 'size');
    assert.equal(await fault(`${origin}/packed`), 'encoding');
    assert.equal(await fault(`${origin}/never`, { timeoutMs: 100 }), 'timeout');
    assert.equal(await fault(`${origin}/dribble`, { timeoutMs: 100 }), 'timeout');
    assert.equal(await fault(`${origin}/cut`), 'unreachable');
  });

  test('attack 44: an address that is not allowed is not connected to, however it is written', async () => {
    const asked: string[] = [];
    const allows = (address: string) => {
      asked.push(address);
      return isPublicAddress(address);
    };
    const before = reached;
    for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]', 'localhost'])
      assert.equal(await fault(`https://${host}:${port()}/json`, { allows }), 'address', host);
    assert.equal(reached, before);
    assert.deepEqual(new Set(asked), new Set(['127.0.0.1', '::1']));
  });

  test('attack 44: a name is judged by the look-up of the connection itself', async () => {
    assert.equal(
      (await fetch(`http://localhost:${port()}/json`, { allows: (a) => a === '127.0.0.1' || a === '::1' })).status,
      200,
    );
    assert.equal(await fault(`http://localhost:${port()}/json`, { allows: () => false }), 'address');
  });

  test('only https, and http to this machine; no credentials, no fragment, no other scheme', async () => {
    for (const url of [
      'http://example.com/jwks',
      'ftp://example.com/jwks',
      'file:///etc/passwd',
      'data:application/json,{}',
      'https://user:secret@example.com/',
      'https://example.com/#a',
      'example.com',
      '',
      `https://example.com/${'a'.repeat(3_000)}`,
    ])
      assert.equal(await fault(url), 'url', url);
  });

  test('what is not there is unreachable', async () => {
    assert.equal(await fault('https://nothing.invalid/'), 'unreachable');
    assert.equal(await fault('http://127.0.0.1:1/'), 'unreachable');
  });
});

test('addresses that are not of the public internet', () => {
  for (const address of [
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.255.0.1',
    '169.254.169.254',
    '172.31.0.1',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:a00:1',
    '64:ff9b::7f00:1',
    'fe80::1%eth0',
    'fd00::1',
    'ff02::1',
    '2001:db8::1',
    '2002:7f00:1::',
    'example.com',
    '',
  ])
    assert.equal(isPublicAddress(address), false, address);
  for (const address of ['1.1.1.1', '8.8.8.8', '172.32.0.1', '::ffff:8.8.8.8', '2606:4700::1111', '2a00:1450::1'])
    assert.equal(isPublicAddress(address), true, address);
});
