import type { Duplex } from 'node:stream';
import { Problem } from './errors/problem.ts';
import { type Exchange, Reply, type RouteFacts } from './exchange.ts';
import { type ForwardPlan, forward } from './forward/forward.ts';
import { tunnel } from './forward/tunnel.ts';
import { HeaderList } from './lib/header-list.ts';
import type { Router } from './match/router.ts';
import type { ReplyHook, RequestHook } from './policies/policy.ts';
import { respond } from './respond/respond.ts';

/** A published route with its hooks flattened in the order they run. */
export interface Route extends RouteFacts {
  readonly requestHooks: readonly RequestHook[];
  /** The policy each request hook belongs to, by the same index. */
  readonly requestHookPolicies: readonly string[];
  readonly replyHooks: readonly ReplyHook[];
  /** Undefined for the route that answers where nothing is published. */
  readonly forward: ForwardPlan | undefined;
}

/** What one listener publishes. The routes of the other exposure are not in it, so no request can reach them. */
export interface ListenerRoutes {
  readonly router: Router<Route>;
  /** "No match" is a route too: its replies pass the same hooks. */
  readonly unmatched: Route;
}

/** Everything the road needs, compiled from one configuration and never changed. A reload makes another. */
export interface Gateway {
  readonly generation: number;
  readonly listeners: ReadonlyMap<string, ListenerRoutes>;
  /** Before the road begins: gives the exchange its trace. */
  readonly begin: (exchange: Exchange) => void;
  /** After the reply is complete or cut: log, metrics, span. */
  readonly done: (exchange: Exchange, reply: Reply | undefined) => void;
}

/** The road of a request: match → policies → forward → policies → respond → done. */
export async function serve(gateway: Gateway, exchange: Exchange): Promise<void> {
  let reply: Reply | undefined;
  try {
    gateway.begin(exchange);
    const { route, refusal } = match(gateway, exchange);
    exchange.route = route;

    let answer: Problem | Reply | undefined = refusal;
    for (let at = 0; answer === undefined && at < route.requestHooks.length; at += 1) {
      const outcome = (route.requestHooks[at] as RequestHook)(exchange); // at < length
      answer = outcome instanceof Promise ? await outcome : outcome;
      if (answer instanceof Problem) exchange.deniedBy = route.requestHookPolicies[at];
    }
    if (answer === undefined)
      answer = route.forward === undefined ? new Problem('no-route') : await forward(exchange, route.forward);

    reply = answer instanceof Problem ? problemReply(exchange, answer) : answer;
    for (const hook of route.replyHooks) {
      const edited = hook(exchange, reply);
      if (edited instanceof Promise) await edited;
    }
    const delivered = deliver(exchange, reply);
    if (delivered instanceof Promise) await delivered;
  } catch (fault) {
    reply = failSafe(exchange, fault);
  } finally {
    gateway.done(exchange, reply);
  }
}

function match(gateway: Gateway, exchange: Exchange): { route: Route; refusal: Problem | undefined } {
  const routes = gateway.listeners.get(exchange.listener.name);
  if (routes === undefined)
    throw new Error(`listener ${exchange.listener.name} is not part of configuration ${gateway.generation}`);
  const found = routes.router.match(exchange.host, exchange.method, exchange.target.path, exchange.headers);
  if (found === undefined) return { route: routes.unmatched, refusal: undefined };
  if ('allowed' in found) {
    const refusal = new Problem('method-not-allowed', { headers: ['Allow', found.allowed.join(', ')] });
    return { route: routes.unmatched, refusal };
  }
  exchange.params = found.params;
  return { route: found.value, refusal: undefined };
}

/** Resolves when the reply is complete or cut; answers without a promise where it already is. */
function deliver(exchange: Exchange, reply: Reply): Promise<void> | void {
  const upstream = reply.upgraded?.socket;
  return upstream === undefined ? respond(exchange, reply) : join(exchange, reply, upstream);
}

async function join(exchange: Exchange, reply: Reply, upstream: Duplex): Promise<void> {
  if (exchange.wire.takeOver === undefined || exchange.aborted) {
    upstream.destroy();
    exchange.wire.abort();
    return;
  }
  reply.headers.append('Connection', 'Upgrade');
  reply.headers.append('Upgrade', exchange.upgrade ?? '');
  reply.headers.set('X-Request-Id', exchange.id);
  const { toUpstream, toClient } = await tunnel(exchange.wire.takeOver(reply.headers.raw), upstream);
  exchange.requestBytes = toUpstream;
  exchange.replyBytes = toClient;
}

function problemReply(exchange: Exchange, problem: Problem): Reply {
  exchange.internalDetail ??= problem.internal;
  const reply = new Reply(problem.status, new HeaderList([]), undefined, 'gateway');
  reply.problem = problem;
  return reply;
}

/** A fault in our own code: the client learns nothing but the id, the log everything. The gate stays shut. */
function failSafe(exchange: Exchange, fault: unknown): Reply {
  const internal = fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);
  const reply = problemReply(exchange, new Problem('internal-error', { internal }));
  exchange.internalDetail = internal;
  exchange.onAbort?.(); // frees the upstream's connection
  try {
    void respond(exchange, reply);
  } catch {
    exchange.wire.abort(); // the head had already gone out
  }
  return reply;
}
