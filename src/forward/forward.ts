import type { Socket } from 'node:net';
import { Problem } from '../errors/problem.ts';
import { type Exchange, Reply } from '../exchange.ts';
import type { HeaderList } from '../lib/header-list.ts';
import { type BodyPump, pumpBody } from './body-pump.ts';
import { type ConnectionPool, NoConnection, UpstreamTimeout } from './connection-pool.ts';
import { publicLocation } from './public-location.ts';
import { type HeadPlan, requestHead } from './request-head.ts';
import { BadResponse } from './response-head.ts';
import type { Upstream } from './upstream.ts';
import type { Transaction, UpstreamConnection } from './upstream-connection.ts';
import { UpstreamReplyBody } from './upstream-reply.ts';

/** Where a route's requests go, compiled. */
export interface ForwardPlan {
  readonly upstream: Upstream;
  readonly preserveHost: boolean;
  readonly rewrite: HeadPlan['rewrite'];
  readonly seesGatewayCookies: boolean;
}

/**
 * Sends the request to the route's upstream and resolves with the head of the response; the body follows through the reply's
 * stream. It never rejects: what goes wrong is a Problem. A request is sent again only where nothing of it can have been
 * acted on: no connection was made, or an idle connection turned out to be closed and the method is safe (RFC 9110 §9.2.2).
 */
export async function forward(exchange: Exchange, plan: ForwardPlan): Promise<Reply | Problem> {
  const targets = plan.upstream.pools.length;
  for (let attempt = 1; ; attempt += 1) {
    const pool = plan.upstream.next();
    exchange.upstreamTarget = pool.address.label;
    const idle = exchange.upgrade === undefined ? pool.takeIdle() : undefined;
    let connection = idle;
    if (connection === undefined) {
      try {
        connection = await (exchange.upgrade === undefined ? pool.take() : pool.openForUpgrade());
      } catch (error) {
        if (attempt < targets) continue;
        return problemFor(error);
      }
    }
    if (exchange.aborted) {
      if (exchange.upgrade === undefined) pool.onFree(connection);
      else connection.destroy(new Error('the client went away')); // a connection made for an upgrade is never shared
      return new Problem('bad-request', { internal: 'the client went away before its request was sent' });
    }
    const answer = await transact(exchange, plan, pool, connection);
    if (answer === 'stale') {
      if (idle !== undefined) continue;
      return new Problem('bad-gateway', { internal: 'the upstream closed a new connection without a response' });
    }
    return answer;
  }
}

/** One request on one connection. `stale`: the connection had gone before the request could be seen, so it may be sent again. */
function transact(
  exchange: Exchange,
  plan: ForwardPlan,
  pool: ConnectionPool,
  connection: UpstreamConnection,
): Promise<Reply | Problem | 'stale'> {
  return new Promise((resolve) => {
    let body: UpstreamReplyBody | undefined;
    let pump: BodyPump | undefined;
    const reused = connection.served > 0;

    const transaction: Transaction = {
      onHead(status: number, headers: HeaderList): void {
        exchange.upstreamHeadAfter = performance.now() - exchange.startedAt;
        body = new UpstreamReplyBody(connection);
        const reply = new Reply(status, headers, body, 'upstream');
        if (status === 201 || (status >= 300 && status < 400)) makeLocationPublic(reply, exchange, plan, pool);
        resolve(reply);
      },
      onData(chunk: Buffer): void {
        body?.push(chunk);
      },
      onEnd(trailers: readonly string[] | undefined): void {
        settle();
        body?.end(trailers);
      },
      onSwitched(headers: HeaderList, socket: Socket, surplus: Buffer): void {
        settle();
        exchange.upstreamHeadAfter = performance.now() - exchange.startedAt;
        if (surplus.length > 0) socket.unshift(surplus);
        const reply = new Reply(101, headers, undefined, 'upstream');
        reply.upgraded = { socket };
        resolve(reply);
      },
      onFailure(error: Error, untouched: boolean): void {
        settle();
        if (body !== undefined) {
          exchange.internalDetail = `upstream: ${error.message}`;
          body.fail(error);
        } else {
          resolve(untouched && reused && isSafeToRepeat(exchange) && !exchange.aborted ? 'stale' : problemFor(error));
        }
      },
      onDrain(): void {
        pump?.drained();
      },
    };

    function settle(): void {
      exchange.onAbort = undefined;
      pump?.stop();
    }

    exchange.onAbort = () => connection.destroy(new Error('the client went away'));
    const host = plan.preserveHost ? undefined : pool.address.authority;
    connection.begin(
      transaction,
      requestHead(exchange, { host, rewrite: plan.rewrite, seesGatewayCookies: plan.seesGatewayCookies }),
      {
        toHead: exchange.method === 'HEAD',
        upgrade: exchange.upgrade !== undefined,
      },
    );
    pump = pumpBody(exchange, connection, {
      onTooLarge() {
        resolve(new Problem('body-too-large'));
        connection.destroy(new Error('the request body is larger than the route allows'));
      },
      onBroken: (error) => connection.destroy(error),
    });
  });
}

function makeLocationPublic(reply: Reply, exchange: Exchange, plan: ForwardPlan, pool: ConnectionPool): void {
  const location = reply.headers.get('location');
  if (location === undefined) return;
  reply.headers.set(
    'Location',
    publicLocation(location, { clientPath: exchange.target.path, rewrite: plan.rewrite, origin: pool.address.label }),
  );
}

function isSafeToRepeat(exchange: Exchange): boolean {
  return (
    exchange.body === undefined &&
    (exchange.method === 'GET' || exchange.method === 'HEAD' || exchange.method === 'OPTIONS')
  );
}

function problemFor(error: unknown): Problem {
  const internal = error instanceof Error ? error.message : String(error);
  if (error instanceof UpstreamTimeout) return new Problem('upstream-timeout', { internal });
  if (error instanceof NoConnection) {
    if (error.cause instanceof UpstreamTimeout) return new Problem('upstream-timeout', { internal });
    // A certificate that does not verify is not a service that is down: no retry will help.
    return new Problem(isCertificateFault(error.cause) ? 'bad-gateway' : 'upstream-unavailable', { internal });
  }
  if (error instanceof BadResponse) return new Problem('bad-gateway', { internal: `malformed response: ${internal}` });
  return new Problem('bad-gateway', { internal });
}

function isCertificateFault(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return /CERT|SELF_SIGNED|ALTNAME|VERIFY|ISSUER|^ERR_SSL/.test(code);
}
