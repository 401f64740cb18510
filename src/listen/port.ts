import { createServer, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { offersAcmeTls } from '../certificates/client-hello.ts';
import { canonicalAddress } from '../lib/cidr.ts';
import type { SharedCounts } from '../lib/shared-counts.ts';
import { Connection } from './connection.ts';
import { ConnectionRegister } from './connection-limits.ts';
import { readFirstBytes } from './first-bytes.ts';
import { Http1Connection } from './http1-connection.ts';
import { adoptHttp2 } from './http2.ts';
import type { ListenerHandlers, ListenerLimits, ListenerOptions } from './listener-options.ts';
import { Post } from './post.ts';
import { readProxyHeader } from './proxy-protocol.ts';
import { createTlsFront, type TlsFront } from './tls.ts';

/** One bound port and the connections that came in through it. */
export class Port {
  readonly #post: Post;
  readonly #server: Server;
  readonly #register: ConnectionRegister;
  readonly #sweep: NodeJS.Timeout;
  #tls: TlsFront | undefined;
  #onEmpty: (() => void) | undefined;

  /** Throws where TLS material or an address block cannot be used. */
  constructor(options: ListenerOptions, handlers: ListenerHandlers, counts: SharedCounts) {
    this.#register = new ConnectionRegister(options.name, counts);
    this.#post = new Post(options, handlers);
    this.#tls = this.#createTls(options);
    const interval = sweepInterval(options.limits);
    this.#server = createServer({
      allowHalfOpen: options.tls === undefined, // HTTP/1.1 ends its side itself; TLS and HTTP/2 would not notice that a client left
      noDelay: true,
      keepAlive: true, // notices peers that vanished, which a tunnel would keep for ever
      keepAliveInitialDelay: 60_000,
    });
    this.#server.on('connection', (socket) => this.#accept(socket));
    this.#sweep = setInterval(() => this.#sweepAll(), interval).unref();
  }

  /** Rejects where the address is taken or not to be had. */
  listen(options: ListenerOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const { host, port, backlog = 4096, reusePort } = options;
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog, reusePort }, () => {
        this.#server.off('error', reject);
        // Running out of file descriptors makes accept fail; that must not end the process.
        this.#server.on('error', ignore);
        resolve();
      });
    });
  }

  get number(): number {
    const address = this.#server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  /** Throws where TLS material or an address block cannot be used, and then has changed nothing. */
  update(options: ListenerOptions): void {
    const tls = this.#createTls(options);
    this.#post.update(options);
    this.#tls = tls;
  }

  /** Accepts nothing more and resolves when the last connection has ended; after `deadline` milliseconds they are cut. */
  drain(deadline: number): Promise<void> {
    this.#post.draining = true;
    this.#server.close(ignore);
    for (const connection of this.#register.connections) {
      if (connection.session === undefined) connection.cut();
      else connection.session.drain();
    }
    return new Promise((resolve) => {
      const cutAll = setTimeout(() => this.#cutAll(), deadline);
      this.#onEmpty = () => {
        clearTimeout(cutAll);
        this.#stop();
        resolve();
      };
      if (this.#register.connections.size === 0) this.#onEmpty();
    });
  }

  close(): void {
    this.#post.draining = true;
    this.#server.close(ignore);
    this.#stop();
    this.#cutAll();
  }

  #stop(): void {
    clearInterval(this.#sweep);
  }

  #cutAll(): void {
    for (const connection of this.#register.connections) connection.cut();
  }

  #createTls({ tls, name, limits }: ListenerOptions): TlsFront | undefined {
    if (tls === undefined) return undefined;
    return createTlsFront(tls, {
      listener: name,
      handshakeTimeout: limits.headerTimeout,
      onSecure: (connection, socket) => this.#serveSecure(connection, socket),
    });
  }

  #accept(socket: Socket): void {
    socket.on('error', ignore); // 'close' follows
    const { limits, draining, speaksProxyProtocol } = this.#post;
    const peer = canonicalAddress(socket.remoteAddress ?? '');
    if (peer === undefined || draining) {
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, peer, performance.now() + limits.headerTimeout);
    if (!this.#register.add(connection, limits.connections)) {
      socket.destroy();
      return;
    }
    socket.once('close', () => this.#forget(connection));
    // Nobody else's first bytes are ever taken for a PROXY header: it could claim any address.
    if (speaksProxyProtocol?.(peer) === true) this.#readProxyHeader(connection);
    else this.#admit(connection);
  }

  #readProxyHeader(connection: Connection): void {
    readFirstBytes(connection.socket, (bytes) => {
      const header = readProxyHeader(bytes);
      if (header === 'refuse') return 'refuse';
      if (header === 'need-more') return undefined;
      connection.clientAddress = header.source ?? connection.peerAddress;
      return { consumed: header.length, proceed: () => this.#admit(connection) };
    });
  }

  #admit(connection: Connection): void {
    const { limits, facts, handlers, isPermitted, isTrustedProxy } = this.#post;
    const { clientAddress } = connection;
    if (!isPermitted(clientAddress) || !this.#register.countClient(clientAddress, limits.connectionsPerAddress)) {
      connection.cut();
      return;
    }
    handlers.connectionOpened(facts.name);
    connection.socket.once('close', () => {
      this.#register.uncountClient(clientAddress);
      handlers.connectionClosed(facts.name);
    });
    connection.trusted = isTrustedProxy(clientAddress);
    const tls = this.#tls;
    if (tls === undefined) this.#servePlain(connection);
    else if (tls.takeChallenge === undefined) tls.take(connection);
    else this.#readClientHello(connection, tls, tls.takeChallenge);
  }

  #readClientHello(connection: Connection, tls: TlsFront, takeChallenge: (connection: Connection) => void): void {
    readFirstBytes(connection.socket, (bytes) => {
      const offer = offersAcmeTls(bytes);
      if (offer === 'need-more') return undefined;
      return { consumed: 0, proceed: () => (offer === 'yes' ? takeChallenge(connection) : tls.take(connection)) };
    });
  }

  #servePlain(connection: Connection): void {
    connection.deadline = 0;
    connection.session = new Http1Connection(this.#post, connection, connection.socket);
    connection.socket.resume();
  }

  #serveSecure(connection: Connection, socket: TLSSocket): void {
    if (this.#post.draining) socket.destroy();
    else if (socket.alpnProtocol === 'h2') adoptHttp2(this.#post, connection, socket);
    else connection.session = new Http1Connection(this.#post, connection, socket);
  }

  #forget(connection: Connection): void {
    this.#register.remove(connection);
    connection.session?.closed();
    if (this.#register.connections.size === 0) this.#onEmpty?.();
  }

  #sweepAll(): void {
    const now = performance.now();
    for (const connection of this.#register.connections) {
      if (connection.deadline !== 0 && now >= connection.deadline) connection.cut();
      else connection.session?.sweep(now);
    }
  }
}

/** A second, or less where a limit is so short that a second would be too coarse. */
function sweepInterval(limits: ListenerLimits): number {
  const shortest = Math.min(limits.headerTimeout, limits.idleTimeout, limits.bodyIdleTimeout, limits.writeIdleTimeout);
  return Math.max(20, Math.min(1000, Math.floor(shortest / 4)));
}

function ignore(): void {}
