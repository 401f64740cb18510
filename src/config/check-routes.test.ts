import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeaderList } from '../lib/header-list.ts';
import { compileRouter, type RouteEntry } from '../match/router.ts';
import type { ParsedApi } from './api-schema.ts';
import { apiSchema } from './api-schema.ts';
import { checkRoutes } from './check-routes.ts';
import { listenerSchema } from './listener-schema.ts';
import type { ConfigParts } from './parse.ts';
import type { Findings } from './semantic-findings.ts';

const schema = apiSchema({ builtIn: [], custom: [] });
const listener = listenerSchema.parse({ name: 'public', address: '127.0.0.1:0' });

const segment = fc.constantFrom('a', 'b', '{x}');
const path = fc
  .array(segment, { maxLength: 2 })
  .map((segments) => `/${segments.map((text, at) => (text === '{x}' ? `{x${at}}` : text)).join('/')}`);
const pattern = fc.tuple(path, fc.boolean()).map(([base, rest]) => (rest ? `${base === '/' ? '' : base}/*` : base));
const route = fc.record({
  match: fc.tuple(fc.constantFrom('GET', 'POST', 'GET,POST', 'HEAD', '*'), pattern).map((parts) => parts.join(' ')),
});
const api = fc.record({
  path: fc.constantFrom('/', '/a', '/a/b'),
  hosts: fc.constantFrom(undefined, ['h.example.com'], ['*.example.com'], ['h.example.com', 'i.example.com']),
  routes: fc.array(route, { maxLength: 3 }),
});

test('where no overlap is reported, the order of the file decides nothing', () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(api, { minLength: 1, maxLength: 3 }), (inputs) => {
      const apis = inputs.map((input, index) => schema.parse({ ...input, name: `api-${index}`, upstream: 'u' }));
      if (check(apis).faults.length > 0) return;
      accepted += 1;
      const entries = apis.flatMap(entriesOf);
      const forward = compileRouter(entries);
      const backward = compileRouter([...entries].reverse());
      const none = new HeaderList([]);
      for (const host of ['h.example.com', 'i.example.com', 'j.example.com', 'other']) {
        for (const method of ['GET', 'POST', 'HEAD', 'PUT']) {
          for (const target of ['/', '/a', '/b', '/a/a', '/a/b', '/a/b/a', '/c/c', '/a/b/a/b']) {
            assert.deepEqual(backward.match(host, method, target, none), forward.match(host, method, target, none));
          }
        }
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(accepted > 50, `only ${accepted} were without overlap`);
});

function check(apis: readonly ParsedApi[]): Findings {
  const parts: ConfigParts = {
    listeners: [{ path: ['listeners', 0], name: 'public', value: listener }],
    upstreams: [],
    apis: apis.map((value, at) => ({
      path: ['apis', at],
      name: value.name,
      value,
      routeIndexes: [...value.routes.keys()],
      placed: true,
    })),
  };
  const findings: Findings = { faults: [], warnings: [] };
  checkRoutes(parts, findings);
  return findings;
}

/** As compile.ts makes them. */
function entriesOf(parsed: ParsedApi): RouteEntry<string>[] {
  const base = parsed.path === '/' ? '' : parsed.path;
  const hosts = parsed.hosts;
  const whole = { hosts, methods: undefined, path: parsed.path, prefix: true, headers: [], value: parsed.name };
  return [
    whole,
    ...parsed.routes.map(({ match }) => ({
      hosts,
      methods: match.methods,
      path: base + (match.path === '/' && base !== '' ? '' : match.path),
      prefix: false,
      headers: [],
      value: `${parsed.name} ${match.methods?.join() ?? '*'} ${match.path}`,
    })),
  ];
}
