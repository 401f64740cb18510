import type { ParsedRoute } from './api-schema.ts';

/** The name of a route in logs and metrics: its own, or the text of its `match`. */
export function routeName(route: Pick<ParsedRoute, 'name' | 'match'>): string {
  return route.name ?? `${route.match.methods?.join(',') ?? '*'} ${route.match.path}`;
}
