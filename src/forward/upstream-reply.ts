import type { ReplySink, ReplyStream } from '../exchange.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** Bytes kept for a reply whose hooks are still at work before the upstream is asked to wait. */
const MAX_EARLY_BYTES = 256 * 1024;

/**
 * The body of an upstream's response. A small one has usually arrived whole before anybody asks for it, since head and body
 * come in one read; then it reaches the sink in one piece, and the client in one packet.
 */
export class UpstreamReplyBody implements ReplyStream {
  #connection: UpstreamConnection | undefined;
  #sink: ReplySink | undefined;
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #ended = false;
  #trailers: readonly string[] | undefined;
  #error: Error | undefined;

  constructor(connection: UpstreamConnection) {
    this.#connection = connection;
  }

  push(chunk: Buffer): void {
    if (this.#sink === undefined) {
      this.#early.push(Buffer.from(chunk)); // a copy: the chunk is only lent
      this.#earlyBytes += chunk.length;
      if (this.#earlyBytes > MAX_EARLY_BYTES) this.#connection?.pause();
    } else if (!this.#sink.write(Buffer.from(chunk))) {
      this.#connection?.pause();
    }
  }

  end(trailers: readonly string[] | undefined): void {
    this.#connection = undefined;
    this.#ended = true;
    this.#trailers = trailers;
    this.#sink?.end(trailers);
  }

  fail(error: Error): void {
    this.#connection = undefined;
    this.#error = error;
    this.#sink?.fail(error);
  }

  pipeTo(sink: ReplySink): void {
    this.#sink = sink;
    let more = true;
    for (const chunk of this.#early) more = sink.write(chunk);
    this.#early = [];
    if (this.#error !== undefined) sink.fail(this.#error);
    else if (this.#ended) sink.end(this.#trailers);
    else if (more) this.#connection?.resume();
    else this.#connection?.pause();
  }

  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume();
  }

  cancel(): void {
    this.#early = [];
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.destroy(new Error('the reply is no longer wanted'));
  }
}
