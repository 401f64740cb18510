import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { freePort, startGateway, type TestGateway } from './support/gateway.ts';
import { type Answered, ask } from './support/http-client.ts';
import { sendRaw } from './support/raw-client.ts';
import { until } from './support/until.ts';
import { startUpstream, type TestUpstream } from './support/upstream.ts';

describe('the pages of the gateway itself', { timeout: 60_000 }, () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;
  let internalPort: number;

  before(async () => {
    upstream = await startUpstream();
    port = await freePort();
    internalPort = await freePort();
    gateway = await startGateway(`
listeners:
  - { name: public, address: 127.0.0.1:${port}, tls: none }
  - { name: internal, exposure: internal, address: 127.0.0.1:${internalPort}, tls: none }
workers: 1
apis:
  - { name: open, path: /api, upstream: '${upstream.url}', authenticate: none }
  - { name: books, exposure: internal, path: /books, hosts: [books.internal], upstream: '${upstream.url}' }
`);
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  it('are there on the internal listener', async () => {
    assert.deepEqual(pick(await ask({ port: internalPort, path: '/healthz' })), { status: 200, body: 'ok\n' });
    const ready = await ask({ port: internalPort, path: '/readyz' });
    assert.equal(ready.status, 200);
    assert.equal(JSON.parse(ready.body).ready, true);
    const metrics = await ask({ port: internalPort, path: '/metrics', headers: { Host: 'anything.example.com' } });
    assert.equal(metrics.status, 200);
    assert.match(metrics.body, /^sallyport_build_info\{/m);
    assert.match(String(metrics.headers['content-type']), /^text\/plain; version=0\.0\.4/);
  });

  // Attack 58.
  for (const page of ['/metrics', '/healthz', '/readyz', '/books', '/books/1']) {
    it(`${page} is not to be had through the public listener`, async () => {
      const before = upstream.seen.length;
      const escaped = `/%${page.charCodeAt(1).toString(16)}${page.slice(2)}`;
      const spellings = [page, `${page}/`, `${page}?x=1`, escaped, page.toUpperCase()];
      const odd = [
        `/${page}`,
        `/.${page}`,
        `/api/..${page}`,
        `/api/%2e%2e${page}`,
        `/api/..;${page}`,
        `${page};x`,
        `\\${page.slice(1)}`,
      ];
      for (const target of [...spellings, ...odd]) {
        for (const host of ['localhost', `127.0.0.1:${internalPort}`, 'internal', 'BOOKS.internal.']) {
          const reply = await sendRaw({ port }, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
          assert.ok(
            reply.status === 404 || (reply.status === 400 && odd.includes(target)),
            `${target} with Host ${host}: ${reply.status}`,
          );
          assert.equal(/sallyport_|"ready"|^ok$/m.test(reply.body), false);
        }
      }
      for (const target of [`http://127.0.0.1:${internalPort}${page}`, `http://books.internal${page}`]) {
        const authority = new URL(target).host;
        assert.equal(
          (await sendRaw({ port }, `GET ${target} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)).status,
          404,
          target,
        );
      }
      const fields = [
        'X-Forwarded-Host: books.internal',
        'Forwarded: host=books.internal',
        `X-Original-URL: ${page}`,
        `X-Rewrite-URL: ${page}`,
        'X-Forwarded-For: 127.0.0.1',
      ];
      const reply = await sendRaw(
        { port },
        `GET ${page} HTTP/1.1\r\nHost: localhost\r\n${fields.join('\r\n')}\r\n\r\n`,
      );
      assert.equal(reply.status, 404);
      assert.equal(upstream.seen.length, before, 'nothing reached the upstream');
    });
  }

  it('an internal API is there on the internal listener, which carries no public one', async () => {
    assert.equal(
      (await ask({ port: internalPort, path: '/books/1', headers: { Host: 'books.internal' } })).status,
      200,
    );
    assert.equal((await ask({ port: internalPort, path: '/api' })).status, 404);
  });

  it('every line of the log is JSON, and holds no secret of the requests', async () => {
    const secrets = [
      's3cr3t-bearer',
      's3cr3t-cookie',
      's3cr3t-token',
      's3cr3t-key',
      's3cr3t-body',
      's3cr3t-basic',
      's3cr3t-referer',
    ];
    const from = gateway.log.length;
    await ask({
      port,
      path: '/api/log?access_token=s3cr3t-token&api_key=s3cr3t-key&page=7',
      method: 'POST',
      body: 's3cr3t-body',
      headers: {
        Authorization: 'Bearer s3cr3t-bearer',
        Cookie: 'session=s3cr3t-cookie',
        'X-Api-Key': 's3cr3t-key',
        'Proxy-Authorization': 'Basic s3cr3t-basic',
        Referer: 'https://app.example.com/?token=s3cr3t-referer',
        'User-Agent': 'quote " backslash \\ done',
      },
    });
    const line = await until('the access log line', () =>
      gateway.log.slice(from).find((entry) => entry['path'] === '/api/log'),
    );
    assert.equal(line['status'], 200);
    assert.equal(line['agent'], 'quote " backslash \\ done');
    assert.match(String(line['query']), /page=7/);
    const text = JSON.stringify(gateway.log);
    for (const secret of secrets) assert.equal(text.includes(secret), false, secret);
    assert.deepEqual(
      gateway.log.filter((entry) => 'unparsable' in entry),
      [],
    );
  });
});

function pick({ status, body }: Answered): { readonly status: number; readonly body: string } {
  return { status, body };
}
