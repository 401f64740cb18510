import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { Problem } from '../errors/problem.ts';
import { Exchange } from '../exchange.ts';
import { newRequestId } from '../observe/request-id.ts';
import type { Connection, HttpSocket, Session } from './connection.ts';
import { handOver } from './hand-over.ts';
import { readHttp2Head } from './http2-head.ts';
import { Http2Wire } from './http2-wire.ts';
import type { ListenerLimits } from './listener-options.ts';
import type { Post } from './post.ts';
import { readTrailerFields } from './request-fields.ts';
import { TokenBucket } from './token-bucket.ts';

/** Speaks HTTP/2 on a connection whose TLS handshake has agreed on it. */
export function adoptHttp2(post: Post, connection: Connection, socket: HttpSocket): void {
  connection.session = new Http2Connection(
    post,
    connection,
    performServerHandshake(socket, sessionOptions(post.limits)),
  );
}

function sessionOptions(limits: ListenerLimits) {
  return {
    settings: {
      maxConcurrentStreams: limits.http2Streams,
      enablePush: false,
      enableConnectProtocol: false,
      maxHeaderListSize: limits.headerBytes,
    },
    // The count is checked with the fields, which can say so; this bounds what is kept until then.
    maxHeaderListPairs: limits.headerCount * 2 + 8,
    maxSessionMemory: 10, // megabytes
    maxSettings: 32,
    maxOutstandingPings: 10,
    maxOutstandingSettings: 10,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    streamResetRate: limits.http2ResetsPerSecond,
    streamResetBurst: limits.http2ResetBurst,
    strictFieldWhitespaceValidation: true,
    // An upstream's repeated fields are passed on as they are in HTTP/1.1.
    strictSingleValueFields: false,
  };
}

class Http2Connection implements Session {
  readonly #post: Post;
  readonly #connection: Connection;
  readonly #session: ServerHttp2Session;
  readonly #streams = new Set<StreamState>();
  readonly #resets: TokenBucket;
  #idleSince = -1;

  constructor(post: Post, connection: Connection, session: ServerHttp2Session) {
    this.#post = post;
    this.#connection = connection;
    this.#session = session;
    this.#resets = new TokenBucket(post.limits.http2ResetsPerSecond, post.limits.http2ResetBurst, performance.now());
    session.on('error', ignore); // the session closes itself, and its streams with it
    session.on('stream', (stream, headers, flags, raw) => this.#arrive(stream, headers[':method'], flags, raw));
  }

  #arrive(stream: ServerHttp2Stream, method: string | undefined, flags: number, raw: string[]): void {
    stream.on('error', ignore); // 'close' follows
    if (stream.destroyed) {
      this.#countReset(stream.rstCode);
      return;
    }
    this.#connection.requests += 1;
    if (this.#connection.requests >= this.#post.limits.requestsPerConnection) this.#session.close();
    const wire = new Http2Wire(stream, method);
    const state: StreamState = { wire, since: -1, mark: 0 };
    this.#streams.add(state);
    stream.on('close', () => this.#closed(state));

    let trailers: readonly string[] | undefined;
    const hasEnded = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    if (!hasEnded) {
      stream.on('trailers', (_headers, _flags, fields: string[] = []) => {
        trailers = readTrailerFields(fields);
      });
    }
    const head = readHttp2Head(raw, { stream, hasEnded, trailers: () => trailers }, wire, {
      post: this.#post,
      connection: this.#connection,
    });
    if (head instanceof Problem) {
      this.#refuse(wire, head);
      return;
    }
    const exchange = new Exchange(head);
    wire.exchange = exchange;
    if (head.body !== undefined && head.headers.has('expect')) continueOnRead(stream);
    handOver(this.#post, exchange);
  }

  #refuse(wire: Http2Wire, problem: Problem): void {
    this.#post.handlers.refuse(wire, problem, newRequestId());
    stopBody(wire);
  }

  #closed(state: StreamState): void {
    const { wire } = state;
    this.#streams.delete(state);
    this.#idleSince = -1;
    if (!wire.isComplete && !wire.cutByUs) this.#countReset(wire.stream.rstCode);
    wire.lost('the client ended the stream before its reply was complete');
  }

  /**
   * Counts streams that ended in an error, whoever sent the reset: a client can make the server reset its own streams
   * (MadeYouReset, CVE-2025-8671), and the work for each was begun all the same (rapid reset, CVE-2023-44487).
   */
  #countReset(code: number | undefined): void {
    if (code === undefined || code === constants.NGHTTP2_NO_ERROR || this.#session.destroyed) return;
    if (!this.#resets.take(performance.now()))
      this.#session.destroy(new Error('too many streams were reset'), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  drain(): void {
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close();
  }

  closed(): void {
    if (!this.#session.destroyed) this.#session.destroy();
  }

  sweep(now: number): void {
    if (this.#session.destroyed) {
      this.#connection.cut();
      return;
    }
    if (this.#streams.size === 0) {
      if (this.#idleSince < 0) this.#idleSince = now;
      // nghttp2 does not tell of a head that has begun, so the first one counts from the start of the connection.
      const { idleTimeout, headerTimeout } = this.#post.limits;
      const allowed = this.#connection.requests === 0 ? headerTimeout : idleTimeout;
      // A client that does not take the GOAWAY has nothing to wait for.
      if (now - this.#idleSince >= allowed + GOAWAY_GRACE) this.#connection.cut();
      else if (now - this.#idleSince >= allowed) this.drain();
      return;
    }
    for (const state of this.#streams) this.#sweepStream(state, now);
  }

  #sweepStream(state: StreamState, now: number): void {
    const { wire } = state;
    const { stream, exchange } = wire;
    if (stream.bufferSize > 0) {
      if (!isStuck(state, stream.bufferSize, now, this.#post.limits.writeIdleTimeout)) return;
      wire.lost('the client took nothing of the reply');
      stream.close(constants.NGHTTP2_CANCEL);
    } else if (exchange !== undefined && awaitsBody(stream)) {
      // Both move as the body does, and never fall together.
      const mark = exchange.requestBytes * 65_536 + (stream.state.localWindowSize ?? 0);
      if (!isStuck(state, mark, now, this.#post.limits.bodyIdleTimeout)) return;
      const begun = wire.hasBegun;
      wire.lost(BODY_STALLED.detail ?? BODY_STALLED.title);
      if (begun) stream.close(constants.NGHTTP2_CANCEL);
      else this.#refuse(new Http2Wire(stream, undefined), BODY_STALLED);
    } else {
      state.since = -1;
    }
  }
}

interface StreamState {
  readonly wire: Http2Wire;
  since: number;
  mark: number;
}

function isStuck(state: StreamState, mark: number, now: number, allowed: number): boolean {
  if (state.since < 0 || mark !== state.mark) {
    state.since = now;
    state.mark = mark;
  }
  return now - state.since >= allowed;
}

/** Whether the road waits for bytes of the body: a pause is its own doing, and not the client's fault. */
function awaitsBody(stream: ServerHttp2Stream): boolean {
  if (stream.readableEnded || stream.readableLength > 0) return false;
  return stream.readableFlowing === true || stream.listenerCount('readable') > 0;
}

/** After a refusal nobody reads the body: asks the client to stop, and lets go of the stream (RFC 9113 §8.1). */
function stopBody(wire: Http2Wire): void {
  const { stream } = wire;
  if (stream.readableEnded || stream.destroyed) return;
  wire.cutByUs = true;
  const stop = () => stream.close(constants.NGHTTP2_NO_ERROR);
  if (stream.writableFinished) stop();
  else stream.on('finish', stop);
}

/** Sends 100 Continue when somebody begins to read the body, in whichever way: all of them come through `_read`. */
function continueOnRead(stream: ServerHttp2Stream): void {
  const read = stream._read;
  stream._read = function continueAndRead(size) {
    stream._read = read;
    if (!stream.headersSent && !stream.destroyed && !stream.closed) stream.additionalHeaders({ ':status': 100 });
    read.call(stream, size);
  };
}

function ignore(): void {}

const BODY_STALLED = new Problem('request-timeout', { detail: 'The request body stopped arriving.' });

/** Milliseconds. */
const GOAWAY_GRACE = 2000;
