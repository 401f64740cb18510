import type { Duplex } from 'node:stream';
import { Problem } from '../errors/problem.ts';
import { Exchange } from '../exchange.ts';
import { MalformedMessage } from '../lib/malformed-message.ts';
import { newRequestId } from '../observe/request-id.ts';
import { type Connection, type HttpSocket, type Session, unsentBytes } from './connection.ts';
import { handOver } from './hand-over.ts';
import { type BodySource, type Http1Body, MOST_DISCARDED, openBody } from './http1-body.ts';
import { type Arrival, noTrailers, readHttp1Head } from './http1-head.ts';
import { type HeadBytes, HeadReader } from './http1-head-reader.ts';
import { MALFORMED, readHttp1Request } from './http1-request.ts';
import { Http1Wire, lastReply, type WireOwner } from './http1-wire.ts';
import { replyWay, webSocketAsked } from './http1-wishes.ts';
import { Patience } from './patience.ts';
import type { Post } from './post.ts';

/**
 * HTTP/1.1 on one connection (RFC 9112). Requests are served one after the other: a client may pipeline, but then waits its
 * turn (§9.3.2 asks for it wherever a method is not safe), and what it sends meanwhile is left with the system.
 */
export class Http1Connection implements Session, WireOwner, BodySource {
  readonly connection: Connection;
  readonly socket: HttpSocket;
  readonly #post: Post;
  readonly #arrival: Arrival;
  /** Whether a head is awaited, a request is being served, the last reply is written, or the connection speaks something else. */
  #phase: 'reading' | 'serving' | 'closing' | 'left' = 'reading';
  readonly #head = new HeadReader();
  /** What the client has sent ahead, behind the request that is being served. */
  #ahead: Buffer = EMPTY;
  #wire: Http1Wire | undefined = undefined;
  /** The body of the request that is being served, while it arrives. */
  #body: Http1Body | undefined = undefined;
  #replied = false;
  #discarded = 0;
  readonly #patience = new Patience();

  constructor(post: Post, connection: Connection, socket: HttpSocket) {
    this.#post = post;
    this.connection = connection;
    this.socket = socket;
    this.#arrival = { post, connection };
    socket.on('data', this.#onData).on('end', this.#onEnd).on('drain', this.#onDrain);
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#phase === 'reading') this.#readHead(bytes);
    else if (this.#phase === 'serving') this.#takeMore(bytes);
    else this.#discard(bytes);
  };

  /** Up to a bound, so that closing does not reset the connection before the client has read its reply (RFC 9112 §9.6). */
  #discard(bytes: Buffer): void {
    this.#discarded += bytes.length;
    if (this.#discarded > MOST_DISCARDED) this.socket.pause();
  }

  /** The client sends nothing more. One that waits for a reply cannot be told from one that is gone; it is taken to be gone. */
  readonly #onEnd = (): void => {
    const mayFinish = this.#phase === 'closing' || this.#wire?.hasEnded === true;
    this.#phase = 'closing'; // nothing that was sent ahead could be answered any more
    if (mayFinish) this.socket.destroySoon();
    else this.cut();
  };

  readonly #onDrain = (): void => {
    this.#wire?.onDrain?.();
  };

  #readHead(bytes: Buffer): void {
    const hadBegun = this.#head.hasBegun;
    const head = this.#head.take(bytes, this.#post.limits.headerBytes);
    if (head instanceof Problem) this.#refuse(head, false);
    else if (head !== undefined) this.#begin(head);
    else if (this.#head.hasBegun && !hadBegun && this.connection.requests > 0) this.#patience.renew();
  }

  #begin({ text, rest }: HeadBytes): void {
    this.connection.requests += 1;
    this.#patience.renew();
    const request = readHttp1Request(text, this.#post.limits);
    if (request instanceof Problem) {
      this.#refuse(request, text.startsWith('HEAD '));
      return;
    }
    const body = openBody(request, this.#post.limits, this);
    const upgrade = webSocketAsked(request);
    const wire = new Http1Wire(this, { ...replyWay(request, upgrade), body });
    const carriers = { wire, body, trailers: body === undefined ? noTrailers : () => body.trailers, upgrade };
    const head = readHttp1Head(request, carriers, this.#arrival);
    if (head instanceof Problem) {
      this.#refuse(head, request.method === 'HEAD');
      return;
    }
    const exchange = new Exchange(head);
    wire.exchange = exchange;
    wire.awaitsContinue = body !== undefined && request.httpVersion === '1.1' && request.fields.expect !== undefined;
    this.#phase = 'serving';
    this.#wire = wire;
    this.#body = body;
    this.#replied = false;
    if (body === undefined && rest.length > 0) this.#keep(rest);
    handOver(this.#post, exchange);
    if (body !== undefined && rest.length > 0) this.#onData(rest);
  }

  /** Bytes of the body, and behind it those of later requests. */
  #takeMore(bytes: Buffer): void {
    const body = this.#body;
    if (body === undefined) {
      this.#keep(bytes);
      return;
    }
    if (this.#wire !== undefined) this.#wire.awaitsContinue = false; // it did not wait
    let rest: Buffer | undefined;
    try {
      rest = body.feed(bytes);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#endServing(error.exceedsLimit ? CODING_TOO_LARGE : MALFORMED);
      return;
    }
    // The road may have ended the connection within the call.
    if (rest === undefined || this.#phase !== 'serving') return;
    this.#body = undefined;
    if (rest.length > 0) this.#keep(rest);
    this.#flow(); // its reader may have wanted no more
    if (this.#replied) this.#next();
  }

  #keep(bytes: Buffer): void {
    this.#ahead = this.#ahead.length === 0 ? bytes : Buffer.concat([this.#ahead, bytes]);
    if (this.#ahead.length >= MOST_AHEAD) this.socket.pause();
  }

  #flow(): void {
    if (this.#ahead.length < MOST_AHEAD && this.#phase !== 'left') this.socket.resume();
  }

  wanted(): void {
    this.#wire?.continue();
    this.#flow();
  }

  unwanted(): void {
    this.socket.pause();
  }

  isLast(): boolean {
    return this.#post.draining || this.connection.requests >= this.#post.limits.requestsPerConnection;
  }

  finished(wire: Http1Wire): void {
    if (this.#wire !== wire || this.#phase !== 'serving') return;
    this.#replied = true;
    this.#patience.renew();
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
    if (this.#ahead.length > 0) {
      process.nextTick(this.#readAhead);
      return;
    }
    this.#phase = 'reading';
    if (this.#post.draining) process.nextTick(() => this.drain());
  }

  /** A turn later, so that a long pipeline of requests that are answered at once builds no stack. */
  readonly #readAhead = (): void => {
    if (this.#phase !== 'serving' || this.socket.destroyed) return;
    this.#phase = 'reading';
    const ahead = this.#ahead;
    this.#ahead = EMPTY;
    this.#readHead(ahead);
    this.#flow();
  };

  /** Lets the client read its last reply while what it still sends is thrown away. */
  #close(): void {
    this.#phase = 'closing';
    this.#ahead = EMPTY;
    this.#body = undefined;
    this.connection.deadline = performance.now() + LINGER;
    this.socket.end();
    this.socket.resume();
  }

  /** Answers what can be no exchange; nothing behind it is read. */
  #refuse(problem: Problem, toHead: boolean): void {
    this.#phase = 'serving';
    this.#ahead = EMPTY;
    this.#wire = new Http1Wire(this, lastReply(toHead));
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
      else this.#refuse(problem, wire?.toHead === true);
    }
    body?.breakOff(reason);
  }

  leaveHttp(): Duplex {
    const { socket } = this;
    this.#phase = 'left';
    this.#wire = undefined;
    socket.off('data', this.#onData).off('end', this.#onEnd).off('drain', this.#onDrain);
    socket.pause();
    if (this.#ahead.length > 0) socket.unshift(this.#ahead);
    this.#ahead = EMPTY;
    // As Node does where it hands over a socket: it flows once somebody listens.
    Object.assign(socket, { readableFlowing: null });
    return socket;
  }

  cut(): void {
    this.#phase = 'closing';
    this.connection.cut();
  }

  drain(): void {
    if (this.#phase === 'reading' && !this.#head.hasBegun) this.cut();
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
    if (this.#phase === 'reading') this.#sweepReading(now);
    else if (this.#phase === 'serving') this.#sweepServing(now);
  }

  /** A head has its time from its first byte on, that of the first request from the connection's; between requests silence has. */
  #sweepReading(now: number): void {
    const isHead = this.#head.hasBegun || this.connection.requests === 0;
    const { headerTimeout, idleTimeout } = this.#post.limits;
    if (!this.#patience.isOver(now, isHead ? headerTimeout : idleTimeout)) return;
    if (isHead) this.#refuse(HEAD_STALLED, false);
    else this.cut();
  }

  #sweepServing(now: number): void {
    const { writeIdleTimeout, bodyIdleTimeout } = this.#post.limits;
    if (this.socket.writableLength > 0) {
      if (!this.#patience.isOverSince(unsentBytes(this.socket) ?? 0, now, writeIdleTimeout)) return;
      this.#wire?.lost('the client took nothing of the reply');
      this.cut();
    } else if (this.#body?.isAwaited === true) {
      if (this.#patience.isOverSince(this.socket.bytesRead, now, bodyIdleTimeout)) this.#endServing(BODY_STALLED);
    } else {
      this.#patience.renew();
    }
  }
}

const EMPTY = Buffer.alloc(0);

/** Bytes a client may send ahead before it has to wait. */
const MOST_AHEAD = 16 * 1024;
/** Milliseconds a client gets to read a last reply, or to send the rest of a body that nobody reads. */
const LINGER = 2000;

const CLIENT_GONE = 'the client closed the connection before its reply was complete';
const BODY_STALLED = new Problem('request-timeout', { detail: 'The request body stopped arriving.' });
const HEAD_STALLED = new Problem('request-timeout', { detail: 'The request head did not arrive in time.' });
const CODING_TOO_LARGE = new Problem('body-too-large', {
  detail: 'A chunk extension or the trailer section is too large.',
});
