import type { Exchange, Reply, ReplySink, ReplyStream, Wire } from '../exchange.ts';
import { renderProblem } from './render-problem.ts';

/**
 * Writes a reply to the client and resolves when it is complete or cut. It never rejects: a reply that breaks off in its
 * middle is cut so that the client can see it (RFC 9112 §8), and the reason goes to the log.
 */
export function respond(exchange: Exchange, reply: Reply): Promise<void> | void {
  const wire = exchange.wire;
  if (reply.problem !== undefined && reply.body === undefined) renderProblem(exchange, reply, reply.problem);
  reply.headers.set('X-Request-Id', exchange.id);

  const body = reply.body;
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    const length = body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
    if (reply.source === 'gateway' && reply.status !== 204 && reply.status !== 304)
      reply.headers.set('Content-Length', String(length));
    exchange.replyBytes = exchange.method === 'HEAD' ? 0 : length;
    wire.head(reply.status, reply.headers.raw);
    wire.end(body, undefined);
    return;
  }
  return stream(exchange, wire, reply, body);
}

function stream(exchange: Exchange, wire: Wire, reply: Reply, body: ReplyStream): Promise<void> | void {
  const flow = new ReplyFlow(exchange, wire, body);
  wire.head(reply.status, reply.headers.raw);
  body.pipeTo(flow);
  return flow.begun();
}

/** Carries the body from its source to the wire, and keeps back the first piece so that a small reply leaves in one write. */
class ReplyFlow implements ReplySink {
  readonly #exchange: Exchange;
  readonly #wire: Wire;
  readonly #body: ReplyStream;
  #first: Uint8Array | undefined;
  #flowing = false;
  #done = false;
  #resolve: (() => void) | undefined;

  constructor(exchange: Exchange, wire: Wire, body: ReplyStream) {
    this.#exchange = exchange;
    this.#wire = wire;
    this.#body = body;
  }

  /** Called when everything that had already come was offered: undefined where that was all. */
  begun(): Promise<void> | undefined {
    this.#flowing = true;
    if (this.#done) return undefined;
    const abandon = this.#exchange.onAbort;
    this.#exchange.onAbort = () => {
      abandon?.();
      this.#body.cancel();
      this.#finish();
    };
    this.#wire.onDrain = () => this.#body.resume();
    const first = this.#first;
    this.#first = undefined;
    // A body that has not begun must not hold up the head: an event stream may be silent for long.
    if (!this.#wire.write(first ?? NOTHING)) this.#body.pause();
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  write(chunk: Uint8Array): boolean {
    this.#exchange.replyBytes += chunk.byteLength;
    if (!this.#flowing && this.#first === undefined) {
      this.#first = chunk;
      return true;
    }
    const first = this.#first;
    if (first !== undefined) {
      this.#first = undefined;
      this.#wire.write(first);
    }
    return this.#wire.write(chunk);
  }

  end(trailers: readonly string[] | undefined): void {
    if (this.#done) return;
    const first = this.#first;
    this.#first = undefined;
    this.#wire.end(first, trailers);
    this.#finish();
  }

  fail(error: Error): void {
    if (this.#done) return;
    this.#exchange.internalDetail ??= error.message;
    this.#wire.abort();
    this.#finish();
  }

  #finish(): void {
    this.#done = true;
    this.#exchange.onAbort = undefined;
    this.#wire.onDrain = undefined;
    this.#resolve?.();
  }
}

const NOTHING = new Uint8Array(0);
