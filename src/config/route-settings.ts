import type { PolicyDefinition } from '../policies/policy.ts';
import { policies } from '../policies/registry.ts';
import type { ApiConfig, RouteConfig } from './schema.ts';

/**
 * What holds on a route: its own settings in front of its API's. A route that everyone may call has no caller, so what the API
 * says of callers (rules, what the upstream is told) does not hold there, unless the route says it itself.
 */
export function routeSettings(
  api: Pick<ApiConfig, 'policies'>,
  route: Pick<RouteConfig, 'policies'>,
  custom: readonly PolicyDefinition[],
): ApiConfig['policies'] {
  const inherited = route.policies['authenticate'] === 'none' ? withoutCaller(api.policies, custom) : api.policies;
  return { ...inherited, ...route.policies };
}

function withoutCaller(settings: ApiConfig['policies'], custom: readonly PolicyDefinition[]): ApiConfig['policies'] {
  const asking = new Set(
    [...policies, ...custom].filter(({ needs }) => needs.includes('principal')).map(({ name }) => name),
  );
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !asking.has(name)));
}
