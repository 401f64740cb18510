import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { clientHello, firstRecord } from '../support/client-hello.ts';
import { freePort, startGateway, type TestGateway } from '../support/gateway.ts';
import { assertAlive, devCaOf, underAttack } from '../support/gateway-under-attack.ts';
import { head, sendRaw } from '../support/raw-client.ts';
import { skipUnless } from '../support/require-tool.ts';
import { fuzzFactor, fuzzSeed, seededRandom } from '../support/seeded-random.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

/** Attack case 26 and what else is done to a TLS port before a request can be made. */
describe('attacks by TLS', { skip: skipUnless('openssl') }, () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let directory: string;
  let open: number;
  let mutual: number;
  let modern: number;
  let ca: string;
  let client: { readonly cert: string; readonly key: string };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sp-'));
    client = clientCertificate(directory);
    upstream = await startUpstream();
    [open, mutual, modern] = [await freePort(), await freePort(), await freePort()];
    gateway = await startGateway(`
listeners:
  - { name: open, address: 127.0.0.1:${open} }
  - { name: mutual, address: 127.0.0.1:${mutual}, tls: { clientCa: ${join(directory, 'ca.pem')} } }
  - { name: modern, address: 127.0.0.1:${modern}, tls: { minVersion: TLSv1.3 } }
workers: 1
apis: [{ name: all, upstream: '${upstream.url}', authenticate: none }]
`);
    ca = devCaOf(gateway);
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const oddNames: readonly (readonly [what: string, name: Buffer])[] = [
    ['an empty name', Buffer.alloc(0)],
    ['a name of 300 bytes', Buffer.alloc(300, 0x61)],
    ['a name of 60,000 bytes', Buffer.alloc(60_000, 0x61)],
    ['garbage', Buffer.from([0xff, 0xfe, 0x80, 0xc3, 0x28, 0x1b])],
    ['a NUL', Buffer.from('localhost\0.evil.example.com')],
    ['only a NUL', Buffer.from([0])],
    ['CR LF', Buffer.from('localhost\r\nx-user: mallory')],
    ['an IPv4 address', Buffer.from('127.0.0.1')],
    ['an IPv6 address', Buffer.from('::1')],
    ['dots', Buffer.from('...')],
    ['a wildcard', Buffer.from('*')],
    ['a path', Buffer.from('../../etc/passwd')],
    ['a name of Object.prototype', Buffer.from('__proto__')],
    ['another', Buffer.from('constructor')],
  ];
  for (const [what, name] of oddNames) {
    it(`an SNI of ${what}: a handshake or a refusal, and the process lives`, async () => {
      for (const port of [open, mutual]) {
        const answer = await firstRecord(port, clientHello({ serverName: name }));
        assert.ok([HANDSHAKE, ALERT, CLOSED].includes(answer), `record type ${answer}`);
      }
      await assertAlive(gateway, { port: open, ca });
    });
  }

  it('a plain SNI, or none, begins a handshake: the hellos above are well made', async () => {
    assert.equal(await firstRecord(open, clientHello({ serverName: Buffer.from('localhost') })), HANDSHAKE);
    assert.equal(await firstRecord(open, clientHello({ serverName: undefined })), HANDSHAKE);
  });

  it('two SNI extensions, and two names in one, are refused or read as one', async () => {
    const localhost = Buffer.from('localhost');
    for (const hello of [
      clientHello({ serverName: localhost, repeatServerName: true }),
      clientHello({ serverName: localhost, namesInList: 2 }),
    ]) {
      assert.ok([HANDSHAKE, ALERT, CLOSED].includes(await firstRecord(open, hello)));
    }
    await assertAlive(gateway, { port: open, ca });
  });

  it('mutated ClientHellos: the process lives and others are served', async (context) => {
    const random = seededRandom(fuzzSeed());
    context.diagnostic(`SALLYPORT_FUZZ_SEED=${random.seed}`);
    const valid = clientHello({ serverName: Buffer.from('localhost') });
    const report = await underAttack(gateway, { port: open, ca }, async () => {
      for (let run = 0; run < 300 * fuzzFactor(); run += 10) {
        await Promise.all(
          Array.from({ length: 10 }, async () => {
            const hello = Buffer.from(valid);
            for (let flips = 1 + random.below(8); flips > 0; flips -= 1)
              hello[random.below(hello.length)] = random.below(256);
            const sent = random.oneIn(4) ? hello.subarray(0, random.below(hello.length)) : hello;
            await firstRecord(random.oneIn(2) ? open : mutual, sent, 50);
          }),
        );
      }
    });
    assert.ok(report.grownBy < 160, `grew by ${report.grownBy} MiB; seed ${random.seed}`);
  });

  for (const [version, name] of [
    [0x0300, 'SSL 3.0'],
    [0x0301, 'TLS 1.0'],
    [0x0302, 'TLS 1.1'],
  ] as const) {
    it(`${name} is refused`, async () => {
      assert.notEqual(
        await firstRecord(open, clientHello({ serverName: Buffer.from('localhost'), version })),
        HANDSHAKE,
      );
    });
  }

  it('minVersion TLSv1.3 refuses TLS 1.2', async () => {
    assert.notEqual(await firstRecord(modern, clientHello({ serverName: Buffer.from('localhost') })), HANDSHAKE);
    assert.match(await request(modern, {}), /^HTTP\/1\.1 200 /);
  });

  it('ciphers without forward secrecy or authentication are refused', async () => {
    // RSA key exchange, CBC with SHA-1, 3DES, RC4, NULL, anonymous.
    for (const cipher of [0x009c, 0x002f, 0xc013, 0xc009, 0x000a, 0x0005, 0x003b, 0xc018]) {
      assert.notEqual(
        await firstRecord(open, clientHello({ serverName: Buffer.from('localhost'), ciphers: [cipher] })),
        HANDSHAKE,
        cipher.toString(16),
      );
    }
  });

  it('a listener with clientCa serves nobody without a certificate of that CA', async () => {
    assert.match(await request(mutual, client), /^HTTP\/1\.1 200 /);
    assert.equal(await request(mutual, {}), '');
    assert.equal(await request(mutual, { maxVersion: 'TLSv1.2' }), '');
    const stranger = clientCertificate(directory, 'stranger');
    assert.equal(await request(mutual, stranger), '');
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const versions = { minVersion: version, maxVersion: version } as const;

    it(`${version}: a session of a certified client, resumed under another SNI without the certificate, opens nothing`, async () => {
      const session = await sessionOf(mutual, { ...client, ...versions });
      for (const servername of ['other.example.com', '127.0.0.1.example.com', '']) {
        assert.equal(
          await request(mutual, { ...versions, session, servername, checkServerIdentity: () => undefined }),
          '',
          servername,
        );
        assert.match(
          await request(mutual, { ...client, ...versions, servername, checkServerIdentity: () => undefined }),
          /^HTTP\/1\.1 200 /,
          servername,
        );
      }
    });

    it(`${version}: a session of a listener that asks for no certificate opens none that does`, async () => {
      const session = await sessionOf(open, versions);
      const before = upstream.seen.length;
      assert.equal(await request(mutual, { ...versions, session }), '');
      assert.equal(upstream.seen.length, before);
    });

    it(`${version}: a session resumes on its own listener, so the tests above offer real ones`, async () => {
      const session = await sessionOf(open, versions);
      const facts = { reused: false };
      assert.match(await request(open, { ...versions, session }, facts), /^HTTP\/1\.1 200 /);
      assert.equal(facts.reused, true);
    });
  }

  it('a client that renegotiates is refused', async () => {
    const socket = await handshake(open, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
    const outcome = await new Promise<string>((resolve) => {
      socket.on('close', () => resolve('closed')).on('error', () => resolve('closed'));
      socket.resume();
      socket.renegotiate({ rejectUnauthorized: false }, (error) =>
        resolve(error === null ? 'renegotiated' : 'refused'),
      );
    });
    socket.destroy();
    assert.notEqual(outcome, 'renegotiated');
    await assertAlive(gateway, { port: open, ca });
  });

  for (const [what, bytes] of [
    ['plain HTTP', head('GET /plain HTTP/1.1')],
    ['plain HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'],
    ['a PROXY header', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n'],
    ['SSH', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['NULs', '\0'.repeat(1_000)],
    ['a record longer than allowed', '\x16\x03\x01\xff\xff'],
    ['application data first', '\x17\x03\x03\x00\x05hello'],
  ] as const) {
    it(`${what} on the TLS port is closed, and nothing of it is served`, async () => {
      const before = upstream.seen.length;
      const reply = await sendRaw({ port: open }, Buffer.from(bytes, 'latin1'), { quietMs: 15_000 });
      assert.ok(reply.closed);
      assert.ok(reply.status === 0 || reply.status === 400, reply.text.slice(0, 100));
      assert.equal(upstream.seen.length, before);
    });
  }

  it('TLS on top of a connection that ends in its middle, 200 times: the process lives', async () => {
    const hello = clientHello({ serverName: Buffer.from('localhost') });
    await underAttack(gateway, { port: open, ca }, async () => {
      for (let run = 0; run < 200; run += 20) {
        await Promise.all(
          Array.from({ length: 20 }, (_, at) => {
            const socket = connectPlain({ port: run % 40 === 0 ? mutual : open, host: '127.0.0.1' });
            socket.on('error', () => {});
            return new Promise<void>((resolve) => {
              socket.on('close', () => resolve());
              socket.write(hello.subarray(0, at % 2 === 0 ? hello.length : at * 10));
              setTimeout(() => (at % 3 === 0 ? socket.destroy() : socket.resetAndDestroy()), at % 7);
            });
          }),
        );
      }
    });
  });

  function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        port,
        host: '127.0.0.1',
        ca,
        servername: 'localhost',
        ALPNProtocols: ['http/1.1'],
        ...options,
      });
      socket.once('secureConnect', () => resolve(socket)).once('error', reject);
    });
  }

  /** What a request brings back; empty where the connection ends without a reply. */
  function request(port: number, options: ConnectionOptions, facts: { reused?: boolean } = {}): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect({
        port,
        host: '127.0.0.1',
        ca,
        servername: 'localhost',
        ALPNProtocols: ['http/1.1'],
        ...options,
      });
      let text = '';
      const timer = setTimeout(() => socket.destroy(new Error('no answer')), 10_000);
      socket.once('secureConnect', () => {
        facts.reused = socket.isSessionReused();
        socket.write(head('GET /tls HTTP/1.1', 'Connection: close'));
      });
      socket.setEncoding('latin1').on('data', (part: string) => {
        text += part;
      });
      socket
        .on('error', () => {})
        .on('close', () => {
          clearTimeout(timer);
          resolve(text);
        });
    });
  }

  /** A session to resume: the last one a connection was given while it made a request. */
  async function sessionOf(port: number, options: ConnectionOptions): Promise<Buffer> {
    const socket = await handshake(port, options);
    let session = socket.getSession();
    socket.on('session', (latest) => {
      session = latest;
    });
    let text = '';
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
    });
    socket.write(head('GET /session HTTP/1.1', 'Connection: close'));
    await new Promise((resolve) => socket.on('error', () => {}).on('close', resolve));
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.ok(session !== undefined);
    return session;
  }
});

const HANDSHAKE = 0x16;
const ALERT = 0x15;
/** What `firstRecord` says where nothing came. */
const CLOSED = -1;

/** A CA of its own, and a client certificate that it has signed. The first one is what the listener trusts. */
function clientCertificate(directory: string, name = 'client'): { cert: string; key: string } {
  const file = (suffix: string): string => join(directory, `${name === 'client' ? '' : `${name}-`}${suffix}`);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
    '-subj',
    `/CN=${name} CA`,
    '-days',
    '30',
  );
  openssl('req', ...newKey, '-keyout', file('leaf.key'), '-out', file('leaf.csr'), '-subj', `/CN=${name}`);
  openssl(
    'x509',
    '-req',
    '-in',
    file('leaf.csr'),
    '-CA',
    file('ca.pem'),
    '-CAkey',
    file('ca.key'),
    '-CAcreateserial',
    '-out',
    file('leaf.pem'),
    '-days',
    '30',
  );
  return { cert: readFileSync(file('leaf.pem'), 'utf8'), key: readFileSync(file('leaf.key'), 'utf8') };
}
