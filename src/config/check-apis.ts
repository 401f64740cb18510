import { suggest } from '../lib/suggest.ts';
import type { ParsedApi, ParsedUpstream } from './api-schema.ts';
import { repeatedNames } from './check-names.ts';
import type { Path } from './faults.ts';
import type { ApiPart, ConfigParts } from './parse.ts';
import { routeName } from './route-name.ts';
import type { Findings } from './semantic-findings.ts';

/** APIs: the names they use, who may call them, and the listeners that carry them. */
export function checkApis(parts: ConfigParts, findings: Findings): void {
  findings.faults.push(...repeatedNames(parts.apis, 'API'));
  const upstreams = new Set(parts.upstreams.map((upstream) => upstream.name ?? ''));
  const carried = new Set<string>();
  for (const part of parts.apis) {
    const { value: api, path, routeIndexes } = part;
    if (api === undefined) continue;
    checkAuthentication(api, path, findings);
    checkListenersOf(api, path, parts, findings);
    checkUpstreamName(api.upstream, [...path, 'upstream'], upstreams, findings);
    for (const [at, route] of api.routes.entries()) {
      const routePath = [...path, 'routes', routeIndexes[at] ?? at];
      checkUpstreamName(route.upstream, [...routePath, 'upstream'], upstreams, findings);
    }
    checkRouteNames(api, part, findings);
    for (const listener of carriersOf(api, parts)) carried.add(listener);
  }
  warnOfIdleListeners(parts, carried, findings);
}

/** The names of the listeners an API is reached through. */
export function carriersOf(api: ParsedApi, parts: ConfigParts): readonly string[] {
  if (api.listeners !== undefined) return api.listeners;
  return parts.listeners.flatMap(({ value }) => (value?.exposure === api.exposure ? [value.name] : []));
}

function checkAuthentication(api: ParsedApi, path: Path, findings: Findings): void {
  if (api.exposure !== 'public' || api.policies['authenticate'] !== undefined) return;
  findings.faults.push({
    path: [...path, 'authenticate'],
    message: `the public API ${api.name} does not say who may call it`,
    hint: 'write authenticate: [{ oauth: { audience: … } }], [{ apiKey: {} }] or [{ login: { use: … } }]; none if everyone may',
  });
}

function checkListenersOf(api: ParsedApi, path: Path, parts: ConfigParts, findings: Findings): void {
  if (api.listeners === undefined) {
    // A listener with a fault of its own may be the one.
    const possible =
      parts.listeners.length === 0 ||
      parts.listeners.some(({ value }) => value === undefined || value.exposure === api.exposure);
    if (possible) return;
    findings.faults.push({
      path: [...path, 'exposure'],
      message: `no listener carries ${api.exposure} APIs, so ${api.name} could not be reached`,
      hint: `add a listener with exposure: ${api.exposure}`,
    });
    return;
  }
  const known = parts.listeners.map((listener) => listener.name ?? '');
  const seen = new Set<string>();
  for (const [index, name] of api.listeners.entries()) {
    const at = [...path, 'listeners', index];
    const listener = parts.listeners.find((candidate) => candidate.name === name);
    if (seen.has(name))
      findings.faults.push({ path: at, subject: name, message: 'is listed twice', hint: 'list each listener once' });
    else if (listener === undefined) {
      findings.faults.push({
        path: at,
        subject: name,
        message: 'is not the name of a listener',
        hint: didYouMean(name, known, 'listeners'),
      });
    } else if (listener.value !== undefined && listener.value.exposure !== api.exposure) {
      findings.faults.push({
        path: at,
        subject: name,
        message: `is ${article(listener.value.exposure)} listener, and ${api.name} is ${article(api.exposure)} API`,
        hint: 'name a listener of the same exposure: internal APIs are never reachable through public listeners, nor the other way round',
      });
    }
    seen.add(name);
  }
}

function checkRouteNames(api: ParsedApi, part: ApiPart, findings: Findings): void {
  const named = new Map<string, string>();
  for (const [at, route] of api.routes.entries()) {
    const name = routeName(route);
    const conditions = JSON.stringify(route.matchHeaders);
    const earlier = named.get(name);
    // Two routes that are the same in all are told of by the check of routes.
    if (earlier !== undefined && (route.name !== undefined || earlier !== conditions)) {
      findings.faults.push({
        path: [...part.path, 'routes', part.routeIndexes[at] ?? at, 'name'],
        subject: name,
        message: 'names another route of this API already',
        hint:
          route.name === undefined
            ? 'add a name: it stands for both `match` and `matchHeaders`'
            : 'choose another name',
      });
    }
    named.set(name, conditions);
  }
}

function checkUpstreamName(
  upstream: ParsedUpstream | undefined,
  path: Path,
  known: ReadonlySet<string>,
  findings: Findings,
): void {
  if (upstream === undefined || !('named' in upstream) || known.has(upstream.named)) return;
  findings.faults.push({
    path,
    subject: upstream.named,
    message: 'is not the name of an upstream',
    hint: didYouMean(upstream.named, [...known], 'upstreams'),
  });
}

function warnOfIdleListeners(parts: ConfigParts, carried: ReadonlySet<string>, findings: Findings): void {
  if (parts.apis.some((api) => api.value === undefined)) return;
  for (const { value: listener, path } of parts.listeners) {
    // An internal listener has the gateway's own endpoints to serve.
    if (listener === undefined || listener.exposure === 'internal' || carried.has(listener.name)) continue;
    findings.warnings.push({
      path,
      message: `no API is reached through the listener ${listener.name}`,
      hint: 'remove it, or name it in an API',
    });
  }
}

function didYouMean(name: string, known: readonly string[], section: string): string {
  const near = suggest(name, known);
  if (near !== undefined) return `did you mean ${near}?`;
  const some = known.filter((candidate) => candidate !== '').slice(0, 8);
  return some.length === 0
    ? `define it under \`${section}\``
    : `define it under \`${section}\`, or name one of: ${some.join(', ')}`;
}

function article(exposure: ParsedApi['exposure']): string {
  return exposure === 'internal' ? 'an internal' : 'a public';
}
