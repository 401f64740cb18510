import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttps } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort, startGateway, type TestGateway } from '../support/gateway.ts';
import { head, sendRaw } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/upstream.ts';

/** Attack cases 21–23 and 31, invariant 3: an upstream that misbehaves harms nobody but its own request. */
describe('attacks by an upstream', () => {
  let raw: Awaited<ReturnType<typeof startRawUpstream>>;
  let gateway: TestGateway;
  let port: number;
  let directory: string;
  const servers: ReturnType<typeof createHttps>[] = [];

  before(async () => {
    raw = await startRawUpstream((socket, text, connection) => {
      const target = text.split(' ')[1] ?? '';
      const script = scripts[target.slice(1)];
      socket.write(
        script === undefined
          ? `HTTP/1.1 200 OK\r\nContent-Length: ${String(connection).length}\r\n\r\n${connection}`
          : Buffer.from(script, 'latin1'),
      );
      if (target === '/cut' || target === '/cut-chunked' || target === '/no-length') socket.end();
      if (target === '/reset') socket.resetAndDestroy();
    });
    directory = await mkdtemp(join(tmpdir(), 'sp-'));
    const good = certificate('good', 'DNS:localhost', 30);
    const wrongName = certificate('wrong', 'DNS:elsewhere.example.com', 30);
    const expired = certificate('expired', 'DNS:localhost', -1);
    port = await freePort();
    gateway = await startGateway(`
listeners: [{ name: public, address: 127.0.0.1:${port}, tls: none }]
workers: 1
upstreams:
  raw: { targets: ['${raw.url}'], timeouts: { connect: 1s, head: 1s, idle: 1s } }
  trusted: { targets: ['https://localhost:${await https(good)}'], tls: { ca: ${good.cert} } }
  selfsigned: { targets: ['https://localhost:${await https(good)}'] }
  wrongname: { targets: ['https://localhost:${await https(wrongName)}'], tls: { ca: ${wrongName.cert} } }
  expired: { targets: ['https://localhost:${await https(expired)}'], tls: { ca: ${expired.cert} } }
  nobody: { targets: ['http://127.0.0.1:${await freePort()}'] }
apis:
  - { name: raw, path: /raw, rewrite: /, upstream: raw, authenticate: none, errorMasking: false }
  - { name: masked, path: /masked, rewrite: /, upstream: raw, authenticate: none }
  - { name: trusted, path: /trusted, upstream: trusted, authenticate: none }
  - { name: selfsigned, path: /selfsigned, upstream: selfsigned, authenticate: none }
  - { name: wrongname, path: /wrongname, upstream: wrongname, authenticate: none }
  - { name: expired, path: /expired, upstream: expired, authenticate: none }
  - { name: nobody, path: /nobody, upstream: nobody, authenticate: none }
`);
  });

  after(async () => {
    await gateway?.stop();
    await raw?.close();
    for (const server of servers) server.close();
    await rm(directory, { recursive: true, force: true });
  });

  const scripts: Record<string, string> = {
    surplus: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison',
    'surplus-204': 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison',
    'surplus-chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\npoison',
    both: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    lengths: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nok',
    'bare-lf': 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok',
    'cr-in-value': 'HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok',
    'nul-in-cookie': 'HTTP/1.1 200 OK\r\nSet-Cookie: a=b\0c\r\nContent-Length: 2\r\n\r\nok',
    garbage: 'hello\r\n\r\n',
    'uninvited-101': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    cut: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this',
    'cut-chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    'no-length': 'HTTP/1.1 200 OK\r\n\r\nuntil close',
    reset: '',
    silent: '',
    stack:
      'HTTP/1.1 500 Oops\r\nX-Powered-By: PHP\r\nServer: secret/1\r\nContent-Length: 30\r\n\r\nError: at /srv/app/secret.js:1',
    slow: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst',
  };

  const ask = (target: string, ...fields: string[]) =>
    sendRaw({ port }, head(`GET ${target} HTTP/1.1`, ...fields), { quietMs: 4_000 });

  for (const script of ['surplus', 'surplus-204', 'surplus-chunked']) {
    it(`${script}: the reply passes, the bytes behind it reach nobody, the connection is not used again`, async () => {
      const connections = raw.connections;
      const first = await ask(`/raw/${script}`, 'Connection: close');
      assert.equal(first.status, script === 'surplus-204' ? 204 : 200);
      assert.ok(!first.text.includes('poison'));
      const second = await ask('/raw/plain');
      assert.equal(second.status, 200);
      assert.ok(!second.text.includes('poison'));
      assert.ok(raw.connections > connections, 'the connection was used again');
    });
  }

  for (const script of [
    'both',
    'lengths',
    'bare-lf',
    'cr-in-value',
    'nul-in-cookie',
    'garbage',
    'uninvited-101',
    'reset',
  ]) {
    it(`${script}: 502, and the client learns nothing of it`, async () => {
      const reply = await ask(`/raw/${script}`);
      assert.equal(reply.status, 502);
      assert.match(reply.body, /"code":"bad-gateway"/);
      assert.ok(!/evil|127\.0\.0\.1|ECONN|Content-Length: 2\b/.test(reply.text), reply.text);
    });
  }

  for (const script of ['cut', 'cut-chunked']) {
    it(`${script}: the client can see that the reply is incomplete`, async () => {
      const reply = await ask(`/raw/${script}`);
      assert.equal(reply.status, 200);
      assert.ok(reply.closed);
      assert.ok(!reply.text.endsWith('0\r\n\r\n'), 'the end was made up');
    });
  }

  it('a body that ends with its connection arrives whole', async () => {
    const reply = await ask('/raw/no-length', 'Connection: close');
    assert.match(reply.text, /until close/);
  });

  it('an upstream that never answers: 504; one that stops in its body: the reply is cut', async () => {
    assert.equal((await ask('/raw/silent')).status, 504);
    const slow = await ask('/raw/slow');
    assert.equal(slow.status, 200);
    assert.ok(slow.closed);
  });

  it('an upstream that is not there: 503', async () => assert.equal((await ask('/nobody')).status, 503));

  it('an error of an upstream is masked by default, status kept', async () => {
    const reply = await ask('/masked/stack');
    assert.equal(reply.status, 500);
    assert.match(reply.head, /application\/problem\+json/);
    assert.ok(!/secret|PHP|\/srv/.test(reply.text), reply.text);
  });

  it('a certificate that verifies is talked to; others are not (502)', async () => {
    assert.equal((await ask('/trusted')).status, 200);
    for (const kind of ['selfsigned', 'wrongname', 'expired']) {
      const reply = await ask(`/${kind}`);
      assert.equal(reply.status, 502, kind);
      assert.match(reply.body, /"code":"bad-gateway"/);
    }
  });

  function certificate(name: string, san: string, days: number): { cert: string; key: string } {
    const cert = join(directory, `${name}.pem`);
    const key = join(directory, `${name}.key`);
    const dates =
      days > 0 ? ['-days', String(days)] : ['-not_before', '20200101000000Z', '-not_after', '20200201000000Z'];
    try {
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-keyout',
          key,
          '-out',
          cert,
          '-subj',
          `/CN=${name}`,
          '-addext',
          `subjectAltName=${san}`,
          ...dates,
        ],
        { stdio: 'pipe' },
      );
    } catch (error) {
      if (days > 0) throw error;
      // OpenSSL before 3.4 has no -not_after; `x509 -days` takes a negative number instead.
      execFileSync(
        'openssl',
        [
          'req',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-keyout',
          key,
          '-out',
          `${cert}.csr`,
          '-subj',
          `/CN=${name}`,
          '-addext',
          `subjectAltName=${san}`,
        ],
        { stdio: 'pipe' },
      );
      execFileSync(
        'openssl',
        [
          'x509',
          '-req',
          '-in',
          `${cert}.csr`,
          '-signkey',
          key,
          '-out',
          cert,
          '-days',
          '-1',
          '-copy_extensions',
          'copy',
        ],
        { stdio: 'pipe' },
      );
    }
    return { cert, key };
  }

  async function https(files: { cert: string; key: string }): Promise<number> {
    const server = createHttps({ cert: readFileSync(files.cert), key: readFileSync(files.key) }, (_request, response) =>
      response.end('secret'),
    );
    server.on('tlsClientError', () => {});
    server.listen(0, 'localhost');
    await once(server, 'listening');
    servers.push(server);
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }
});
