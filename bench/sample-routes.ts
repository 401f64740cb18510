import type { RouteEntry } from '../src/match/router.ts';

export interface SampleRoutes {
  readonly entries: readonly RouteEntry<string>[];
  /** One for each route, in an order that does not favour neighbours. */
  readonly requests: readonly SampleRequest[];
  /** The same routes as a configuration file. */
  readonly yaml: string;
}

export interface SampleRequest {
  readonly method: string;
  readonly path: string;
  /** A path of the same shape at which nothing is published. */
  readonly missing: string;
  /** The value of the entry it belongs to. */
  readonly value: string;
}

/** `count` routes, a multiple of ten: each API is a path prefix and nine routes below it, as in a gateway before many small services. */
export function sampleRoutes(count: number): SampleRoutes {
  const apis = Array.from({ length: count / (BELOW.length + 1) }, (_, at) => `service-${at}`);
  const requests = apis.flatMap((api) => [
    { method: 'GET', path: `/${api}/anything/else`, missing: `/no-${api}/anything/else`, value: api },
    ...BELOW.map(({ methods, path, request }) => ({
      method: methods[0],
      path: `/${api}${request}`,
      missing: `/no-${api}${request}`,
      value: `${api} ${methods.join()} ${path}`,
    })),
  ]);
  return { entries: apis.flatMap(entriesOf), requests: shuffled(requests), yaml: yamlOf(apis) };
}

const BELOW = [
  { methods: ['GET'], path: '/items', request: '/items' },
  { methods: ['POST'], path: '/items', request: '/items' },
  { methods: ['GET'], path: '/items/{id}', request: '/items/4711' },
  { methods: ['PUT', 'PATCH'], path: '/items/{id}', request: '/items/4711' },
  { methods: ['DELETE'], path: '/items/{id}', request: '/items/4711' },
  { methods: ['GET'], path: '/items/{id}/parts/{part}', request: '/items/4711/parts/12' },
  { methods: ['GET'], path: '/healthz', request: '/healthz' },
  { methods: ['GET'], path: '/reports/daily', request: '/reports/daily' },
  { methods: ['GET'], path: '/files/*', request: '/files/2026/summary.pdf' },
] as const;

function entriesOf(api: string): RouteEntry<string>[] {
  const anywhere = { hosts: undefined, headers: [] };
  return [
    { ...anywhere, methods: undefined, path: `/${api}`, prefix: true, value: api },
    ...BELOW.map(({ methods, path }) => ({
      ...anywhere,
      methods,
      path: `/${api}${path}`,
      prefix: false,
      value: `${api} ${methods.join()} ${path}`,
    })),
  ];
}

function yamlOf(apis: readonly string[]): string {
  const routes = BELOW.map(({ methods, path }) => `      - { match: '${methods.join()} ${path}' }\n`).join('');
  const text = apis.map(
    (api) => `  - name: ${api}
    path: /${api}
    authenticate: none
    upstream: http://127.0.0.1:4000
    routes:
${routes}`,
  );
  return `listeners:\n  - { name: public, address: '127.0.0.1:0', tls: none }\napis:\n${text.join('')}`;
}

/** The same order every time: a step that shares no factor with the length visits every place once. */
function shuffled<Value>(values: readonly Value[]): Value[] {
  let step = Math.floor(values.length * 0.618) | 1;
  while (commonFactor(step, values.length) !== 1) step += 2;
  return values.map((_, at) => values[(at * step) % values.length] as Value); // the remainder is below the length
}

function commonFactor(a: number, b: number): number {
  return b === 0 ? a : commonFactor(b, a % b);
}
