import type { Upstream } from '../forward/upstream.ts';
import { inertServices } from '../identity/inert-services.ts';
import { canonicalAuthority } from '../lib/canonical-authority.ts';
import { canonicalTarget } from '../lib/canonical-target.ts';
import { HeaderList } from '../lib/header-list.ts';
import { compileRouter } from '../match/router.ts';
import type { PolicyDefinition } from '../policies/policy.ts';
import { type PlannedRoute, planRoutes } from './compile.ts';
import type { PlanStep } from './compile-policies.ts';
import type { GatewayConfig } from './schema.ts';

export interface RequestToExplain {
  readonly method: string;
  /** A full URL or a path with query. */
  readonly url: string;
  readonly listener: string | undefined;
  /** Flat name-value list. */
  readonly headers: string[];
}

/** Which route a request takes and what happens to it there, or why none takes it. */
export type Explanation =
  | {
      readonly outcome: 'matched';
      readonly request: string;
      readonly listener: string;
      readonly params: Readonly<Record<string, string>>;
      readonly route: {
        readonly api: string;
        readonly name: string;
        readonly published: string;
        readonly upstream: string;
      };
      readonly steps: readonly PlanStep[];
    }
  | {
      readonly outcome: 'refused' | 'no route' | 'method not allowed';
      readonly request: string;
      readonly why: string;
      /** Published routes that resemble the request. */
      readonly near: readonly string[];
    };

/** Runs the match of the road on a request that is never sent. */
export function explainRequest(
  config: GatewayConfig,
  customPolicies: readonly PolicyDefinition[],
  wanted: RequestToExplain,
): Explanation {
  const { host, target } = split(wanted.url);
  const request = `${wanted.method} ${wanted.url}`;
  const listener =
    config.listeners.find(({ name, exposure }) =>
      wanted.listener === undefined ? exposure === 'public' : name === wanted.listener,
    ) ?? config.listeners[0];
  if (listener === undefined || (wanted.listener !== undefined && listener.name !== wanted.listener)) {
    return {
      outcome: 'refused',
      request,
      why: `no listener is called ${wanted.listener}; there are ${config.listeners.map(({ name }) => name).join(', ')}`,
      near: [],
    };
  }
  const canonical = canonicalTarget(target, listener.limits.targetBytes);
  if ('reason' in canonical)
    return { outcome: 'refused', request, why: `the gateway answers 400 or 414: ${canonical.reason}`, near: [] };
  const authority = canonicalAuthority(host, listener.tls === 'none' ? 'http' : 'https');
  if (authority === undefined)
    return {
      outcome: 'refused',
      request,
      why: `the gateway answers 400: ${JSON.stringify(host)} is no host`,
      near: [],
    };

  const routes = planRoutes({
    config,
    generation: 0,
    customPolicies,
    identity: inertServices,
    upstream: () => NO_UPSTREAM,
    begin() {},
    done() {},
  });
  const here = routes.filter((route) => route.published.listeners.includes(listener.name));
  const found = compileRouter(here.flatMap((route) => route.entries)).match(
    authority.host,
    wanted.method,
    canonical.target.path,
    new HeaderList(wanted.headers),
  );
  if (found === undefined) {
    return {
      outcome: 'no route',
      request,
      why: whyNone(routes, listener.name, authority.host, canonical.target.path),
      near: nearest(here, canonical.target.path),
    };
  }
  if ('allowed' in found)
    return { outcome: 'method not allowed', request, why: `this path takes ${found.allowed.join(', ')}`, near: [] };

  const route = routes.find(({ api, name }) => api === found.value.api && name === found.value.name);
  if (route === undefined) throw new Error('the router knows a route the plan does not');
  return {
    outcome: 'matched',
    request,
    listener: listener.name,
    params: found.params,
    route: { api: route.api, name: route.name, published: published(route), upstream: upstreamOf(config, route) },
    steps: route.plan,
  };
}

function whyNone(routes: readonly PlannedRoute[], listener: string, host: string, path: string): string {
  const elsewhere = routes.find((route) => covers(route, path) && !route.published.listeners.includes(listener));
  if (elsewhere !== undefined)
    return `${elsewhere.api} publishes this path, but on ${elsewhere.published.listeners.join(', ')}, not on ${listener}`;
  const otherHost = routes.find((route) => covers(route, path));
  if (otherHost !== undefined)
    return `${otherHost.api} publishes this path, but for ${otherHost.published.hosts.join(', ')}, not for ${host}`;
  return `no API of listener ${listener} publishes ${path}`;
}

function covers({ published: { path: prefix } }: PlannedRoute, path: string): boolean {
  return prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
}

/** Routes that share the first segment. */
function nearest(routes: readonly PlannedRoute[], path: string): string[] {
  const first = path.split('/')[1];
  return routes
    .filter((route) => route.published.path.split('/')[1] === first)
    .slice(0, 5)
    .map(published);
}

function published({ published: { hosts, methods, path } }: PlannedRoute): string {
  return `${methods?.join(',') ?? '*'} ${hosts.length === 0 ? 'any host' : hosts.join('|')} ${path}`;
}

function upstreamOf(config: GatewayConfig, route: PlannedRoute): string {
  const name = route.published.upstream;
  if (name === undefined || name.startsWith('sallyport:')) return 'the gateway itself';
  const targets = config.upstreams[name]?.targets.join(', ') ?? '';
  // A slash is in no name of the file: such an upstream is written where it is used.
  const shown = name.includes('/') ? targets : `${name}: ${targets}`;
  const api = config.apis.find((candidate) => candidate.name === route.api);
  return api?.rewrite === undefined ? shown : `${shown}  (${api.path} becomes ${api.rewrite})`;
}

function split(url: string): { readonly host: string; readonly target: string } {
  const match = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url);
  if (match === null) return { host: 'localhost', target: url };
  const rest = match[2] ?? '';
  return { host: match[1] ?? '', target: rest.startsWith('/') ? rest : `/${rest}` };
}

const NO_UPSTREAM: Upstream = {
  pools: [],
  next: () => {
    throw new Error('nothing is sent while explaining');
  },
  retire() {},
};
