import { Problem } from '../errors/problem.ts';
import type { Exchange, Reply } from '../exchange.ts';
import { problemFor } from './problem-for.ts';
import type { HeadPlan } from './request-head.ts';
import { transact } from './transact.ts';
import type { Upstream } from './upstream.ts';

/** Where a route's requests go, compiled. */
export interface ForwardPlan extends HeadPlan {
  readonly upstream: Upstream;
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
    const answer = await transact(exchange, plan, pool.address, connection);
    if (answer === 'stale') {
      if (idle !== undefined) continue;
      return new Problem('bad-gateway', { internal: 'the upstream closed a new connection without a response' });
    }
    return answer;
  }
}
