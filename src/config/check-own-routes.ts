import type { Path, RawFault } from './faults.ts';
import { loginRouteName, type OwnRoute, ownRoutes } from './own-routes.ts';
import type { ApiConfig, GatewayConfig } from './schema.ts';

/** APIs and routes that stand where the gateway itself publishes something: a client could not tell whose answer it gets. */
export function ownRouteFaults(config: GatewayConfig): RawFault[] {
  const own = ownRoutes(config).filter(({ app }) => app !== 'pages'); // the check of routes tells of these
  const faults: RawFault[] = [];
  for (const [index, api] of config.apis.entries()) {
    for (const { path, at } of placesOf(api, index)) {
      const taken = own.find((route) => meet(route, api) && covers(route, path));
      if (taken === undefined) continue;
      faults.push({
        path: at,
        message: `${path} is where the gateway publishes ${taken.name}`,
        hint: `choose another path than ${taken.path}${taken.prefix ? ' and all below it' : ''}`,
      });
    }
  }
  return [...faults, ...loginPlaceFaults(config, own)];
}

/** A login may be used by many APIs, but two logins cannot answer at one place, nor one where the authorization server does. */
function loginPlaceFaults(config: GatewayConfig, own: readonly OwnRoute[]): RawFault[] {
  const logins = own.filter(({ app }) => app === 'login');
  return Object.entries(config.logins).flatMap(([name, { path }], index): RawFault[] => {
    const mine = logins.filter((route) => route.name === loginRouteName(name));
    const earlier = new Set(Object.keys(config.logins).slice(0, index).map(loginRouteName));
    const taken = own
      .filter((route) => route.app === 'authorizationServer' || earlier.has(route.name))
      .find((route) => mine.some((one) => meet(route, one) && (covers(route, path) || covers(one, route.path))));
    if (taken === undefined) return [];
    const message = `${path} is where the gateway publishes ${taken.name}`;
    return [{ path: ['logins', name, 'path'], message, hint: 'give each login a path of its own, such as /.auth-2' }];
  });
}

function placesOf(api: ApiConfig, index: number): { readonly path: string; readonly at: Path }[] {
  const base = api.path === '/' ? '' : api.path;
  return [
    // An API at the root gives way to whatever is more specific.
    ...(api.path === '/' ? [] : [{ path: api.path, at: ['apis', index, 'path'] }]),
    ...api.routes.map((route, at) => ({
      path: `${base}${route.match.path}`,
      at: ['apis', index, 'routes', at, 'match'],
    })),
  ];
}

function meet(route: OwnRoute, api: Pick<ApiConfig, 'listeners' | 'hosts'>): boolean {
  const listeners = route.listeners.some((name) => api.listeners.includes(name));
  const anyHost = route.hosts.length === 0 || api.hosts.length === 0;
  return listeners && (anyHost || route.hosts.some((host) => api.hosts.some((other) => sameHost(host, other))));
}

function sameHost(host: string, pattern: string): boolean {
  return host === pattern || isBelow(host, pattern) || isBelow(pattern, host);
}

function isBelow(host: string, pattern: string): boolean {
  return pattern.startsWith('*.') && host.endsWith(pattern.slice(1));
}

function covers({ path, prefix }: OwnRoute, other: string): boolean {
  if (path === other) return true;
  return prefix && path !== '/' && other.startsWith(`${path}/`);
}
