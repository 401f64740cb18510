import type { ForwardPlan } from '../forward/forward.ts';
import type { Upstream } from '../forward/upstream.ts';
import type { Gateway, ListenerRoutes, Route } from '../gateway.ts';
import type { IdentityServices } from '../identity/services.ts';
import { compileRouter, type RouteEntry } from '../match/router.ts';
import type { CompileContext, PolicyDefinition } from '../policies/policy.ts';
import { callerFacts } from './caller-facts.ts';
import { compilePolicies, type PlanStep } from './compile-policies.ts';
import { type OwnApp, type OwnRoute, ownRoutes } from './own-routes.ts';
import { routeSettings } from './route-settings.ts';
import type { ApiConfig, GatewayConfig, RouteConfig } from './schema.ts';

/** What a Gateway is made from, besides the file. */
export interface CompileInput {
  readonly config: GatewayConfig;
  readonly generation: number;
  readonly customPolicies: readonly PolicyDefinition[];
  /** Those of the worker, or inert ones. */
  readonly identity: IdentityServices;
  /** The upstream of a name in `config.upstreams`, or of the internal apps. */
  readonly upstream: (name: string) => Upstream;
  readonly begin: Gateway['begin'];
  readonly done: Gateway['done'];
}

/** A route with the plan it was compiled from, for `explain` and golden tests. */
export interface PlannedRoute extends Route {
  readonly plan: readonly PlanStep[];
  readonly published: {
    readonly listeners: readonly string[];
    readonly hosts: readonly string[];
    readonly methods: readonly string[] | undefined;
    readonly path: string;
    readonly upstream: string | undefined;
  };
}

/** The name under which an app of the gateway's own is an upstream. A colon is in no name of the file. */
export function ownUpstream(app: OwnApp): string {
  return `sallyport:${app}`;
}

/** Compiles a configuration that loaded into the frozen object the road runs on. Throws where a policy's needs are unmet. */
export function compileGateway(input: CompileInput): Gateway {
  const routes = planRoutes(input);
  const listeners = new Map<string, ListenerRoutes>();
  for (const listener of input.config.listeners) {
    const entries: RouteEntry<Route>[] = [];
    for (const route of routes) {
      if (!route.published.listeners.includes(listener.name)) continue;
      entries.push(...route.entries);
    }
    const context: CompileContext = {
      api: UNMATCHED,
      route: UNMATCHED,
      exposure: listener.exposure,
      secure: listener.tls !== 'none',
      path: '/',
      ...callerFacts(input.config, input.identity),
    };
    listeners.set(listener.name, { router: compileRouter(entries), unmatched: routeOf(context, {}, [], undefined) });
  }
  return Object.freeze({ generation: input.generation, listeners, begin: input.begin, done: input.done });
}

/** Every published route in the order of the file, the internal pages first. */
export function planRoutes(
  input: CompileInput,
): readonly (PlannedRoute & { readonly entries: readonly RouteEntry<Route>[] })[] {
  const secureListeners = new Set(
    input.config.listeners.filter((listener) => listener.tls !== 'none').map((listener) => listener.name),
  );
  const planned = ownRoutes(input.config)
    .filter(({ listeners }) => listeners.length > 0)
    .map((route) => planOwnRoute(input, route, secureListeners));
  for (const api of input.config.apis) {
    const secure = api.listeners.every((name) => secureListeners.has(name));
    const base: CompileContext = {
      api: api.name,
      route: api.name,
      exposure: api.exposure,
      secure,
      path: api.path,
      ...callerFacts(input.config, input.identity),
    };
    planned.push(planApi(input, api, base));
    for (const route of api.routes) planned.push(planRoute(input, api, route, { ...base, route: route.name }));
  }
  return planned;
}

function planApi(input: CompileInput, api: ApiConfig, context: CompileContext) {
  const route = routeOf(context, api.policies, input.customPolicies, forwardPlan(input, api, api.upstream));
  return withPlace(route, api, api.upstream, undefined, api.path, { path: api.path, prefix: true, headers: [] });
}

function planRoute(input: CompileInput, api: ApiConfig, route: RouteConfig, context: CompileContext) {
  const settings = routeSettings(api, route, input.customPolicies);
  const compiled = routeOf(context, settings, input.customPolicies, forwardPlan(input, api, route.upstream));
  const path = api.path === '/' ? route.match.path : api.path + (route.match.path === '/' ? '' : route.match.path);
  const headers = Object.entries(route.matchHeaders).map(([name, value]) => ({ name: name.toLowerCase(), value }));
  return withPlace(compiled, api, route.upstream, route.match.methods, path, { path, prefix: false, headers });
}

function planOwnRoute(input: CompileInput, route: OwnRoute, secureListeners: ReadonlySet<string>) {
  const { api, name, exposure, listeners, path, prefix, methods, app } = route;
  const secure = listeners.every((listener) => secureListeners.has(listener));
  const upstream = app === undefined ? undefined : ownUpstream(app);
  // The apps make URLs of the host their clients know.
  const forward =
    upstream === undefined
      ? undefined
      : { upstream: input.upstream(upstream), preserveHost: true, rewrite: undefined, seesGatewayCookies: true };
  const context = { api, route: name, exposure, secure, path, ...callerFacts(input.config, input.identity) };
  const compiled = routeOf(context, route.settings, route.own, forward, 'only this place of the gateway itself has it');
  return withPlace(compiled, route, upstream, methods, path, { path, prefix, headers: [] });
}

function withPlace(
  route: Route & { readonly plan: readonly PlanStep[] },
  place: Pick<ApiConfig, 'listeners' | 'hosts'>,
  upstream: string | undefined,
  methods: readonly string[] | undefined,
  path: string,
  entry: Pick<RouteEntry<Route>, 'path' | 'prefix' | 'headers'>,
): PlannedRoute & { readonly entries: readonly RouteEntry<Route>[] } {
  const planned: PlannedRoute = {
    ...route,
    published: { listeners: place.listeners, hosts: place.hosts, methods, path, upstream },
  };
  const hosts = place.hosts.length === 0 ? undefined : place.hosts;
  return { ...planned, entries: [{ ...entry, hosts, methods, value: planned }] };
}

function routeOf(
  context: CompileContext,
  settings: ApiConfig['policies'],
  custom: readonly PolicyDefinition[],
  forward: ForwardPlan | undefined,
  customReason?: string,
): Route & { readonly plan: readonly PlanStep[] } {
  const compiled = compilePolicies(context, settings, custom, customReason);
  return { api: context.api, name: context.route, forward, ...compiled };
}

function forwardPlan(input: CompileInput, api: ApiConfig, upstreamName: string): ForwardPlan {
  return {
    upstream: input.upstream(upstreamName),
    preserveHost: input.config.upstreams[upstreamName]?.preserveHost ?? false,
    rewrite: api.rewrite === undefined ? undefined : rewriteOf(api.path, api.rewrite),
    seesGatewayCookies: false,
  };
}

/** How many characters of the path to replace and by what, so that neither `//` nor a missing slash can come out. */
function rewriteOf(path: string, replacement: string): NonNullable<ForwardPlan['rewrite']> {
  const length = path === '/' ? 0 : path.length;
  return { length, prefix: replacement === '/' ? '' : replacement };
}

const UNMATCHED = '-';
