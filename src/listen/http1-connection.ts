import type { ServerResponse } from 'node:http';
import { Problem } from '../errors/problem.ts';
import { Exchange } from '../exchange.ts';
import { newRequestId } from '../observe/request-id.ts';
import { type Connection, type HttpSocket, type Session, unsentBytes } from './connection.ts';
import { handOver } from './hand-over.ts';
import { readHttp1Head } from './http1-head.ts';
import type { Http1Request } from './http1-request.ts';
import { Http1Wire, type WireOwner } from './http1-wire.ts';
import type { Post } from './post.ts';
import { RawWire } from './raw-wire.ts';

/**
 * HTTP/1.1 on one connection. Requests are served one after the other: a client may pipeline, but then waits its turn
 * (RFC 9112 §9.3.2 asks for it wherever a method is not safe), and cannot have more under way than connections.
 */
export class Http1Connection implements Session, WireOwner {
  readonly connection: Connection;
  readonly socket: HttpSocket;
  readonly #post: Post;
  #current: Http1Wire | undefined = undefined;
  #waiting: Waiting[] = NONE;
  /** Said once everything before it is answered; nothing after it is read. */
  #fault: Problem | undefined = undefined;
  #closing = false;
  #tunnel = false;
  // For the sweep: when it last saw something change, and what it compares. -1: not looked at since the last change of state.
  #since = -1;
  #mark = 0;

  constructor(post: Post, connection: Connection, socket: HttpSocket) {
    this.#post = post;
    this.connection = connection;
    this.socket = socket;
  }

  get isBusy(): boolean {
    return this.#current !== undefined || this.#closing;
  }

  arrive(request: Http1Request, response: ServerResponse): void {
    if (this.#closing) return;
    if (this.#current === undefined) {
      this.#begin(request, response, undefined);
      return;
    }
    if (this.#waiting === NONE) this.#waiting = [];
    this.#waiting.push({ request, response });
    if (this.#waiting.length > MOST_WAITING) this.cut();
  }

  /** Serves a request that asks for another protocol; the response must be bound to the socket. */
  arriveForUpgrade(request: Http1Request, response: ServerResponse, takeOver: Http1Wire['takeOver']): void {
    this.#begin(request, response, takeOver);
  }

  #begin(request: Http1Request, response: ServerResponse, takeOver: Http1Wire['takeOver']): void {
    this.connection.requests += 1;
    this.#since = -1;
    const wire = new Http1Wire(request, response, this, takeOver !== undefined || request.ignoresUpgrade);
    this.#current = wire;
    const upgrade = takeOver === undefined ? undefined : 'websocket';
    const head = readHttp1Head(request, wire, upgrade, { post: this.#post, connection: this.connection });
    if (head instanceof Problem) {
      this.#refuse(request, response, head);
      return;
    }
    if (takeOver !== undefined) wire.takeOver = (fields) => this.#leaveHttp(wire, takeOver(fields));
    const exchange = new Exchange(head);
    wire.exchange = exchange;
    if (request.announcesBody && head.body !== undefined && head.httpVersion === '1.1' && head.headers.has('expect')) {
      request.awaitsContinue = response;
    }
    handOver(this.#post, exchange);
  }

  #refuse(request: Http1Request, response: ServerResponse, problem: Problem): void {
    const wire = new Http1Wire(request, response, this, true);
    this.#current = wire;
    this.#post.handlers.refuse(wire, problem, newRequestId());
  }

  #leaveHttp<T>(wire: Http1Wire, socket: T): T {
    wire.leave();
    this.#current = undefined;
    this.#tunnel = true;
    return socket;
  }

  isLast(): boolean {
    return (
      this.#post.draining ||
      this.#fault !== undefined ||
      this.connection.requests >= this.#post.limits.requestsPerConnection
    );
  }

  finished(wire: Http1Wire): void {
    if (this.#current !== wire) return;
    this.#current = undefined;
    this.#since = -1;
    if (wire.isLast) {
      // What the client sent behind it was read already, perhaps by other rules than ours. Node closes the connection.
      this.#closing = true;
      this.#waiting = NONE;
      this.linger();
      return;
    }
    // Node gives the socket to the next response only after this call.
    if (this.#waiting.length > 0 || this.#fault !== undefined) process.nextTick(() => this.#next());
    else if (this.#post.draining) process.nextTick(() => this.drain());
  }

  linger(): void {
    this.connection.deadline = performance.now() + LINGER;
  }

  lingered(): void {
    this.connection.deadline = 0;
  }

  cut(): void {
    this.#closing = true;
    this.connection.cut();
  }

  #next(): void {
    if (this.#current !== undefined || this.#closing || this.socket.destroyed) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) this.#begin(waiting.request, waiting.response, undefined);
    else if (this.#fault !== undefined) this.#refuseRaw(this.#fault);
  }

  /** Node could not read on. Its parser gives up here, so the connection ends; what was asked before is answered first. */
  unreadable(error: NodeJS.ErrnoException): void {
    if (this.#closing || this.#tunnel) return;
    // The client said that its last request was the last, and goes on: that request is still answered.
    if (error.code === 'HPE_CLOSED_CONNECTION' && this.#current !== undefined) return;
    const problem = problemFor(error);
    if (problem === undefined || !this.socket.writable) {
      this.cut();
      return;
    }
    const current = this.#current;
    if (current === undefined) {
      this.#refuseRaw(problem);
      return;
    }
    this.#fault = problem;
    if (!current.request.announcesBody || current.request.complete) return; // it is a later request that is at fault
    if (current.hasEnded) this.#endAfterReply();
    else this.#endCurrent(current, problem);
  }

  /** The reply is written, and the body it did not wait for cannot be read to its end: what is written still goes out. */
  #endAfterReply(): void {
    this.#closing = true;
    this.linger();
    this.socket.end();
  }

  /** Answers the request that is being served with a problem, in place of whatever the road may still say. */
  #endCurrent(current: Http1Wire, problem: Problem): void {
    const begun = current.hasBegun;
    current.lost(problem.detail ?? problem.title);
    if (begun) {
      this.cut();
      return;
    }
    // Nothing has been written, and what Node knows of the response no longer matters.
    this.#refuseRaw(problem);
  }

  #refuseRaw(problem: Problem): void {
    this.#closing = true;
    this.#current = undefined;
    this.linger();
    this.#post.handlers.refuse(new RawWire(this.socket), problem, newRequestId());
  }

  /** Bytes for whom nobody is at fault here, and the socket is not HTTP: CONNECT, or an upgrade in a pipeline. */
  refuseOutside(problem: Problem): void {
    if (this.isBusy) this.cut();
    else this.#refuseRaw(problem);
    this.socket.resume();
  }

  drain(): void {
    const fresh = this.connection.requests === 0 && this.socket.bytesRead > 0;
    if (this.#current === undefined && this.#waiting.length === 0 && !this.#tunnel && !this.#closing && !fresh)
      this.cut();
  }

  closed(): void {
    this.#closing = true;
    this.#current?.lost('the client closed the connection before its reply was complete');
    this.#current = undefined;
    this.#waiting = NONE;
  }

  sweep(now: number): void {
    if (this.#tunnel || this.#closing) return;
    const current = this.#current;
    if (current === undefined) {
      // Before the first request, and while a head arrives, Node's headersTimeout counts.
      if (this.connection.requests > 0) this.#sweepIdle(now);
    } else if (this.socket.writableLength > 0) {
      if (this.#isStuck(unsentBytes(this.socket) ?? 0, now, this.#post.limits.writeIdleTimeout)) {
        current.lost('the client took nothing of the reply');
        this.cut();
      }
    } else if (awaitsBody(current.request)) {
      if (this.#isStuck(this.socket.bytesRead, now, this.#post.limits.bodyIdleTimeout))
        this.#endCurrent(current, BODY_STALLED);
    } else {
      this.#since = -1;
    }
  }

  #sweepIdle(now: number): void {
    const { idleTimeout, headerTimeout } = this.#post.limits;
    if (this.#since < 0) {
      this.#since = now;
      this.#mark = this.socket.bytesRead;
    }
    // Bytes that came since may be a head on its way, or blank lines that would hold the slot for ever.
    const allowed = this.socket.bytesRead === this.#mark ? idleTimeout : idleTimeout + headerTimeout;
    if (now - this.#since >= allowed) this.cut();
  }

  #isStuck(mark: number, now: number, allowed: number): boolean {
    if (this.#since < 0 || mark !== this.#mark) {
      this.#since = now;
      this.#mark = mark;
    }
    return now - this.#since >= allowed;
  }
}

interface Waiting {
  readonly request: Http1Request;
  readonly response: ServerResponse;
}

/** Whether the road waits for bytes of the body: a pause is its own doing, and not the client's fault. */
function awaitsBody(request: Http1Request): boolean {
  if (!request.announcesBody || request.complete || request.readableLength > 0) return false;
  return request.readableFlowing === true || request.listenerCount('readable') > 0;
}

/** What a client may be told of an error of Node's parser; undefined where there is nobody to tell. */
function problemFor(error: NodeJS.ErrnoException): Problem | undefined {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return HEAD_STALLED;
    case 'HPE_HEADER_OVERFLOW':
      return HEAD_TOO_LARGE;
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return EXTENSIONS_TOO_LARGE;
    case 'HPE_INVALID_METHOD':
      return UNKNOWN_METHOD;
    default:
      return error.code?.startsWith('HPE_') === true ? MALFORMED : undefined;
  }
}

const NONE: Waiting[] = [];
const MOST_WAITING = 64;

/** Milliseconds a client gets to read a last reply while what it still sends is thrown away. */
const LINGER = 2000;

const BODY_STALLED = new Problem('request-timeout', { detail: 'The request body stopped arriving.' });
const HEAD_STALLED = new Problem('request-timeout', { detail: 'The request head did not arrive in time.' });
const HEAD_TOO_LARGE = new Problem('headers-too-large', {
  detail: 'The request head has more bytes than this listener takes.',
});
const EXTENSIONS_TOO_LARGE = new Problem('body-too-large', { detail: 'The chunk extensions are too large.' });
const UNKNOWN_METHOD = new Problem('not-implemented', { detail: 'The request method is not known.' });
const MALFORMED = new Problem('bad-request', { detail: 'The request is no well-formed HTTP/1.1 message.' });
