import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TlsFacts } from '../exchange.ts';
import { type CanonicalAuthority, canonicalAuthority } from '../lib/canonical-authority.ts';
import { ownCopy } from '../lib/spellings.ts';

/** What speaks HTTP on a connection. Times are milliseconds of `performance.now()`. */
export interface Session {
  /** Called about once a second: cuts what has been idle for too long. */
  sweep(now: number): void;
  /** Ends as soon as nothing is in flight. */
  drain(): void;
  /** The connection is gone. */
  closed(): void;
}

/** One connection from its acceptance on. Every field is there from birth. */
export class Connection {
  readonly socket: Socket;
  /** The address of the socket's other end, canonical. */
  readonly peerAddress: string;
  /** The same, or what a trusted peer's PROXY header says. */
  clientAddress: string;
  /** Whether forwarding fields that come through here are believed. */
  trusted = false;
  tls: TlsFacts | undefined = undefined;
  session: Session | undefined = undefined;
  /** When the connection is cut unless its state changes before; 0 for never. */
  deadline: number;
  requests = 0;

  #host = '';
  #scheme: 'http' | 'https' = 'http';
  #authority: CanonicalAuthority | undefined;

  constructor(socket: Socket, peerAddress: string, deadline: number) {
    this.socket = socket;
    this.peerAddress = peerAddress;
    this.clientAddress = peerAddress;
    this.deadline = deadline;
    this.#authority = undefined;
  }

  /** Canonical form of a Host value. Clients repeat theirs, so the last one is kept. */
  authority(host: string, scheme: 'http' | 'https'): CanonicalAuthority | undefined {
    if (host !== this.#host || scheme !== this.#scheme) {
      this.#host = ownCopy(host);
      this.#authority = canonicalAuthority(this.#host, scheme);
      this.#scheme = scheme;
    }
    return this.#authority;
  }

  cut(): void {
    this.socket.destroy();
  }
}

/** What carries HTTP: the connection itself, or TLS upon it. */
export type HttpSocket = Socket | TLSSocket;

/** Bytes the system has not taken yet, or undefined where Node does not say. It falls while a slow reader reads, which `writableLength` does not. */
export function unsentBytes(socket: HttpSocket): number | undefined {
  // Node's own idle timer looks at this field for the same reason; it is not in the types.
  const size = (socket as { readonly _handle?: { readonly writeQueueSize?: unknown } | null })._handle?.writeQueueSize;
  return typeof size === 'number' ? size : undefined;
}
