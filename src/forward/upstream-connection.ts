import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { HeaderList } from '../lib/header-list.ts';
import type { ResponseFields } from './response-head.ts';
import { type ExpectedResponse, type ResponseEvents, ResponseParser } from './response-parser.ts';
import type { TargetAddress } from './target-address.ts';

/** What a connection tells the transaction that holds it. After `onEnd`, `onSwitched` or `onFailure` it says no more. */
export interface Transaction {
  /** `headers` are those meant for the client, here and in `onSwitched`. */
  onHead(status: number, headers: HeaderList): void;
  onData(chunk: Buffer): void;
  onEnd(trailers: readonly string[] | undefined): void;
  onSwitched(headers: HeaderList, socket: Socket, surplus: Buffer): void;
  /** `untouched` is true where not one byte of a response had come. */
  onFailure(error: Error, untouched: boolean): void;
  onDrain(): void;
}

export interface ConnectionOwner {
  /** The connection is free for another transaction. */
  onFree(connection: UpstreamConnection): void;
  onGone(connection: UpstreamConnection): void;
}

/** A connection that will be switched to another protocol is read as a stream from the start, and never shared. */
export type ConnectionPurpose = 'requests' | 'upgrade';

export type ConnectionPhase = 'connecting' | 'idle' | 'awaiting-head' | 'body' | 'closed';

/**
 * One HTTP/1.1 connection to an upstream, carrying one transaction at a time. It is given back for reuse only after a
 * response that ended exactly where its framing said and a request that was sent whole: anything else ends it.
 */
export class UpstreamConnection implements ResponseEvents {
  readonly socket: Socket;
  phase: ConnectionPhase = 'connecting';
  /** When this phase began or last made progress, in ms of `performance.now()`; the pool's sweep compares it with the timeouts. */
  progressAt = performance.now();
  /** Transactions this connection has carried. */
  served = 0;
  /** Ms the upstream promised to keep it open while idle (Keep-Alive: timeout), or Infinity. */
  idleFor = Number.POSITIVE_INFINITY;
  /** True for an event stream: silence is part of it, so only TCP keep-alive decides that it is dead. */
  patient = false;

  readonly #owner: ConnectionOwner;
  readonly #parser = new ResponseParser(this);
  #transaction: Transaction | undefined;
  #untouched = true;
  #requestSent = false;
  #ready: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(address: TargetAddress, owner: ConnectionOwner, purpose: ConnectionPurpose) {
    this.#owner = owner;
    if (address.tls === undefined && purpose === 'requests') {
      // Reading into one buffer of its own spares the socket a stream and an allocation per read.
      const onread = { buffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES), callback: this.#onRead };
      this.socket = connectPlain({ ...address.socket, noDelay: true, keepAlive: true, onread });
    } else {
      this.socket =
        address.tls === undefined
          ? connectPlain({ ...address.socket, noDelay: true, keepAlive: true })
          : connectTls({ ...address.socket, ...address.tls, ALPNProtocols: ['http/1.1'], rejectUnauthorized: true });
      this.socket.setNoDelay(true);
      this.socket.on('data', (chunk: Buffer) => this.#onRead(chunk.length, chunk));
    }
    this.socket.on(address.tls === undefined ? 'connect' : 'secureConnect', () => this.#onConnect());
    this.socket.on('drain', () => {
      this.progressAt = performance.now();
      this.#transaction?.onDrain();
    });
    this.socket.on('end', () => this.#onEof());
    this.socket.on('error', (error) => this.destroy(error));
    this.socket.on('close', () => this.destroy(new Error('the upstream closed the connection')));
  }

  /** Resolves when the connection is established; rejects when it cannot be. */
  connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#ready = { resolve, reject };
    });
  }

  /** Takes the connection for one transaction and sends the head of its request. */
  begin(transaction: Transaction, head: string, expected: ExpectedResponse): void {
    this.#transaction = transaction;
    this.#untouched = true;
    this.#requestSent = false;
    this.phase = 'awaiting-head';
    this.progressAt = performance.now();
    this.served += 1;
    this.#parser.expect(expected);
    this.socket.write(head, 'latin1');
  }

  /** Sends a part of the request body; false asks to wait for `onDrain`. */
  write(chunk: Uint8Array | string): boolean {
    this.progressAt = performance.now();
    return this.phase === 'closed' ? true : this.socket.write(chunk, 'latin1');
  }

  /** Says that the request is complete; without it the connection is not reused. */
  requestSent(): void {
    this.#requestSent = true;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.progressAt = performance.now();
    this.socket.resume();
  }

  /** Ends the connection; its transaction, if any, fails with this error. */
  destroy(error: Error): void {
    if (this.phase === 'closed') return;
    const waiting = this.#ready;
    const transaction = this.#transaction;
    this.#release('closed');
    this.socket.destroy();
    this.#owner.onGone(this);
    waiting?.reject(error);
    transaction?.onFailure(error, this.#untouched);
  }

  onHead(status: number, { endToEnd, keepAlive, contentType }: ResponseFields): void {
    this.phase = 'body';
    if (keepAlive !== undefined) this.idleFor = promisedIdle(keepAlive);
    this.patient = contentType?.startsWith('text/event-stream') === true;
    this.#transaction?.onHead(status, endToEnd);
  }

  onData(chunk: Buffer): void {
    this.#transaction?.onData(chunk);
  }

  onEnd(trailers: readonly string[] | undefined, reusable: boolean): void {
    const transaction = this.#transaction;
    if (reusable && this.#requestSent && !this.socket.writableNeedDrain) {
      this.#release('idle');
      this.socket.resume();
      transaction?.onEnd(trailers);
      this.#owner.onFree(this);
    } else {
      this.#release('closed');
      this.socket.destroy();
      this.#owner.onGone(this);
      transaction?.onEnd(trailers);
    }
  }

  onSwitched(headers: HeaderList, surplus: Buffer): void {
    const transaction = this.#transaction;
    this.#release('closed');
    this.#owner.onGone(this);
    this.socket.pause();
    this.socket.removeAllListeners('drain').removeAllListeners('end').removeAllListeners('data');
    transaction?.onSwitched(headers, this.socket, Buffer.from(surplus));
  }

  #release(phase: ConnectionPhase): void {
    this.phase = phase;
    this.#transaction = undefined;
    this.#ready = undefined;
  }

  #onConnect(): void {
    const waiting = this.#ready;
    if (this.phase !== 'connecting') return;
    this.progressAt = performance.now();
    this.#release('idle');
    waiting?.resolve();
  }

  /** Bound once per connection; returning false would pause the socket, which `pause` does by itself. */
  readonly #onRead = (length: number, buffer: Uint8Array): boolean => {
    this.progressAt = performance.now();
    this.#untouched = false;
    try {
      this.#parser.feed(Buffer.from(buffer.buffer, buffer.byteOffset, length));
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
    return true;
  };

  #onEof(): void {
    try {
      this.#parser.eof();
      this.destroy(new Error('the upstream closed the connection'));
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

const READ_BUFFER_BYTES = 64 * 1024;

/** One second less than the upstream promises, so that a request does not meet a closing connection. */
function promisedIdle(keepAlive: string): number {
  const match = /(?:^|[,\s])timeout=([0-9]{1,6})/i.exec(keepAlive);
  return match === null ? Number.POSITIVE_INFINITY : Math.max(0, Number(match[1]) * 1000 - 1000);
}
