import type { ParsedApi, ParsedRoute } from './api-schema.ts';
import { carriersOf } from './check-apis.ts';
import type { Path } from './faults.ts';
import { INTERNAL_PAGES } from './internal-pages.ts';
import type { ApiPart, ConfigParts } from './parse.ts';
import { routeName } from './route-name.ts';
import type { Findings } from './semantic-findings.ts';

/**
 * Routes that take the same requests. Two with the same listener, host, path shape, header conditions and method are
 * a fault: which of them served would depend on the order of the file. Where one API takes requests from the middle of
 * another, there is a warning.
 */
export function checkRoutes(parts: ConfigParts, findings: Findings): void {
  const published: Published = new Map();
  const told = new Set<Place>();
  for (const { name, value: listener } of parts.listeners) {
    if (listener?.exposure !== 'internal' || name === undefined) continue;
    for (const page of INTERNAL_PAGES) {
      const place = {
        api: '',
        path: [],
        label: `the gateway's own page ${page}`,
        methods: ['GET'],
        shape: `here ${page}`,
        headers: '',
      };
      publish(place, { listener: name, host: '*' }, published);
    }
  }
  for (const part of parts.apis) {
    const api = part.value;
    if (api === undefined || !part.placed) continue;
    const places = placesOf(api, part);
    for (const listener of new Set(carriersOf(api, parts))) {
      for (const host of new Set(api.hosts ?? ['*']))
        checkPlaces(places, { listener, host }, { published, told, findings });
    }
  }
}

/** Where requests come in. */
interface Door {
  readonly listener: string;
  /** `*` for any host. */
  readonly host: string;
}

interface Place {
  readonly api: string;
  readonly path: Path;
  readonly label: string;
  /** Undefined means any. */
  readonly methods: readonly string[] | undefined;
  /** The path with its parameters' names left out. */
  readonly shape: string;
  readonly headers: string;
}

/** The places that differ in nothing but their methods, by these; `*` stands for any method. */
type Published = Map<string, Map<string, Place>>;

interface Check {
  readonly published: Published;
  /** Places of which something has been said: one that several hosts or listeners share is told of once. */
  readonly told: Set<Place>;
  readonly findings: Findings;
}

function placesOf(api: ParsedApi, part: ApiPart): readonly Place[] {
  const whole: Place = {
    api: api.name,
    path: [...part.path, 'path'],
    label: `the API ${api.name}`,
    methods: undefined,
    shape: `below ${api.path === '/' ? '' : api.path}`,
    headers: '',
  };
  const routes = api.routes.map((route, at) => ({
    api: api.name,
    path: [...part.path, 'routes', part.routeIndexes[at] ?? at, 'match'],
    label: `the route ${routeName(route)} of the API ${api.name}`,
    methods: route.match.methods,
    shape: shapeOf(api.path, route.match.path),
    headers: conditionsOf(route),
  }));
  return [whole, ...routes];
}

function checkPlaces(places: readonly Place[], door: Door, check: Check): void {
  const { published, told, findings } = check;
  for (const place of places) {
    const same = published.get(keyOf(place, door));
    const other = methodsOf(place)
      .map((method) => same?.get(method))
      .find((found) => found !== undefined);
    const where = door.host === '*' ? '' : ` for the host ${door.host}`;
    if (other !== undefined && !told.has(place)) {
      told.add(place);
      const message = `takes the same requests as ${other.label}${where} on the listener ${door.listener}`;
      findings.faults.push({ path: place.path, message: `${place.label} ${message}`, hint: HINT });
    }
    if (other === undefined) warnOfCapture(place, same, check);
    publish(place, door, published);
  }
}

/** A named method goes before any method: so a route can take requests that another API was meant to have. */
function warnOfCapture(place: Place, same: ReadonlyMap<string, Place> | undefined, check: Check): void {
  for (const other of same?.values() ?? []) {
    if (other.api === place.api || (other.methods === undefined) === (place.methods === undefined)) continue;
    const [taker, loser] = place.methods === undefined ? [other, place] : [place, other];
    if (check.told.has(taker)) continue;
    check.told.add(taker);
    check.findings.warnings.push({
      path: taker.path,
      message: `${taker.label} takes ${taker.methods?.join(' and ')} requests from ${loser.label}`,
      hint: 'put the route into that API, if this is meant',
    });
  }
}

function publish(place: Place, door: Door, published: Published): void {
  const key = keyOf(place, door);
  const same = published.get(key) ?? new Map<string, Place>();
  published.set(key, same);
  for (const method of methodsOf(place)) if (!same.has(method)) same.set(method, place);
}

/** GET answers HEAD too; `*` stands for any method. */
function methodsOf({ methods }: Place): readonly string[] {
  if (methods === undefined) return ['*'];
  return methods.includes('GET') ? [...methods, 'HEAD'] : methods;
}

function keyOf(place: Place, door: Door): string {
  return `${door.listener}\n${door.host}\n${place.shape}\n${place.headers}`;
}

function shapeOf(apiPath: string, routePath: string): string {
  const base = apiPath === '/' ? '' : apiPath;
  const shape = routePath.replaceAll(/\{[^}]*\}/g, '{}');
  if (shape === '/*') return `below ${base}`;
  if (shape.endsWith('/*')) return `below ${base}${shape.slice(0, -2)}`;
  return `here ${base}${shape === '/' && base !== '' ? '' : shape}`;
}

function conditionsOf(route: ParsedRoute): string {
  return Object.entries(route.matchHeaders)
    .map(([name, value]) => JSON.stringify([name, value]))
    .sort()
    .join();
}

const HINT = 'give one of them another path, method, host, listener or matchHeaders, or remove it';
