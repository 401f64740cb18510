import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { createTestAuthority, type PemPair, type TestAuthority, writePair } from './support/certificate-authority.ts';
import { freePort, startGateway, type TestGateway } from './support/gateway.ts';
import { ask } from './support/http-client.ts';
import { sendRaw } from './support/raw-client.ts';
import { findTool, skipUnless } from './support/require-tool.ts';
import { startUpstream, type TestUpstream } from './support/upstream.ts';

const run = promisify(execFile);

describe('TLS', { timeout: 150_000 }, () => {
  let directory: string;
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let authority: TestAuthority;
  let partners: TestAuthority;
  let partner: PemPair;
  let stranger: PemPair;
  let devCaFile: string;
  let devCa: string;
  /** One listener with a certificate of the development CA, one with several, one for partners, one behind a load balancer, and the plain port of the first. */
  const ports = { dev: 0, several: 0, partners: 0, proxied: 0, modern: 0, plain: 0 };

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-tls-'));
    upstream = await startUpstream();
    // The keys are this object's own.
    for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort();
    authority = await createTestAuthority();
    partners = await createTestAuthority('Partners CA');
    partner = await partners.issue('partner.example.com');
    stranger = await authority.issue('stranger.example.com');
    await writeFile(join(directory, 'partners-ca.pem'), partners.cert);
    const names = { first: ['localhost'], exact: ['api.example.com'], wildcard: ['*.example.org', 'example.org'] };
    const pairs: string[] = [];
    for (const [name, hosts] of Object.entries(names))
      pairs.push(await writePair(directory, name, await authority.issue(...hosts)));
    gateway = await startGateway(`
listeners:
  - { name: dev, address: 127.0.0.1:${ports.dev}, redirectHttpFrom: 127.0.0.1:${ports.plain} }
  - { name: several, address: 127.0.0.1:${ports.several}, tls: { certificates: [${pairs.join(', ')}] } }
  - { name: partners, address: 127.0.0.1:${ports.partners}, tls: { certificates: [${pairs[0]}], clientCa: '${join(directory, 'partners-ca.pem')}' } }
  - { name: proxied, address: 127.0.0.1:${ports.proxied}, proxyProtocol: { trusted: [127.0.0.1/32] } }
  - { name: modern, address: 127.0.0.1:${ports.modern}, tls: { minVersion: TLSv1.3 } }
workers: 1
apis: [{ name: api, upstream: '${upstream.url}', authenticate: none }]
`);
    devCaFile = join(gateway.directory, '.sallyport/dev-ca/ca.pem');
    devCa = await readFile(devCaFile, 'utf8');
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('curl trusts the development CA, and nothing without it', { skip: skipUnless('curl') }, async () => {
    const url = `https://localhost:${ports.dev}/x`;
    const { stdout } = await run('curl', [
      '-sS',
      '--ipv4',
      '--cacert',
      devCaFile,
      '-w',
      '\n%{http_code} %{http_version}',
      url,
    ]);
    assert.match(stdout, /\n200 2$/);
    assert.match(
      (
        await run('curl', [
          '-sS',
          '--http1.1',
          '--cacert',
          devCaFile,
          '-w',
          '\n%{http_code} %{http_version}',
          `https://127.0.0.1:${ports.dev}/x`,
        ])
      ).stdout,
      /\n200 1.1$/,
    );
    await assert.rejects(run('curl', ['-sS', '--ipv4', url]), /SSL certificate problem|unable to get local issuer/);
  });

  for (const [servername, expected] of [
    ['localhost', 'DNS:localhost'],
    ['api.example.com', 'DNS:api.example.com'],
    ['API.Example.COM', 'DNS:api.example.com'],
    ['shop.example.org', 'DNS:*.example.org, DNS:example.org'],
    ['example.org', 'DNS:*.example.org, DNS:example.org'],
    ['deep.shop.example.org', 'DNS:localhost'],
    ['unknown.example.net', 'DNS:localhost'],
    ['', 'DNS:localhost'],
  ] as const) {
    it(`a client that asks for ${servername || 'no name'} gets the certificate for ${expected}`, async () => {
      const socket = await handshake({
        port: ports.several,
        ca: authority.cert,
        servername,
        checkServerIdentity: () => undefined,
      });
      assert.equal(socket.getPeerX509Certificate()?.subjectAltName, expected);
      socket.destroy();
    });
  }

  describe('versions', () => {
    for (const [version, listener, spoken] of [
      ['TLSv1.1', 'dev', false],
      ['TLSv1.2', 'dev', true],
      ['TLSv1.3', 'dev', true],
      ['TLSv1.2', 'modern', false],
      ['TLSv1.3', 'modern', true],
    ] as const) {
      it(`${version} is ${spoken ? 'spoken' : 'refused'} on ${listener}`, async () => {
        // At this level OpenSSL's own client would not offer TLS 1.1: the refusal must be the gateway's.
        const attempt = handshake({
          port: ports[listener],
          ca: devCa,
          minVersion: version,
          maxVersion: version,
          ciphers: 'DEFAULT:@SECLEVEL=0',
        });
        if (!spoken) return await assert.rejects(attempt, /alert|protocol version|ECONNRESET/i);
        const socket = await attempt;
        assert.equal(socket.getProtocol(), version);
        socket.destroy();
      });
    }
  });

  describe('key exchange', () => {
    it('X25519MLKEM768 is negotiated where it is offered alone', async () => {
      const socket = await handshake({
        port: ports.dev,
        ca: devCa,
        ecdhCurve: 'X25519MLKEM768',
        minVersion: 'TLSv1.3',
      });
      assert.equal(socket.getProtocol(), 'TLSv1.3');
      socket.destroy();
    });

    it('X25519MLKEM768 goes before X25519 where both are offered', async () => {
      assert.equal(await groupOfServerHello('X25519:X25519MLKEM768'), X25519MLKEM768);
      assert.equal(await groupOfServerHello('X25519MLKEM768:X25519'), X25519MLKEM768);
    });

    it('X25519 serves who knows nothing newer, and a group that is not on the list is refused', async () => {
      assert.equal(await groupOfServerHello('X25519'), X25519);
      await assert.rejects(
        handshake({ port: ports.dev, ca: devCa, ecdhCurve: 'P-521', minVersion: 'TLSv1.3' }),
        /handshake failure/i,
      );
    });
  });

  it('sslscan finds no weak protocol, cipher, group or certificate', { skip: skipUnless('sslscan') }, async () => {
    for (const port of [ports.dev, ports.several]) {
      const { stdout: xml } = await run('sslscan', [
        '--xml=-',
        '--no-colour',
        '--show-certificate',
        '--sni-name=localhost',
        `127.0.0.1:${port}`,
      ]);
      const enabled = elements(xml, 'protocol').filter((protocol) => protocol['enabled'] === '1');
      assert.deepEqual(
        enabled.map(({ type, version }) => `${type} ${version}`),
        ['tls 1.2', 'tls 1.3'],
      );
      const ciphers = elements(xml, 'cipher');
      assert.ok(ciphers.length >= 6, xml);
      for (const found of ciphers) {
        const { cipher = '', strength = '', bits } = found;
        assert.match(cipher, /^(TLS_(AES|CHACHA20)|ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM|CHACHA20))/);
        assert.ok(['acceptable', 'strong'].includes(strength), `${cipher} is ${strength}`); // what sslscan calls TLS 1.3's own, and the best
        assert.ok(Number(bits) >= 128, cipher);
      }
      assert.deepEqual(
        elements(xml, 'heartbleed').filter(({ vulnerable }) => vulnerable !== '0'),
        [],
      );
      assert.deepEqual(
        elements(xml, 'compression').filter(({ supported }) => supported !== '0'),
        [],
      );
      for (const group of elements(xml, 'group')) assert.ok(Number(group['bits']) >= 128, JSON.stringify(group));
      assert.match(xml, /<self-signed>false<\/self-signed>/);
      assert.match(xml, /<expired>false<\/expired>/);
      assert.match(xml, /<signature-algorithm>ecdsa-with-SHA256<\/signature-algorithm>/);
      assert.doesNotMatch(xml, /<pk error="true"/);
    }
  });

  it('testssl finds no known weakness', { skip: skipUnless('testssl'), timeout: 120_000 }, async () => {
    const report = join(directory, 'testssl.json');
    const checks = ['--protocols', '--std', '--server-defaults', '--vulnerable'];
    const quiet = [
      '--quiet',
      '--color',
      '0',
      '--warnings',
      'off',
      '--ip',
      '127.0.0.1',
      '--add-ca',
      devCaFile,
      '--jsonfile',
      report,
    ];
    // Its exit code counts findings; the report is what says which.
    await run(findTool('testssl') ?? 'testssl', [...quiet, ...checks, `https://localhost:${ports.dev}`], {
      timeout: 110_000,
    }).catch(() => undefined);
    const findings: readonly { id: string; severity: string; finding: string }[] = JSON.parse(
      await readFile(report, 'utf8'),
    );
    const severityOf = (id: string): string | undefined => findings.find((finding) => finding.id === id)?.severity;
    for (const id of [
      'TLS1_2',
      'TLS1_3',
      'cipherlist_STRONG',
      'cert_chain_of_trust',
      'cert_expirationStatus',
      'heartbleed',
      'secure_renego',
      'LUCKY13',
    ]) {
      assert.equal(severityOf(id), 'OK', `${id} was looked at`);
    }
    const bad = findings.filter(
      ({ id, severity }) =>
        ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL', 'FATAL'].includes(severity) && !ABOUT_A_PRIVATE_CA.has(id),
    );
    assert.deepEqual(bad, []);
  });

  describe('ALPN', () => {
    for (const [offer, chosen] of [
      [['h2', 'http/1.1'], 'h2'],
      [['http/1.1', 'h2'], 'h2'],
      [['http/1.1'], 'http/1.1'],
      [undefined, false],
    ] as const) {
      it(`${offer?.join(', ') ?? 'nothing'} offered: ${chosen || 'HTTP/1.1'}`, async () => {
        const socket = await handshake({
          port: ports.dev,
          ca: devCa,
          ...(offer === undefined ? {} : { ALPNProtocols: [...offer] }),
        });
        assert.equal(socket.alpnProtocol, chosen);
        socket.destroy();
      });
    }

    it('the upstream is told which protocol the request came by', async () => {
      const session = connectHttp2(`https://localhost:${ports.dev}`, { ca: devCa });
      const stream = session.request({ ':path': '/via' });
      let text = '';
      for await (const part of stream.setEncoding('utf8')) text += part;
      session.close();
      assert.equal(JSON.parse(text).headers.via, '2 sallyport');
      const http1 = await ask({ port: ports.dev, ca: devCa, path: '/via' });
      assert.equal(JSON.parse(http1.body).headers.via, '1.1 sallyport');
      assert.equal(JSON.parse(http1.body).headers['x-forwarded-proto'], 'https');
    });
  });

  describe('Strict-Transport-Security', () => {
    it('is sent for a host over HTTPS', async () => {
      const reply = await ask({
        port: ports.several,
        ca: authority.cert,
        servername: 'api.example.com',
        headers: { Host: 'api.example.com' },
      });
      assert.equal(reply.status, 200);
      assert.match(String(reply.headers['strict-transport-security']), /^max-age=\d{8}/);
    });

    it('is not sent for localhost, nor over plain HTTP', async () => {
      assert.equal(
        (await ask({ port: ports.dev, ca: devCa, headers: { Host: 'localhost' } })).headers[
          'strict-transport-security'
        ],
        undefined,
      );
      const redirected = await ask({ port: ports.plain, headers: { Host: 'api.example.com' } });
      assert.equal(redirected.headers['strict-transport-security'], undefined);
    });
  });

  describe('the plain port', () => {
    for (const method of ['GET', 'HEAD']) {
      it(`sends ${method} on to HTTPS, path and query included (308)`, async () => {
        const reply = await ask({
          port: ports.plain,
          method,
          path: '/a%2Cb/c?d=e&f',
          headers: { Host: `api.example.com:${ports.plain}` },
        });
        assert.equal(reply.status, 308);
        const location = new URL(reply.headers.location ?? '');
        assert.equal(location.origin, `https://api.example.com:${ports.dev}`);
        assert.equal(location.search, '?d=e&f');
        assert.equal(decodeURIComponent(location.pathname), '/a,b/c');
        assert.equal(reply.body, '');
      });
    }

    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      it(`refuses ${method} (403), and nothing reaches the upstream`, async () => {
        const before = upstream.seen.length;
        const reply = await ask({
          port: ports.plain,
          method,
          headers: { Authorization: 'Bearer x', 'Content-Length': '0' },
        });
        assert.equal(reply.status, 403);
        assert.equal(JSON.parse(reply.body).code, 'https-required');
        assert.equal(upstream.seen.length, before);
      });
    }

    it('a Host that is none makes no Location', async () => {
      for (const host of ['evil.example.com/x?', 'a b', 'user@example.com', '']) {
        const reply = await sendRaw({ port: ports.plain }, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        assert.equal(reply.status, 400, host);
        assert.doesNotMatch(reply.head, /location:/i);
      }
    });
  });

  describe('client certificates', () => {
    it('a client without one is not served', async () => {
      await assert.rejects(ask({ port: ports.partners, ca: authority.cert }));
    });

    it('a client with one of another CA is not served', async () => {
      await assert.rejects(secureAsk({ ...stranger }));
    });

    it('a client with one of the CA is', async () => {
      const reply = await secureAsk({ ...partner });
      assert.match(reply, /^HTTP\/1\.1 200 /);
    });

    function secureAsk(pair: PemPair): Promise<string> {
      return new Promise((resolve, reject) => {
        const socket = connectTls({
          host: '127.0.0.1',
          port: ports.partners,
          ca: authority.cert,
          servername: 'localhost',
          ALPNProtocols: ['http/1.1'],
          ...pair,
        });
        let text = '';
        socket.setEncoding('latin1').on('data', (part: string) => {
          text += part;
        });
        socket
          .on('error', reject)
          .on('close', () => (text === '' ? reject(new Error('closed without a reply')) : resolve(text)));
        socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      });
    }
  });

  describe('PROXY protocol v2', () => {
    it('gives the address of the client, inside TLS and out', async () => {
      const reply = await throughBalancer(proxyHeader([203, 0, 113, 9]));
      assert.match(reply, /^HTTP\/1\.1 200 /);
      assert.equal(String(upstream.seen.at(-1)?.headers['x-forwarded-for']).split(',')[0], '203.0.113.9');
      const line = await gateway.logged((entry) => entry['listener'] === 'proxied');
      assert.equal(line['client'], '203.0.113.9');
    });

    it('a health check of the balancer itself (LOCAL) keeps its own address', async () => {
      const reply = await throughBalancer(Buffer.concat([PROXY_SIGNATURE, Buffer.from([0x20, 0x00, 0, 0])]));
      assert.match(reply, /^HTTP\/1\.1 200 /);
      assert.equal(upstream.seen.at(-1)?.headers['x-forwarded-for'], '127.0.0.1');
    });

    it('a connection without it is closed', async () => {
      await assert.rejects(throughBalancer(Buffer.alloc(0)));
    });

    async function throughBalancer(header: Buffer): Promise<string> {
      const tcp = connectPlain(ports.proxied, '127.0.0.1');
      tcp.write(header);
      const socket = connectTls({ socket: tcp, ca: devCa, servername: 'localhost', ALPNProtocols: ['http/1.1'] });
      await once(socket, 'secureConnect');
      let text = '';
      socket.write('GET /proxied HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      for await (const part of socket.setEncoding('latin1')) text += part;
      return text;
    }
  });

  /** The group the gateway takes for its key share (RFC 8446 §4.2.8), read from the bytes of its ServerHello. */
  async function groupOfServerHello(groups: string): Promise<number | undefined> {
    const tcp = connectPlain(ports.dev, '127.0.0.1');
    const received: Buffer[] = [];
    tcp.on('data', (part: Buffer) => received.push(part));
    const socket = connectTls({
      socket: tapOf(tcp),
      ca: devCa,
      servername: 'localhost',
      ecdhCurve: groups,
      minVersion: 'TLSv1.3',
    });
    await once(socket, 'secureConnect');
    socket.destroy();
    tcp.destroy();
    return keyShareGroup(Buffer.concat(received));
  }
});

/** A stream for TLS to run over; given the socket itself it would read past who listens to its data. */
function tapOf(tcp: Socket): Duplex {
  const tap = new Duplex({
    read: () => tcp.resume(),
    write: (chunk, _encoding, done) => void tcp.write(chunk, done),
  });
  tcp.on('data', (part: Buffer) => tap.push(part));
  tcp.on('close', () => tap.destroy());
  return tap;
}

async function handshake(options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', servername: 'localhost', ...options });
  try {
    await once(socket, 'secureConnect');
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket.on('error', () => {});
}

/** Every element of that name, as its attributes. */
function elements(xml: string, name: string): Record<string, string>[] {
  return [...xml.matchAll(new RegExp(`<${name} ([^>]*?)/?>`, 'g'))].map(([, attributes = '']) =>
    Object.fromEntries([...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value])),
  );
}

function proxyHeader(source: readonly number[]): Buffer {
  return Buffer.concat([
    PROXY_SIGNATURE,
    Buffer.from([0x21, 0x11, 0, 12, ...source, 127, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb]),
  ]);
}

/** Walks the extensions of the last ServerHello (a HelloRetryRequest may come before it). */
function keyShareGroup(bytes: Buffer): number | undefined {
  let group: number | undefined;
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
    const isServerHello = bytes[at] === 22 && bytes[at + 5] === 2;
    if (!isServerHello) continue;
    const sessionId = at + 5 + 4 + 2 + 32;
    const extensions = sessionId + 1 + bytes.readUInt8(sessionId) + 3;
    const end = extensions + 2 + bytes.readUInt16BE(extensions);
    for (let field = extensions + 2; field < end; field += 4 + bytes.readUInt16BE(field + 2)) {
      if (bytes.readUInt16BE(field) === 51) group = bytes.readUInt16BE(field + 4);
    }
  }
  return group;
}

const PROXY_SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
/** RFC 8446 §4.2.7; RFC 9954 for the hybrid. */
const X25519 = 0x001d;
const X25519MLKEM768 = 0x11ec;
/** What testssl misses of a certificate that no public authority issued. */
const ABOUT_A_PRIVATE_CA = new Set(['cert_revocation', 'DNS_CAArecord', 'OCSP_stapling', 'certificate_transparency']);
