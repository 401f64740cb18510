import type { Socket } from 'node:net';
import { Problem } from '../errors/problem.ts';
import { type Exchange, Reply } from '../exchange.ts';
import type { HeaderList } from '../lib/header-list.ts';
import { type BodyPump, type PumpEvents, pumpBody } from './body-pump.ts';
import { problemFor } from './problem-for.ts';
import { publicLocation } from './public-location.ts';
import { type HeadPlan, requestHead } from './request-head.ts';
import type { TargetAddress } from './target-address.ts';
import type { Transaction, UpstreamConnection } from './upstream-connection.ts';
import { UpstreamReplyBody } from './upstream-reply.ts';

/** What comes of one request on one connection. `stale`: the connection had gone before the request could be seen, so it may be sent again. */
export type Answer = Reply | Problem | 'stale';

/** Sends a request on a connection to `target`; resolves with the head of the response. It never rejects. */
export function transact(
  exchange: Exchange,
  plan: HeadPlan,
  target: TargetAddress,
  connection: UpstreamConnection,
): Promise<Answer> {
  return new Promise((resolve) => new Forwarding(exchange, plan, target, connection, resolve).begin());
}

/** One object for the whole transaction: a closure an event would be a dozen objects a request (bench: secured job). */
class Forwarding implements Transaction, PumpEvents {
  readonly #exchange: Exchange;
  readonly #plan: HeadPlan;
  readonly #target: TargetAddress;
  readonly #connection: UpstreamConnection;
  readonly #resolve: (answer: Answer) => void;
  readonly #reused: boolean;
  #body: UpstreamReplyBody | undefined;
  #pump: BodyPump | undefined;

  constructor(
    exchange: Exchange,
    plan: HeadPlan,
    target: TargetAddress,
    connection: UpstreamConnection,
    resolve: (answer: Answer) => void,
  ) {
    this.#exchange = exchange;
    this.#plan = plan;
    this.#target = target;
    this.#connection = connection;
    this.#resolve = resolve;
    this.#reused = connection.served > 0;
    this.#body = undefined;
    this.#pump = undefined;
  }

  begin(): void {
    const exchange = this.#exchange;
    const connection = this.#connection;
    exchange.onAbort = () => connection.destroy(new Error('the client went away'));
    connection.begin(this, requestHead(exchange, this.#plan, this.#target), {
      toHead: exchange.method === 'HEAD',
      upgrade: exchange.upgrade !== undefined,
    });
    this.#pump = pumpBody(exchange, connection, this);
  }

  onHead(status: number, headers: HeaderList): void {
    this.#body = new UpstreamReplyBody(this.#connection);
    this.#answer(new Reply(status, headers, this.#body, 'upstream'));
  }

  onData(chunk: Buffer): void {
    this.#body?.push(chunk);
  }

  onEnd(trailers: readonly string[] | undefined): void {
    this.#settle();
    this.#body?.end(trailers);
  }

  onSwitched(headers: HeaderList, socket: Socket, surplus: Buffer): void {
    this.#settle();
    if (surplus.length > 0) socket.unshift(surplus);
    const reply = new Reply(101, headers, undefined, 'upstream');
    reply.upgraded = { socket };
    this.#answer(reply);
  }

  onFailure(error: Error, untouched: boolean): void {
    this.#settle();
    if (this.#body !== undefined) {
      this.#exchange.internalDetail = `upstream: ${error.message}`;
      this.#body.fail(error);
    } else {
      this.#resolve(untouched && this.#reused && mayBeRepeated(this.#exchange) ? 'stale' : problemFor(error));
    }
  }

  onDrain(): void {
    this.#pump?.drained();
  }

  onTooLarge(): void {
    this.#resolve(new Problem('body-too-large'));
    this.#connection.destroy(new Error('the request body is larger than the route allows'));
  }

  onBroken(error: Error): void {
    this.#connection.destroy(error);
  }

  #answer(reply: Reply): void {
    const exchange = this.#exchange;
    exchange.upstreamHeadAfter = this.#connection.progressAt - exchange.startedAt;
    if (reply.status === 201 || (reply.status >= 300 && reply.status < 400)) this.#makeLocationPublic(reply);
    this.#resolve(reply);
  }

  #makeLocationPublic(reply: Reply): void {
    const location = reply.headers.get('location');
    if (location === undefined) return;
    const clientPath = this.#exchange.target.path;
    const origin = this.#target.label;
    reply.headers.set('Location', publicLocation(location, { clientPath, rewrite: this.#plan.rewrite, origin }));
  }

  #settle(): void {
    this.#exchange.onAbort = undefined;
    this.#pump?.stop();
  }
}

/** The method is safe (RFC 9110 §9.2.2), nothing of a body has been read, and somebody still waits for the answer. */
function mayBeRepeated({ method, body, aborted }: Exchange): boolean {
  return body === undefined && !aborted && (method === 'GET' || method === 'HEAD' || method === 'OPTIONS');
}
