import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createAuthority, issueCertificate } from '../certificates/issue-certificate.ts';
import type { Exchange } from '../exchange.ts';
import { SharedCounts } from '../lib/shared-counts.ts';
import { refuse } from '../respond/refuse.ts';
import { type Listener, openListener } from './listener.ts';
import type { ListenerHandlers, ListenerLimits, ListenerOptions, TlsMaterial } from './listener-options.ts';

// Test support: listeners with generous defaults, and clients that write bytes by hand.

const LIMITS: ListenerLimits = {
  headerBytes: 16_384,
  headerCount: 100,
  targetBytes: 8192,
  headerTimeout: 10_000,
  idleTimeout: 60_000,
  bodyIdleTimeout: 30_000,
  writeIdleTimeout: 60_000,
  connections: 1000,
  connectionsPerAddress: 1000,
  requestsPerConnection: 10_000,
  http2Streams: 100,
  http2ResetsPerSecond: 20,
  http2ResetBurst: 100,
};

export interface TestOptions extends Partial<Omit<ListenerOptions, 'limits'>> {
  readonly limits?: Partial<ListenerLimits>;
}

export function listenerOptions(options: TestOptions = {}): ListenerOptions {
  return {
    name: 'test',
    exposure: 'public',
    host: '127.0.0.1',
    port: 0,
    reusePort: false,
    tls: undefined,
    redirect: undefined,
    allow: [],
    deny: [],
    trustedProxies: [],
    ...options,
    limits: { ...LIMITS, ...options.limits },
  };
}

/** A listener that remembers the exchanges it handed over, and closes with the scope. */
export class TestListener implements AsyncDisposable {
  readonly exchanges: Exchange[] = [];
  readonly open = new Set<Socket>();
  connections = 0;
  listener!: Listener; // set by `start`, the only way to make one

  static async start(
    options: TestOptions = {},
    answer: (exchange: Exchange) => void | Promise<void> = echoTarget,
  ): Promise<TestListener> {
    const test = new TestListener();
    const handlers: ListenerHandlers = {
      exchange(exchange) {
        test.exchanges.push(exchange);
        return answer(exchange);
      },
      refuse,
      connectionOpened: () => {
        test.connections += 1;
      },
      connectionClosed: () => {
        test.connections -= 1;
      },
    };
    test.listener = await openListener(listenerOptions(options), handlers, ownCounts());
    return test;
  }

  get port(): number {
    return this.listener.port;
  }

  get last(): Exchange {
    const exchange = this.exchanges.at(-1);
    if (exchange === undefined) throw new Error('no exchange has reached the road');
    return exchange;
  }

  async connect(): Promise<Socket> {
    const socket = connect(this.port, '127.0.0.1');
    this.open.add(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  /** Sends bytes and gives everything that came until the connection was closed. */
  async send(text: string | Buffer): Promise<string> {
    const socket = await this.connect();
    socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    return readAll(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.open) socket.destroy();
    this.listener.close();
  }
}

/** What a listener with this road answers until it closes the connection. */
export async function answerOf(request: string, answer: (exchange: Exchange) => void | Promise<void>): Promise<string> {
  await using test = await TestListener.start({}, answer);
  return await test.send(request);
}

export function echoTarget(exchange: Exchange): void {
  reply(exchange, 200, [], exchange.target.path);
}

export function reply(exchange: Exchange, status: number, headers: readonly string[], body: string): void {
  exchange.wire.head(status, [
    'Content-Type',
    'text/plain',
    'Content-Length',
    String(Buffer.byteLength(body)),
    ...headers,
  ]);
  exchange.wire.end(body, undefined);
}

/** Everything a socket receives until it closes, as Latin-1. */
export async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    text += chunk;
  });
  if (socket.closed) return text;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(() => reject(new Error(`never closed: ${JSON.stringify(text)}`)), 10_000);
  // A reset is an end too, so 'error' is not listened to.
  socket.once('close', () => resolve(text));
  return promise.finally(() => clearTimeout(timer));
}

/** Reads until the text matches. */
export async function readUntil(socket: Socket, pattern: RegExp): Promise<string> {
  let text = '';
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const take = (chunk: Buffer) => {
    text += chunk.toString('latin1');
    if (pattern.test(text)) resolve(text);
  };
  const closed = () => reject(new Error(`the connection closed after ${JSON.stringify(text)}`));
  const timer = setTimeout(() => reject(new Error(`nothing matched in ${JSON.stringify(text)}`)), 10_000);
  socket.on('data', take).on('close', closed);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.off('data', take).off('close', closed);
  }
}

/** Whether a connection is served rather than cut at once. */
export async function isServed(test: TestListener): Promise<boolean> {
  const socket = await test.connect();
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const served = await Promise.race([
    once(socket, 'data').then(() => true),
    once(socket, 'close').then(() => false),
  ]).catch(() => false);
  return served;
}

export function statusOf(text: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
}

export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface TestCa {
  readonly cert: string;
  issue(...names: string[]): Promise<{ cert: string; key: string; names: string[] }>;
}

export async function makeCa(): Promise<TestCa> {
  const now = Date.now();
  const pair = await createAuthority(now);
  const key = createPrivateKey(pair.key);
  return {
    cert: pair.cert,
    async issue(...names) {
      const leaf = await issueCertificate({
        ca: { cert: pair.cert, key, notAfter: new Date(new X509Certificate(pair.cert).validTo) },
        names,
        now,
      });
      return { cert: leaf.cert, key: leaf.key, names };
    },
  };
}

export function tlsMaterial(
  certificates: TlsMaterial['certificates'],
  options: Partial<TlsMaterial> = {},
): TlsMaterial {
  return {
    certificates,
    clientCa: undefined,
    clientCertificates: options.clientCa === undefined ? 'none' : 'required',
    minVersion: 'TLSv1.2',
    acmeAlpn: [],
    ticketKeys: undefined,
    ...options,
  };
}

/** Counts of a listener that has no other workers beside it. */
export function ownCounts(): SharedCounts {
  return new SharedCounts(SharedCounts.allocate(1), 0);
}
