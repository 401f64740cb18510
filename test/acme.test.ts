import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { get } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, createSecureContext, createServer as createTlsServer } from 'node:tls';
import {
  type AcmeManager,
  type AcmeOptions,
  type ChallengeType,
  createAcmeManager,
  type PublishedChallenge,
} from '../src/certificates/acme.ts';
import type { Certificate } from '../src/certificates/certificate-pair.ts';
import { offersAcmeTls } from '../src/certificates/client-hello.ts';
import { renewalDue } from '../src/certificates/kept-certificate.ts';
import { skipUnless } from './support/require-tool.ts';
import { reserveWellKnownPorts } from './support/well-known-ports.ts';

// A real ACME server (caddy's acme_server) validates against plain Node servers on loopback. It looks at the ports
// the RFCs fix, 80 and 443, so this needs leave to bind them.
const unmet = skipUnless('caddy') || (await reserveWellKnownPorts());

describe('ACME against caddy', { skip: unmet, timeout: 60_000 }, () => {
  let caddy: Caddy;
  before(async () => {
    caddy = await startCaddy();
  });
  after(async () => {
    await caddy?.stop();
  });

  for (const challenge of ['http-01', 'tls-alpn-01'] as const) {
    describe(challenge, () => {
      let directory: string;
      let first: Certificate;
      before(async () => {
        directory = await temporaryDirectory();
      });
      after(async () => {
        await rm(directory, { recursive: true, force: true });
      });

      it('issues a certificate that verifies against the root of the ACME server', async () => {
        await using desk = await openDesk();
        await using manager = manage({ directory, challenge, caddy, desk });
        manager.start();
        first = await desk.nextCertificate();
        assert.deepEqual(first.names, ['localhost']);
        assert.deepEqual(desk.validated, [challenge]);
        assert.deepEqual([...desk.open], [], 'every challenge is retracted');
        assert.equal(await servedFingerprint(first, caddy.root), fingerprint(first));
      });

      it('keeps the account key and the certificate for their owner alone', async () => {
        const files = await readdir(directory);
        assert.equal(files.length, 2, files.join(' '));
        assert.equal((await stat(directory)).mode & 0o777, 0o700);
        for (const file of files) assert.equal((await stat(join(directory, file))).mode & 0o777, 0o600, file);
      });

      it('serves the kept certificate in a second run without asking the ACME server', async () => {
        await using desk = await openDesk();
        let looks = 0;
        const now = (): number => {
          looks += 1;
          return Date.now();
        };
        // Without the root any question to the ACME server would fail, and be logged.
        await using manager = manage({ directory, challenge, caddy: { ...caddy, root: undefined }, desk, now });
        manager.start();
        assert.equal((await desk.nextCertificate()).cert, first.cert);
        while (looks < 10) await delay(10);
        assert.deepEqual(desk.validated, []);
        assert.deepEqual(desk.troubles, []);
      });

      it('renews when a third of the life is left, and not before', async () => {
        await using desk = await openDesk();
        const due = renewalDue({ notBefore: new X509Certificate(first.cert).validFromDate, notAfter: first.notAfter });
        let clock = due - 1;
        await using manager = manage({ directory, challenge, caddy, desk, now: () => clock });
        manager.start();
        assert.equal((await desk.nextCertificate()).cert, first.cert);
        assert.deepEqual(desk.validated, [], 'a moment before it is due nothing is asked');
        clock = due;
        const renewed = await desk.nextCertificate();
        assert.notEqual(renewed.cert, first.cert);
        assert.notEqual(renewed.key, first.key, 'a renewal brings a new key');
        assert.equal(await servedFingerprint(renewed, caddy.root), fingerprint(renewed));
        assert.equal((await readdir(directory)).length, 2, 'it takes the place of the old one, under the same account');
      });
    });
  }

  it('says why a validation failed, retracts the challenge, and tries again', async () => {
    const directory = await temporaryDirectory();
    await using desk = await openDesk();
    desk.lies = true;
    await using manager = manage({ directory, challenge: 'http-01', caddy, desk });
    manager.start();
    assert.match(await desk.nextTrouble(), /could not validate localhost: .*rejectedIdentifier/);
    assert.deepEqual([...desk.open], []);
    desk.lies = false;
    assert.deepEqual((await desk.nextCertificate()).names, ['localhost']);
    await rm(directory, { recursive: true, force: true });
  });

  it('can be closed while the publisher of a challenge does not settle', async () => {
    const directory = await temporaryDirectory();
    await using desk = await openDesk();
    const published = new EventEmitter();
    const publish = {
      ...desk.publish,
      publishChallenge: (challenge: PublishedChallenge): Promise<void> => {
        published.emit('challenge', challenge);
        return new Promise(() => undefined);
      },
    };
    await using manager = manage({ directory, challenge: 'http-01', caddy, desk: { ...desk, publish } });
    manager.start();
    await once(published, 'challenge');
    await manager.close();
    assert.deepEqual(desk.troubles, []);
    await rm(directory, { recursive: true, force: true });
  });

  it('does not speak to an ACME server whose certificate does not verify', async () => {
    const directory = await temporaryDirectory();
    await using desk = await openDesk();
    await using manager = manage({ directory, challenge: 'http-01', caddy: { ...caddy, root: undefined }, desk });
    manager.start();
    assert.match(await desk.nextTrouble(), /certificate/);
    assert.deepEqual(desk.validated, []);
    await rm(directory, { recursive: true, force: true });
  });
});

interface Setting {
  readonly directory: string;
  readonly challenge: ChallengeType;
  readonly caddy: Pick<Caddy, 'directoryUrl' | 'root'>;
  readonly desk: Desk;
  readonly now?: () => number;
}

function manage({ directory, challenge, caddy, desk, now }: Setting): AcmeManager & AsyncDisposable {
  const options: AcmeOptions = {
    directory,
    domains: ['localhost'],
    email: 'ops@example.com',
    challenge,
    directoryUrl: caddy.directoryUrl,
    ca: caddy.root,
    log: desk.log,
    publish: desk.publish,
    timing: { checkEvery: 50, firstRetry: 50, slowestRetry: 200 },
    ...(now === undefined ? {} : { now }),
  };
  const manager = createAcmeManager(options);
  return { ...manager, [Symbol.asyncDispose]: manager.close };
}

interface Desk extends AsyncDisposable {
  readonly publish: AcmeOptions['publish'];
  readonly log: AcmeOptions['log'];
  readonly open: ReadonlySet<PublishedChallenge>;
  /** The challenges the ACME server came to look at. */
  readonly validated: readonly ChallengeType[];
  readonly troubles: readonly string[];
  /** Makes the http-01 answers wrong. */
  lies: boolean;
  nextCertificate(): Promise<Certificate>;
  nextTrouble(): Promise<string>;
}

/** Plays the caller of a manager: answers challenges on the ports 80 and 443 from what was published. */
async function openDesk(): Promise<Desk> {
  const open = new Set<PublishedChallenge>();
  const validated: ChallengeType[] = [];
  const certificates = new Mailbox<Certificate>();
  const troubles = new Mailbox<string>();
  const notice = (facts: object): void => troubles.put('err' in facts ? String(facts.err) + causeOf(facts.err) : '');

  const answerHttp: RequestListener = (request, reply) => {
    for (const challenge of open) {
      if (challenge.type !== 'http-01' || request.headers.host !== challenge.domain) continue;
      if (request.url !== `/.well-known/acme-challenge/${challenge.token}`) continue;
      validated.push('http-01');
      reply.end(desk.lies ? 'something else' : challenge.keyAuthorization);
      return;
    }
    reply.writeHead(404).end();
  };
  const tls = createTlsServer({
    ALPNProtocols: ['acme-tls/1'],
    SNICallback: (servername, done) => {
      for (const challenge of open) {
        if (challenge.type !== 'tls-alpn-01' || challenge.domain !== servername) continue;
        validated.push('tls-alpn-01');
        done(null, createSecureContext({ cert: challenge.cert, key: challenge.key }));
        return;
      }
      done(new Error('no challenge'));
    },
  });
  tls.on('secureConnection', (socket) => socket.on('error', ignore).end());
  tls.on('tlsClientError', ignore);

  const http = createHttpServer(answerHttp);
  const peeking = createServer((socket) => peek(socket, tls));
  await Promise.all([listen(http, 80), listen(peeking, 443)]);
  const desk: Desk = {
    open,
    validated,
    troubles: troubles.all,
    lies: false,
    publish: {
      publishChallenge: (challenge) => void open.add(challenge),
      retractChallenge: (challenge) => void open.delete(challenge),
      publishCertificate: (certificate) => certificates.put(certificate),
    },
    log: { info: ignore, warn: notice, error: notice },
    nextCertificate: () => certificates.take(),
    nextTrouble: () => troubles.take(),
    async [Symbol.asyncDispose](): Promise<void> {
      http.closeAllConnections();
      await Promise.all([http, peeking].map((server) => new Promise((done) => server.close(done))));
    },
  };
  return desk;
}

/** Hands a connection to the challenge server only when its ClientHello is a validation's, as a listener would. */
function peek(socket: Socket, tls: Server): void {
  let bytes = Buffer.alloc(0);
  socket.on('error', ignore);
  socket.on('data', function look(chunk: Buffer): void {
    bytes = Buffer.concat([bytes, chunk]);
    const offer = offersAcmeTls(bytes);
    if (offer === 'need-more') return;
    socket.off('data', look);
    socket.pause();
    if (offer === 'no') {
      socket.destroy();
      return;
    }
    socket.unshift(bytes);
    tls.emit('connection', socket);
  });
}

/** Things that come one by one, for who waits for the next. */
class Mailbox<Item> {
  readonly all: Item[] = [];
  readonly #arrivals = new EventEmitter();
  #taken = 0;

  put(item: Item): void {
    this.all.push(item);
    this.#arrivals.emit('item');
  }

  async take(): Promise<Item> {
    while (this.all.length <= this.#taken) await once(this.#arrivals, 'item', { signal: AbortSignal.timeout(20_000) });
    const item = this.all[this.#taken];
    this.#taken += 1;
    assert.ok(item !== undefined);
    return item;
  }
}

/** Serves the certificate with a TLS server and returns the fingerprint a client sees that trusts `root` alone. */
async function servedFingerprint(certificate: Certificate, root: string | undefined): Promise<string> {
  const server = createTlsServer({ cert: certificate.cert, key: certificate.key }, (socket) => socket.end());
  const { port } = await listen(server, 0);
  const client = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: root });
  await once(client, 'secureConnect');
  const seen = client.getPeerX509Certificate()?.fingerprint256 ?? '';
  client.destroy();
  await new Promise((done) => server.close(done));
  return seen;
}

interface Caddy {
  readonly directoryUrl: string;
  readonly root: string | undefined;
  stop(): Promise<void>;
}

async function startCaddy(): Promise<Caddy> {
  const home = await temporaryDirectory();
  const port = await freePort();
  const child = spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', '-'], {
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      XDG_DATA_HOME: join(home, 'data'),
      XDG_CONFIG_HOME: join(home, 'config'),
    },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  child.stdin.end(`{
    admin off
    skip_install_trust
    auto_https disable_redirects
    storage file_system ${join(home, 'storage')}
  }
  https://localhost:${port} {
    bind 127.0.0.1
    tls internal
    acme_server
  }`);
  const lines: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => lines.push(text));
  const directoryUrl = `https://localhost:${port}/acme/local/directory`;
  const rootFile = join(home, 'storage/pki/authorities/local/root.crt');
  const stop = async (): Promise<void> => {
    await endProcess(child);
    await rm(home, { recursive: true, force: true });
  };
  for (let attempt = 0; attempt < 150 && child.exitCode === null; attempt += 1) {
    const root = await readFile(rootFile, 'utf8').catch(() => undefined);
    if (root !== undefined && (await answers(directoryUrl, root))) return { directoryUrl, root, stop };
    await delay(100);
  }
  await stop();
  throw new Error(`caddy did not start:\n${lines.join('').slice(-2000)}`);
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL'); // it keeps nothing we want
  await ended;
}

async function answers(url: string, root: string): Promise<boolean> {
  return await new Promise((resolve) => {
    get(url, { ca: root, agent: false }, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { port } = await listen(server, 0);
  await new Promise((done) => server.close(done));
  return port;
}

async function listen(server: Server, port: number): Promise<AddressInfo> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address;
}

async function temporaryDirectory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'sallyport-acme-'));
}

function fingerprint(certificate: Certificate): string {
  return new X509Certificate(certificate.cert).fingerprint256;
}

function causeOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? ` ${String(error.cause)}` : '';
}

function ignore(): void {}
