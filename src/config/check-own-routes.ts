import type { Path, RawFault } from './faults.ts';
import { type OwnRoute, ownRoutes } from './own-routes.ts';
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
  return faults;
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

function meet(route: OwnRoute, api: ApiConfig): boolean {
  const listeners = route.listeners.some((name) => api.listeners.includes(name));
  const anyHost = route.hosts.length === 0 || api.hosts.length === 0;
  return listeners && (anyHost || route.hosts.some((host) => api.hosts.some((other) => sameHost(host, other))));
}

function sameHost(host: string, pattern: string): boolean {
  return host === pattern || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));
}

function covers({ path, prefix }: OwnRoute, other: string): boolean {
  if (path === other) return true;
  return prefix && path !== '/' && other.startsWith(`${path}/`);
}
