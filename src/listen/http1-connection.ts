import type { Duplex } from 'node:stream';
import { Problem } from '../errors/problem.ts';
import { Exchange } from '../exchange.ts';
import { MalformedMessage } from '../lib/malformed-message.ts';
import { newRequestId } from '../observe/request-id.ts';
import { type Connection, type HttpSocket, type Session, unsentBytes } from './connection.ts';
import { handOver } from './hand-over.ts';
import { type BodySource, Http1Body } from './http1-body.ts';
import { noTrailers, readHttp1Head } from './http1-head.ts';
import { type Http1Request, MALFORMED, mayBecomeHead, NO_BODY, readHttp1Request } from './http1-request.ts';
import { asksForOtherProtocol, staysOpen, webSocketAsked } from './http1-wishes.ts';
import { Http1Wire, type WireOwner } from './http1-wire.ts';
import type { Post } from './post.ts';

/**
 * HTTP/1.1 on one connection (RFC 9112). Requests are served one after the other: a client may pipeline, but then waits its
 * turn (§9.3.2 asks for it wherever a method is not safe), and what it sends meanwhile is left with the system.
 */
export class Http1Connection implements Session, WireOwner, BodySource {
  readonly connection: Connection;
  readonly socket: HttpSocket;
  readonly #post: Post;
  /** READING: no request is being served. SERVING: one is. CLOSING: the last reply is written. LEFT: the connection speaks something else. */
  #phase: 'reading' | 'serving' | 'closing' | 'left' = 'reading';
  /** What has come of a head that is not complete, or behind the request that is being served. */
  #held: Buffer = EMPTY;
  #wire: Http1Wire | undefined = undefined;
  /** The body of the request that is being served, while it arrives. */
  #body: Http1Body | undefined = undefined;
  #replied = false;
  // For the sweep: when it last saw something change, and what it compares. -1: not looked at since the last change.
  #since = -1;
  #mark = 0;

  constructor(post: Post, connection: Connection, socket: HttpSocket) {
    this.#post = post;
    this.connection = connection;
    this.socket = socket;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#phase === 'reading') this.#readHead(bytes);
    else if (this.#phase === 'serving') this.#takeMore(bytes);
    // What comes on a connection that is closing is thrown away, so that closing does not reset it before the client has read its reply (RFC 9112 §9.6).
  };

  /** The client sends nothing more. One that waits for a reply cannot be told from one that is gone; it is taken to be gone. */
  readonly #onEnd = (): void => {
    if (this.#wire?.hasEnded === true || this.#phase === 'closing') this.socket.destroySoon();
    else this.cut();
  };

  readonly #onDrain = (): void => {
    this.#wire?.onDrain?.();
  };

  #readHead(bytes: Buffer): void {
    const held = this.#held.length;
    let all = held === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    if (held === 0) all = withoutBlankLines(all);
    if (all.length === 0) return;
    const end = all.indexOf(HEAD_END, Math.max(0, held - HEAD_END.length));
    const { headerBytes } = this.#post.limits;
    if (end > headerBytes || (end < 0 && all.length > headerBytes)) {
      this.refuse(HEAD_TOO_LARGE);
    } else if (end >= 0) {
      this.#held = EMPTY;
      this.#begin(all.toString('latin1', 0, end), all.subarray(end + HEAD_END.length));
    } else if (mayBecomeHead(all.toString('latin1', Math.max(0, held - 1)))) {
      if (held === 0) this.#since = -1;
      this.#held = all;
    } else {
      this.refuse(MALFORMED);
    }
  }

  #begin(text: string, rest: Buffer): void {
    this.connection.requests += 1;
    this.#since = -1;
    const request = readHttp1Request(text, this.#post.limits);
    if (request instanceof Problem) {
      this.refuse(request);
      return;
    }
    const body = this.#bodyOf(request);
    const upgrade = webSocketAsked(request);
    const wire = new Http1Wire(this, {
      toHead: request.method === 'HEAD',
      httpVersion: request.httpVersion,
      // What follows a request for another protocol may be in that protocol.
      persistent: staysOpen(request) && !asksForOtherProtocol(request),
      upgrade,
      body,
      bodyLength: request.length,
    });
    const carriers = { wire, body, trailers: body === undefined ? noTrailers : () => body.trailers, upgrade };
    const head = readHttp1Head(request, carriers, { post: this.#post, connection: this.connection });
    if (head instanceof Problem) {
      this.refuse(head);
      return;
    }
    const exchange = new Exchange(head);
    wire.exchange = exchange;
    wire.awaitsContinue = body !== undefined && request.httpVersion === '1.1' && request.fields.expect !== undefined;
    this.#phase = 'serving';
    this.#wire = wire;
    this.#body = body;
    this.#replied = false;
    if (body === undefined) this.#held = rest;
    handOver(this.#post, exchange);
    if (body !== undefined && rest.length > 0) this.#onData(rest);
  }

  #bodyOf({ length }: Http1Request): Http1Body | undefined {
    if (length === NO_BODY || length === 0) return undefined;
    const { headerBytes, headerCount } = this.#post.limits;
    return new Http1Body(length, { bytes: headerBytes, fields: headerCount }, this);
  }

  /** Bytes of the body, and behind it those of later requests. */
  #takeMore(bytes: Buffer): void {
    const body = this.#body;
    if (body === undefined) {
      this.#hold(bytes);
      return;
    }
    let rest: Buffer | undefined;
    try {
      rest = body.feed(bytes);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#endServing(error.exceedsLimit ? CODING_TOO_LARGE : MALFORMED);
      return;
    }
    if (rest === undefined) return;
    this.#body = undefined;
    if (rest.length > 0) this.#hold(rest);
    if (this.#replied) this.#next();
  }

  #hold(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    if (this.#held.length >= MOST_HELD) this.socket.pause();
  }

  wanted(): void {
    this.#wire?.continue();
    if (this.#held.length < MOST_HELD) this.socket.resume();
  }

  unwanted(): void {
    this.socket.pause();
  }

  isLast(): boolean {
    return this.#post.draining || this.connection.requests >= this.#post.limits.requestsPerConnection;
  }

  finished(wire: Http1Wire): void {
    if (this.#wire !== wire) return;
    this.#replied = true;
    this.#since = -1;
    if (wire.isLast) {
      this.#close();
    } else if (this.#body === undefined) {
      this.#next();
    } else {
      // Thrown away up to a bound, and so never read as the next request.
      this.connection.deadline = performance.now() + LINGER;
      wire.awaitsContinue = false;
      this.#body.discard();
    }
  }

  /** The reply is sent and the request has come to its end. */
  #next(): void {
    this.#wire = undefined;
    this.connection.deadline = 0;
    if (this.#held.length > 0) {
      process.nextTick(this.#readHeld);
      return;
    }
    this.#phase = 'reading';
    if (this.#post.draining) process.nextTick(() => this.drain());
  }

  /** A turn later, so that a long pipeline of requests that are answered at once builds no stack. */
  readonly #readHeld = (): void => {
    if (this.#phase !== 'serving' || this.socket.destroyed) return;
    this.#phase = 'reading';
    const held = this.#held;
    this.#held = EMPTY;
    this.socket.resume();
    this.#readHead(held);
  };

  /** Lets the client read its last reply while what it still sends is thrown away. */
  #close(): void {
    this.#phase = 'closing';
    this.#held = EMPTY;
    this.#body = undefined;
    this.connection.deadline = performance.now() + LINGER;
    this.socket.end();
    this.socket.resume();
  }

  /** Answers what can be no exchange; nothing behind it is read. */
  refuse(problem: Problem): void {
    this.#phase = 'serving';
    this.#held = EMPTY;
    this.#wire = new Http1Wire(this, REFUSED);
    this.#post.handlers.refuse(this.#wire, problem, newRequestId());
  }

  /** Answers the request that is being served with a problem, in place of whatever the road may still say. */
  #endServing(problem: Problem): void {
    const wire = this.#wire;
    const body = this.#body;
    const reason = problem.detail ?? problem.title;
    this.#body = undefined;
    if (wire?.hasEnded === true) {
      // The reply is written, and what is written still goes out.
      this.#close();
    } else {
      const begun = wire?.hasBegun === true;
      wire?.lost(reason);
      if (begun) this.cut();
      else this.refuse(problem);
    }
    body?.breakOff(reason);
  }

  leaveHttp(): Duplex {
    const { socket } = this;
    this.#phase = 'left';
    this.#wire = undefined;
    socket.off('data', this.#onData).off('end', this.#onEnd).off('drain', this.#onDrain);
    socket.pause();
    if (this.#held.length > 0) socket.unshift(this.#held);
    this.#held = EMPTY;
    // As Node does where it hands over a socket: it flows once somebody listens.
    Object.assign(socket, { readableFlowing: null });
    return socket;
  }

  cut(): void {
    this.#phase = 'closing';
    this.connection.cut();
  }

  drain(): void {
    if (this.#phase === 'reading' && this.#held.length === 0) this.cut();
  }

  closed(): void {
    const wire = this.#wire;
    const body = this.#body;
    this.#phase = 'closing';
    this.#wire = undefined;
    this.#body = undefined;
    wire?.lost(CLIENT_GONE);
    body?.breakOff(CLIENT_GONE);
  }

  sweep(now: number): void {
    if (this.#phase === 'reading') {
      this.#sweepReading(now);
    } else if (this.#phase === 'serving') {
      const { writeIdleTimeout, bodyIdleTimeout } = this.#post.limits;
      if (this.socket.writableLength > 0) {
        if (!this.#isStuck(unsentBytes(this.socket) ?? 0, now, writeIdleTimeout)) return;
        this.#wire?.lost('the client took nothing of the reply');
        this.cut();
      } else if (this.#body !== undefined && awaitsBytes(this.#body)) {
        if (this.#isStuck(this.socket.bytesRead, now, bodyIdleTimeout)) this.#endServing(BODY_STALLED);
      } else {
        this.#since = -1;
      }
    }
  }

  /** A head has its time from its first byte on, that of the first request from the connection's; between requests silence has. */
  #sweepReading(now: number): void {
    if (this.#since < 0) this.#since = now;
    const isHead = this.#held.length > 0 || this.connection.requests === 0;
    const { headerTimeout, idleTimeout } = this.#post.limits;
    if (now - this.#since < (isHead ? headerTimeout : idleTimeout)) return;
    if (isHead) this.refuse(HEAD_STALLED);
    else this.cut();
  }

  #isStuck(mark: number, now: number, allowed: number): boolean {
    if (this.#since < 0 || mark !== this.#mark) {
      this.#since = now;
      this.#mark = mark;
    }
    return now - this.#since >= allowed;
  }
}

/** Whether the road waits for bytes of the body: a pause is its own doing, and not the client's fault. */
function awaitsBytes(body: Http1Body): boolean {
  if (body.readableLength > 0) return false;
  return body.readableFlowing === true || body.listenerCount('readable') > 0;
}

/** RFC 9112 §2.2: blank lines before a request are no part of it. */
function withoutBlankLines(bytes: Buffer): Buffer {
  let at = 0;
  while (bytes[at] === CR && bytes[at + 1] === LF) at += 2;
  return at === 0 ? bytes : bytes.subarray(at);
}

const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const HEAD_END = Buffer.from('\r\n\r\n');

/** Bytes a client may send ahead before it has to wait. */
const MOST_HELD = 16 * 1024;
/** Milliseconds a client gets to read a last reply, or to send the rest of a body that nobody reads. */
const LINGER = 2000;

const REFUSED = {
  toHead: false,
  httpVersion: '1.1',
  persistent: false,
  upgrade: undefined,
  body: undefined,
  bodyLength: undefined,
} as const;

const CLIENT_GONE = 'the client closed the connection before its reply was complete';
const BODY_STALLED = new Problem('request-timeout', { detail: 'The request body stopped arriving.' });
const HEAD_STALLED = new Problem('request-timeout', { detail: 'The request head did not arrive in time.' });
const HEAD_TOO_LARGE = new Problem('headers-too-large', {
  detail: 'The request head has more bytes than this listener takes.',
});
const CODING_TOO_LARGE = new Problem('body-too-large', {
  detail: 'A chunk extension or the trailer section is too large.',
});
