import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HeaderList } from '../lib/header-list.ts';
import { compileRouter, type RouteEntry } from './router.ts';

const FUZZ = Number(process.env['SALLYPORT_FUZZ'] ?? 1);

function route(value: string, path: string, more: Partial<RouteEntry<string>> = {}): RouteEntry<string> {
  return { hosts: undefined, methods: undefined, path, prefix: false, headers: [], value, ...more };
}

const NO_HEADERS = new HeaderList([]);

describe('HEAD', () => {
  const get = route('get', '/a', { methods: ['GET'] });
  const head = route('head', '/a', { methods: ['HEAD'] });
  const any = route('any', '/a');

  for (const entries of [
    [get, head, any],
    [head, get, any],
    [any, get, head],
  ]) {
    it(`goes to the route that names it among ${entries.map((entry) => entry.value)}`, () => {
      assert.deepEqual(compileRouter(entries).match('h', 'HEAD', '/a', NO_HEADERS), {
        value: 'head',
        params: Object.create(null),
      });
    });
  }

  it('goes to GET before any method, and to GET with a condition before HEAD without', () => {
    const beta = route('beta', '/a', { methods: ['GET'], headers: [{ name: 'x', value: '1' }] });
    const found = (entries: RouteEntry<string>[], headers: HeaderList) =>
      compileRouter(entries).match('h', 'HEAD', '/a', headers);
    assert.deepEqual(found([any, get], NO_HEADERS), { value: 'get', params: Object.create(null) });
    assert.deepEqual(found([head, beta], new HeaderList(['x', '1'])), { value: 'beta', params: Object.create(null) });
    assert.deepEqual(found([head, beta], NO_HEADERS), { value: 'head', params: Object.create(null) });
  });
});

it('no path pattern covers the asterisk form', () => {
  const entries = [route('root', '/', { prefix: true }), route('rest', '/*'), route('param', '/{x}')];
  assert.equal(compileRouter(entries).match('h', 'OPTIONS', '*', NO_HEADERS), undefined);
});

it('tries each route once at most, though every segment may be literal or parameter', () => {
  const depth = 9;
  const all = Array.from({ length: 2 ** depth }, (_, bits) =>
    Array.from({ length: depth }, (_, at) => ((bits >> at) & 1 ? 'a' : `{p${at}}`)),
  );
  const entries = all.map((segments, index) =>
    route(`r${index}`, `/${segments.join('/')}/*`, { headers: [{ name: 'x', value: 'never' }] }),
  );
  let asked = 0;
  class Counting extends HeaderList {
    override all(name: string): readonly string[] {
      asked += 1;
      return super.all(name);
    }
  }
  const path = `/${'a/'.repeat(2_000)}a`;
  assert.equal(compileRouter(entries).match('h', 'GET', path, new Counting([])), undefined);
  assert.equal(asked, entries.length);
});

/** The precedence of docs and router, spelt out with none of its data structures. */
describe('a plain matcher agrees on hosts, paths, methods and headers', () => {
  const segment = fc.constantFrom('a', '__proto__');
  const entry = fc.record({
    host: fc.constantFrom(undefined, undefined, 'a.b', '*.a.b', '*.b'),
    method: fc.constantFrom(undefined, 'GET', 'HEAD', 'PUT'),
    parts: fc.array(fc.oneof(segment, fc.constant('{}')), { maxLength: 2 }),
    end: fc.constantFrom('exact', 'rest', 'prefix', 'slash'),
    header: fc.boolean(),
  });
  const request = fc.record({
    host: fc.constantFrom('y.x.a.b', 'a.b', 'b'),
    method: fc.constantFrom('GET', 'HEAD', 'PUT', 'POST'),
    path: fc
      .tuple(fc.array(segment, { maxLength: 3 }), fc.boolean())
      .map(([parts, slash]) => `/${parts.join('/')}${slash && parts.length > 0 ? '/' : ''}`),
    header: fc.boolean(),
  });

  it('on any routes and requests', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 30, size: 'max' }), request, (drafts, asked) => {
        const seen = new Set<string>();
        const entries: RouteEntry<string>[] = [];
        for (const draft of drafts) {
          const text = draft.parts.map((part, at) => (part === '{}' ? `/{p${at}}` : `/${part}`)).join('');
          const path =
            draft.end === 'rest' ? `${text}/*` : draft.end === 'slash' ? `${text}/` : text === '' ? '/' : text;
          const covers = draft.end === 'prefix' || draft.end === 'rest';
          const key = JSON.stringify([draft.host, draft.method, covers ? `${text}/*` : path, draft.header]);
          if (seen.has(key)) continue; // only the order of the file would decide
          seen.add(key);
          entries.push(
            route(`${entries.length}`, path, {
              hosts: draft.host === undefined ? undefined : [draft.host],
              methods: draft.method === undefined ? undefined : [draft.method],
              prefix: draft.end === 'prefix',
              headers: draft.header ? [{ name: 'x', value: '1' }] : [],
            }),
          );
        }
        const headers = new HeaderList(asked.header ? ['X', '1'] : []);
        const found = compileRouter(entries).match(asked.host, asked.method, asked.path, headers);
        const answer = found === undefined ? undefined : 'value' in found ? found.value : found.allowed;
        assert.deepEqual(answer, plainly(entries, asked));
      }),
      { numRuns: 3_000 * FUZZ },
    );
  });
});

interface Asked {
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly header: boolean;
}

/** The value of the best route, the methods that would do, or undefined; one level of hosts after the other. */
function plainly(entries: readonly RouteEntry<string>[], asked: Asked): string | readonly string[] | undefined {
  for (const host of hostLevels(asked.host)) {
    const here = entries.filter(
      (entry) => (entry.hosts?.[0] ?? undefined) === host && (entry.headers.length === 0 || asked.header),
    );
    const ranked = here
      .map((entry) => ({ entry, rank: pathRank(entry, asked.path) }))
      .filter((candidate) => candidate.rank !== undefined)
      .map(({ entry, rank }) => ({
        entry,
        rank: `${rank}|${1 - entry.headers.length}|${methodRank(entry, asked.method)}`,
      }));
    const takes = ranked.filter(({ rank }) => !rank.endsWith('9')).sort((a, b) => (a.rank < b.rank ? -1 : 1));
    if (takes[0] !== undefined) return takes[0].entry.value;
    const allowed = new Set(ranked.flatMap(({ entry }) => entry.methods ?? []));
    if (allowed.has('GET')) allowed.add('HEAD');
    if (allowed.size > 0) return [...allowed].sort();
  }
  return undefined;
}

function hostLevels(host: string): (string | undefined)[] {
  const labels = host.split('.');
  return [host, ...labels.slice(1).map((_, at) => `*.${labels.slice(at + 1).join('.')}`), undefined];
}

function methodRank(entry: RouteEntry<string>, method: string): number {
  if (entry.methods === undefined) return 2;
  if (entry.methods.includes(method)) return 0;
  return method === 'HEAD' && entry.methods.includes('GET') ? 1 : 9;
}

/** A letter a segment, smaller for the more specific; undefined where the path does not match. */
function pathRank(entry: RouteEntry<string>, path: string): string | undefined {
  const wanted = path.slice(1).split('/');
  let parts = entry.path === '/' && entry.prefix ? [] : entry.path.slice(1).split('/');
  const open = entry.prefix || parts.at(-1) === '*';
  if (parts.at(-1) === '*') parts = parts.slice(0, -1);
  if (parts.length > wanted.length || (!open && parts.length < wanted.length)) return undefined;
  let rank = '';
  for (const [at, part] of parts.entries()) {
    if (part.startsWith('{') && wanted[at] !== '') rank += 'b';
    else if (part === wanted[at]) rank += 'a';
    else return undefined;
  }
  return rank + (open ? 'z' : 'a');
}
