import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HeaderList } from '../lib/header-list.ts';
import { compileRouter, type RouteEntry } from './router.ts';

function route(value: string, path: string, more: Partial<RouteEntry<string>> = {}): RouteEntry<string> {
  return { hosts: undefined, methods: undefined, path, prefix: false, headers: [], value, ...more };
}

function ask(
  entries: RouteEntry<string>[],
  path: string,
  { host = 'h', method = 'GET', headers = [] as string[] } = {},
) {
  return compileRouter(entries).match(host, method, path, new HeaderList(headers));
}

function nameOf(found: ReturnType<typeof ask>): string | undefined {
  return found !== undefined && 'value' in found ? found.value : undefined;
}

describe('the router', () => {
  it('prefers an exact host, then the longer wildcard, then any host', () => {
    const entries = [
      route('any', '/', { prefix: true }),
      route('short', '/', { prefix: true, hosts: ['*.com'] }),
      route('long', '/', { prefix: true, hosts: ['*.example.com'] }),
      route('exact', '/', { prefix: true, hosts: ['api.example.com'] }),
    ];
    const answers = ['api.example.com', 'x.y.example.com', 'example.com', 'example.org'].map((host) =>
      nameOf(ask(entries, '/x', { host })),
    );
    assert.deepEqual(answers, ['exact', 'long', 'short', 'any']);
  });

  it('prefers a literal, then a parameter, then a rest, and goes back where a branch ends', () => {
    const entries = [route('literal', '/a/b/c'), route('param', '/a/{x}/d'), route('rest', '/a/*')];
    assert.equal(nameOf(ask(entries, '/a/b/c')), 'literal');
    assert.equal(nameOf(ask(entries, '/a/b/d')), 'param');
    assert.equal(nameOf(ask(entries, '/a/b/e')), 'rest');
    assert.equal(nameOf(ask(entries, '/a')), 'rest');
    assert.equal(nameOf(ask(entries, '/b')), undefined);
  });

  it('covers a prefix on segment borders only', () => {
    const entries = [route('widgets', '/v1/widgets', { prefix: true })];
    for (const path of ['/v1/widgets', '/v1/widgets/', '/v1/widgets/7/parts'])
      assert.equal(nameOf(ask(entries, path)), 'widgets', path);
    for (const path of ['/v1/widgetsX', '/v1', '/', '/V1/widgets', '/v1/widgets;x'])
      assert.equal(ask(entries, path), undefined, path);
  });

  it('tells a trailing slash from none', () => {
    assert.equal(ask([route('a', '/a')], '/a/'), undefined);
    assert.equal(ask([route('a', '/a/{x}')], '/a/'), undefined);
  });

  it('answers HEAD by GET, and a method that is not published by those that are', () => {
    const entries = [route('read', '/a', { methods: ['GET'] }), route('write', '/a', { methods: ['PUT', 'DELETE'] })];
    assert.equal(nameOf(ask(entries, '/a', { method: 'HEAD' })), 'read');
    assert.deepEqual(ask(entries, '/a', { method: 'POST' }), { allowed: ['DELETE', 'GET', 'HEAD', 'PUT'] });
    assert.equal(nameOf(ask([...entries, route('all', '/a')], '/a', { method: 'POST' })), 'all');
  });

  it('prefers more header conditions', () => {
    const entries = [route('plain', '/a'), route('beta', '/a', { headers: [{ name: 'x-beta', value: '1' }] })];
    assert.equal(nameOf(ask(entries, '/a', { headers: ['X-Beta', '1'] })), 'beta');
    assert.equal(nameOf(ask(entries, '/a', { headers: ['X-Beta', '2'] })), 'plain');
  });

  it('decodes parameters, whatever their name or value', () => {
    const found = ask([route('a', '/{id}/{__proto__}')], '/a%2Fb/constructor');
    assert.ok(found !== undefined && 'params' in found);
    assert.equal(found.params['id'], 'a/b');
    assert.equal(Object.getPrototypeOf(found.params), null);
  });

  it('takes names of Object.prototype as plain hosts and segments', () => {
    assert.equal(ask([route('a', '/a', { hosts: ['h'] })], '/__proto__', { host: 'constructor' }), undefined);
  });

  it('visits no more nodes than the pattern has, however it branches', () => {
    const entries = Array.from({ length: 16 }, (_, level) =>
      route(`r${level}`, `/${'a/'.repeat(level)}{x}/${'a/'.repeat(15 - level)}end`),
    );
    assert.equal(ask(entries, `/${'a/'.repeat(40)}a`), undefined);
  });

  it('agrees with a plain matcher on any routes and paths', () => {
    const segment = fc.constantFrom('a', 'b', 'c');
    const pattern = fc
      .array(fc.oneof(segment, fc.constant('{}')), { minLength: 1, maxLength: 4 })
      .map((parts) => `/${parts.map((part, at) => (part === '{}' ? `{p${at}}` : part)).join('/')}`);
    const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
    fc.assert(
      fc.property(fc.uniqueArray(pattern, { maxLength: 12 }), path, (patterns, wanted) => {
        const expected = patterns.filter((candidate) => matchesPlainly(candidate, wanted)).sort(byLiteralFirst)[0];
        assert.equal(
          nameOf(
            ask(
              patterns.map((text) => route(text, text)),
              wanted,
            ),
          ),
          expected,
        );
      }),
      { numRuns: 1_000 },
    );
  });
});

function matchesPlainly(pattern: string, path: string): boolean {
  const parts = pattern.split('/');
  const segments = path.split('/');
  return (
    parts.length === segments.length && parts.every((part, index) => part.startsWith('{') || part === segments[index])
  );
}

/** At the first segment where they differ, the literal goes first. */
function byLiteralFirst(a: string, b: string): number {
  const left = a.split('/');
  const right = b.split('/');
  const at = left.findIndex((part, index) => part !== right[index]);
  return left[at]?.startsWith('{') ? 1 : -1;
}
