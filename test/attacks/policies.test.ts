import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { freePort, startGateway, type TestGateway } from '../support/gateway.ts';
import { devCaOf } from '../support/gateway-under-attack.ts';
import { headerBlock } from '../support/hpack.ts';
import { type Http2Target, headersFrame, openHttp2, requestFields } from '../support/http2-frames.ts';
import { head, type RawReply, sendRaw } from '../support/raw-client.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

/** Attack cases 2, 28, 52, 53 and 58 over the wire: what policies promise holds for every reply, and for every spelling of a request. */
describe('attacks on policies', () => {
  let upstream: TestUpstream;
  let secret: TestUpstream;
  let gateway: TestGateway;
  let port: number;
  let closedToUs: number;
  let closedToOthers: number;
  let internal: number;
  let h2: Http2Target;

  before(async () => {
    upstream = await startUpstream((_request, response, seen) => {
      const status = Number(/status=(\d+)/.exec(seen.target)?.[1] ?? 200);
      const body = status >= 500 ? 'Error: SELECT secret FROM users at /srv/app/db.js:12 on 10.0.0.5' : 'ok';
      response.writeHead(status, {
        'Content-Length': body.length,
        'Access-Control-Allow-Origin': '*',
        'X-Powered-By': 'PHP/5.3',
        Server: 'secret/1.2',
        'X-Debug-Token': 'secret',
        'X-Exception': 'secret',
        ...(status >= 500 ? { 'Set-Cookie': 'secret=1', Location: 'http://secret.internal/', 'Retry-After': '7' } : {}),
      });
      response.end(seen.method === 'HEAD' ? undefined : body);
    });
    secret = await startUpstream();
    [port, closedToUs, closedToOthers, internal] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    const tlsPort = await freePort();
    gateway = await startGateway(`
listeners:
  - { name: public, address: 127.0.0.1:${port}, tls: none }
  - { name: public-tls, address: 127.0.0.1:${tlsPort} }
  - { name: closed-to-us, address: 127.0.0.1:${closedToUs}, tls: none, deny: [127.0.0.1] }
  - { name: closed-to-others, address: 127.0.0.1:${closedToOthers}, tls: none, allow: [10.0.0.0/8] }
  - { name: internal, exposure: internal, address: 127.0.0.1:${internal}, tls: none }
workers: 1
upstreams:
  nobody: { targets: ['http://127.0.0.1:${await freePort()}'] }
apis:
  - name: shared
    path: /shared
    upstream: '${upstream.url}'
    authenticate: none
    cors: { origins: ['https://app.example.com'], credentials: true }
    requestLimits: { bodyBytes: 1KiB, methods: [GET, HEAD, POST, OPTIONS] }
  - name: down
    path: /down
    upstream: nobody
    authenticate: none
    cors: { origins: ['https://app.example.com'] }
  - { name: plain, path: /plain, upstream: '${upstream.url}', authenticate: none }
  - { name: guarded, path: /guarded, upstream: '${upstream.url}', authenticate: none, cors: { origins: ['https://app.example.com'] }, ipAccess: { deny: [127.0.0.0/8] } }
  - { name: open-delimiters, path: /files, upstream: '${upstream.url}', authenticate: none, requestLimits: { allowEncodedDelimiters: true } }
  - { name: admin, exposure: internal, path: /admin, hosts: [admin.example.com], upstream: '${secret.url}' }
  - { name: ops, exposure: internal, path: /ops, upstream: '${secret.url}' }
`);
    h2 = { port: tlsPort, ca: devCaOf(gateway) };
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
    await secret?.close();
  });

  const app = 'Origin: https://app.example.com';
  const ask = (line: string, ...fields: string[]): Promise<RawReply> =>
    sendRaw({ port }, head(`${line} HTTP/1.1`, ...fields));
  const field = (reply: RawReply, name: string): string | undefined =>
    new RegExp(`^${name}: (.*)$`, 'im').exec(reply.head)?.[1];

  describe('CORS', () => {
    it('an allowed origin may read the reply; what the upstream says of CORS does not count', async () => {
      const reply = await ask('GET /shared', app);
      assert.equal(field(reply, 'access-control-allow-origin'), 'https://app.example.com');
      assert.equal(reply.head.match(/access-control-allow-origin/gi)?.length, 1);
      assert.match(field(reply, 'vary') ?? '', /\bOrigin\b/i);
    });

    for (const origin of [
      'null',
      'https://app.example.com.evil.com',
      'https://evilapp.example.com',
      'https://evil-app.example.com',
      'http://app.example.com',
      'https://app.example.com:8443',
      'https://app.example.com/',
      'https://app.example.com#',
      'HTTPS://APP.EXAMPLE.COM',
      'https://app.example.com@evil.com',
      'https://evil.com/https://app.example.com',
      'https://app.example.com, https://evil.com',
      'https://app.example.com https://evil.com',
      'https://app.example.com.',
      'https://appXexample.com',
      'app.example.com',
      '*',
      '',
      'https://app.example.com%00.evil.com',
      'https://app.example.com`.evil.com',
      'file://',
      'https://localhost',
    ]) {
      it(`origin ${JSON.stringify(origin)} may read nothing`, async () => {
        for (const reply of [
          await ask('GET /shared', `Origin: ${origin}`),
          await ask('GET /shared/status=500', `Origin: ${origin}`),
          await ask('OPTIONS /shared', `Origin: ${origin}`, 'Access-Control-Request-Method: POST'),
        ]) {
          assert.equal(field(reply, 'access-control-allow-origin'), undefined);
          assert.equal(field(reply, 'access-control-allow-credentials'), undefined);
          assert.match(field(reply, 'vary') ?? '', /\bOrigin\b/i);
        }
      });
    }

    it('two Origin fields may read nothing', async () => {
      assert.equal(
        field(await ask('GET /shared', app, 'Origin: https://evil.com'), 'access-control-allow-origin'),
        undefined,
      );
    });

    it('Vary names Origin even where the request has none', async () =>
      assert.match(field(await ask('GET /shared'), 'vary') ?? '', /\bOrigin\b/i));

    it('a preflight is answered before anything else, and never reaches the upstream', async () => {
      const before = upstream.seen.length;
      const reply = await ask(
        'OPTIONS /shared/x',
        app,
        'Access-Control-Request-Method: DELETE',
        'Access-Control-Request-Headers: authorization',
      );
      assert.equal(reply.status, 204);
      assert.equal(field(reply, 'access-control-allow-origin'), 'https://app.example.com');
      assert.match(field(reply, 'access-control-allow-methods') ?? '', /DELETE/);
      assert.equal((await ask('OPTIONS /down/x', app, 'Access-Control-Request-Method: POST')).status, 204);
      assert.equal(upstream.seen.length, before);
    });

    it('an API without CORS sends none of its own, and answers no preflight', async () => {
      const before = upstream.seen.length;
      await ask('OPTIONS /plain', app, 'Access-Control-Request-Method: POST');
      assert.equal(upstream.seen.length, before + 1);
    });

    for (const [what, status, request] of [
      [
        '413',
        413,
        () => sendRaw({ port }, `${head('POST /shared HTTP/1.1', app, 'Content-Length: 2000')}${'a'.repeat(2_000)}`),
      ],
      [
        '415',
        415,
        () =>
          sendRaw(
            { port },
            `${head('POST /shared HTTP/1.1', app, 'Content-Encoding: gzip, gzip', 'Content-Length: 1')}a`,
          ),
      ],
      ['405', 405, () => ask('DELETE /shared', app)],
      ['400', 400, () => ask('GET /shared/a%2Fb', app)],
      ['404 of the upstream', 404, () => ask('GET /shared/status=404', app)],
      ['a masked 500', 500, () => ask('GET /shared/status=500', app)],
      ['503', 503, () => ask('GET /down', app)],
      ['403 by address', 403, () => ask('GET /guarded', app)],
    ] as const) {
      it(`${what} can be read by the allowed origin, and carries the security headers`, async () => {
        const reply = await request();
        assert.equal(reply.status, status);
        assert.equal(field(reply, 'access-control-allow-origin'), 'https://app.example.com');
        assert.match(field(reply, 'vary') ?? '', /\bOrigin\b/i);
        assert.equal(field(reply, 'x-content-type-options'), 'nosniff');
        assert.equal(field(reply, 'referrer-policy'), 'no-referrer');
      });
    }

    it('404 of the gateway carries the security headers and lets no origin read it', async () => {
      const reply = await ask('GET /nothing', app);
      assert.equal(reply.status, 404);
      assert.equal(field(reply, 'x-content-type-options'), 'nosniff');
      assert.equal(field(reply, 'access-control-allow-origin'), undefined);
    });
  });

  describe('error masking', () => {
    for (const status of [500, 501, 502, 503, 504, 599]) {
      it(`a ${status} of an upstream tells nothing but its status`, async () => {
        for (const accept of ['*/*', 'text/html']) {
          const reply = await ask(`GET /plain/status=${status}`, `Accept: ${accept}`);
          assert.equal(reply.status, status);
          assert.ok(!/secret|SELECT|PHP|srv|10\.0\.0\.5/.test(reply.text), reply.text);
          assert.equal(field(reply, 'retry-after'), '7');
        }
      });
    }

    it('the log has what the client did not get, under its request id', async () => {
      const id = field(await ask('GET /plain/status=500'), 'x-request-id');
      const line = await gateway.logged((each) => each['requestId'] === id);
      assert.match(JSON.stringify(line), /the upstream answered 500/);
    });

    it('debug fields go from good replies too; other errors pass', async () => {
      const reply = await ask('GET /plain');
      assert.ok(!/secret|PHP/.test(reply.text), reply.text);
      assert.match((await ask('GET /plain/status=404')).text, /ok$/);
    });

    it('an upstream that is not there: no address, port or error of the system', async () => {
      const reply = await ask('GET /down');
      assert.ok(!/ECONN|127\.0\.0\.1|refused|nobody/.test(reply.text), reply.text);
    });
  });

  describe('addresses', () => {
    it('a listener closed to an address does not serve it, whatever it says of itself', async () => {
      const before = upstream.seen.length;
      for (const at of [closedToUs, closedToOthers]) {
        for (const fields of [
          [],
          ['X-Forwarded-For: 10.0.0.1'],
          ['Forwarded: for=10.0.0.1'],
          ['X-Real-IP: 10.0.0.1', 'True-Client-IP: 10.0.0.1', 'CF-Connecting-IP: 10.0.0.1'],
        ]) {
          const reply = await sendRaw({ port: at }, head('GET /plain HTTP/1.1', ...fields));
          assert.ok(reply.status === 0 || reply.status === 403, `status ${reply.status}`);
        }
      }
      assert.equal(upstream.seen.length, before);
    });

    it('an API closed to an address does not serve it, whatever it says of itself', async () => {
      const before = upstream.seen.length;
      for (const fields of [
        [],
        ['X-Forwarded-For: 10.0.0.1'],
        ['Forwarded: for=10.0.0.1'],
        ['X-Forwarded-For: 10.0.0.1', 'Via: 1.1 trusted'],
      ]) {
        assert.equal((await ask('GET /guarded', ...fields)).status, 403);
      }
      assert.equal(upstream.seen.length, before);
    });
  });

  describe('exposure', () => {
    const targets = [
      '/admin',
      '/admin/',
      '/admin/users',
      '/ADMIN',
      '/%61dmin',
      '/admin%2Fx',
      '/admin;x',
      '/ops',
      '/ops/x',
      '/%6Fps',
      '/ops?x',
      '/metrics',
      '/healthz',
      '/readyz',
      '/%6Detrics',
      '/plain/../ops',
      '/plain/%2e%2e/ops',
      '//ops',
      '/./ops',
      '/plain/..;/ops',
      '/files/..%2Fops',
      '/files/%2e%2e%2fops',
      '/files/..%5Cops',
      '\\ops',
      'http://admin.example.com/admin',
      'http://localhost/ops',
      'http://127.0.0.1/ops',
      'http://[::1]/ops',
      '*',
    ];
    const hosts = [
      'localhost',
      'admin.example.com',
      'ADMIN.EXAMPLE.COM',
      'admin.example.com.',
      '127.0.0.1',
      '[::1]',
      '0.0.0.0',
    ];

    it('an internal API is served by the internal listener', async () => {
      assert.equal((await sendRaw({ port: internal }, head('GET /ops HTTP/1.1'))).status, 200);
      assert.equal(
        (await sendRaw({ port: internal }, 'GET /admin HTTP/1.1\r\nHost: admin.example.com\r\n\r\n')).status,
        200,
      );
      assert.equal((await sendRaw({ port: internal }, head('GET /healthz HTTP/1.1'))).status, 200);
    });

    for (const host of hosts) {
      it(`through the public listener there is none, as ${host}, in any spelling`, async () => {
        const before = secret.seen.length;
        await Promise.all(
          targets.map(async (target) => {
            for (const withPort of [host, `${host}:${port}`, `${host}:${internal}`]) {
              const reply = await sendRaw(
                { port },
                `GET ${target} HTTP/1.1\r\nHost: ${withPort}\r\nConnection: close\r\nX-Forwarded-Host: admin.example.com\r\nX-Original-URL: /ops\r\nX-Rewrite-URL: /ops\r\n\r\n`,
              );
              assert.ok(reply.status === 404 || reply.status === 400, `${target} as ${withPort}: ${reply.status}`);
            }
          }),
        );
        assert.equal(secret.seen.length, before);
      });
    }

    it('nor through HTTP/2', async () => {
      const before = secret.seen.length;
      const connection = await openHttp2(h2);
      let stream = 1;
      for (const authority of ['localhost', 'admin.example.com', `127.0.0.1:${internal}`]) {
        for (const path of targets) {
          connection.write(headersFrame(stream, headerBlock(requestFields(path, 'GET', authority))));
          const reply = await connection.reply(stream);
          assert.ok(
            reply.broken || reply.status === 404 || reply.status === 400 || reply.status === 421,
            `${path} as ${authority}: ${reply.status}`,
          );
          assert.ok(!connection.isOver, path);
          stream += 2;
        }
      }
      connection.close();
      assert.equal(secret.seen.length, before);
    });

    it('nor by HTTP/1.0 without a Host, by an upgrade, by another method', async () => {
      const before = secret.seen.length;
      for (const request of [
        'GET /ops HTTP/1.0\r\n\r\n',
        head(
          'GET /ops HTTP/1.1',
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        ),
        head('OPTIONS /ops HTTP/1.1', app, 'Access-Control-Request-Method: POST'),
        head('POST /ops HTTP/1.1', 'Content-Length: 0'),
        head('POST /plain HTTP/1.1', 'X-HTTP-Method-Override: GET', 'X-Original-URL: /ops', 'Content-Length: 0'),
      ]) {
        const reply = await sendRaw({ port }, request);
        assert.ok(
          reply.status === 404 || reply.status === 400 || request.startsWith('POST /plain'),
          `${request.slice(0, 20)}: ${reply.status}`,
        );
      }
      assert.equal(secret.seen.length, before);
    });
  });

  describe('error pages', () => {
    const script = '<script>alert(1)</script>';
    const escaped = '%3Cscript%3Ealert(1)%3C/script%3E';

    it('a browser gets a page, a script gets JSON, both with the request id', async () => {
      const page = await ask('GET /nothing', 'Accept: text/html,application/xhtml+xml');
      assert.match(field(page, 'content-type') ?? '', /^text\/html/);
      assert.match(field(page, 'content-security-policy') ?? '', /default-src 'none'/);
      assert.ok(page.body.includes(field(page, 'x-request-id') ?? '?'));
      const json = await ask('GET /nothing', 'Accept: application/json');
      assert.match(field(json, 'content-type') ?? '', /^application\/problem\+json/);
      const problem: unknown = JSON.parse(json.body);
      assert.ok(typeof problem === 'object' && problem !== null && 'requestId' in problem && 'status' in problem);
      assert.equal(problem.requestId, field(json, 'x-request-id'));
      assert.equal(problem.status, 404);
    });

    for (const [what, request] of [
      ['the path', `GET /${escaped} HTTP/1.1\r\nHost: localhost\r\n`],
      ['the path, unescaped', `GET /${script} HTTP/1.1\r\nHost: localhost\r\n`],
      ['the query', `GET /nothing?${script} HTTP/1.1\r\nHost: localhost\r\n`],
      ['Host', `GET /nothing HTTP/1.1\r\nHost: ${script}\r\n`],
      ['a Host of markup in a name', `GET /nothing HTTP/1.1\r\nHost: <b>.example.com\r\n`],
      ['the method', `<SCRIPT> /nothing HTTP/1.1\r\nHost: localhost\r\n`],
      ['X-Request-Id', `GET /nothing HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: ${script}\r\n`],
      [
        'Referer and User-Agent',
        `GET /nothing HTTP/1.1\r\nHost: localhost\r\nReferer: ${script}\r\nUser-Agent: ${script}\r\n`,
      ],
      ['Accept', `GET /nothing HTTP/1.1\r\nHost: localhost\r\nAccept: text/html;${script}\r\n`],
      ['Origin', `GET /shared/a%2Fb HTTP/1.1\r\nHost: localhost\r\nOrigin: ${script}\r\n`],
      [
        'Content-Encoding',
        `POST /shared HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Encoding: ${script}\r\n`,
      ],
      ['traceparent', `GET /nothing HTTP/1.1\r\nHost: localhost\r\ntraceparent: ${script}\r\n`],
    ] as const) {
      it(`${what} is not reflected`, async () => {
        for (const accept of ['Accept: text/html\r\n', '']) {
          const reply = await sendRaw({ port }, `${request}${what === 'Accept' ? '' : accept}\r\n`);
          assert.ok(reply.status >= 400, reply.text.slice(0, 200));
          assert.ok(!/alert\(1\)|<b>\.|%3Cscript/i.test(reply.text), reply.text);
        }
      });
    }

    it('nothing in a reply names what the gateway runs on', async () => {
      for (const reply of [
        await ask('GET /nothing'),
        await ask('GET /plain'),
        await sendRaw({ port }, 'G@T / HTTP/1.1\r\n\r\n'),
      ]) {
        assert.equal(field(reply, 'server'), undefined);
        assert.equal(field(reply, 'x-powered-by'), undefined);
        assert.ok(!/node|undici|llhttp|HPE_/i.test(reply.text), reply.text);
      }
    });
  });
});
