import type { HeaderList } from '../lib/header-list.ts';
import { type PathParam, type PathPattern, parsePattern } from './path-pattern.ts';
import { type HeaderCondition, Search } from './route-choice.ts';
import { emptyNode, plantPattern, type TrieNode, walk } from './segment-trie.ts';

/** What a route asks of a request. */
export interface RouteEntry<R> {
  /** Canonical host names without port, or `*.suffix` for one or more labels before the suffix; undefined for any host. */
  readonly hosts: readonly string[] | undefined;
  /** Undefined for any method. GET takes HEAD too. */
  readonly methods: readonly string[] | undefined;
  /** Canonical literal segments, `{param}` segments, and perhaps a last segment `*` for any rest, also an empty one. */
  readonly path: string;
  /** True where the path covers itself and everything below it: `/v1` takes `/v1`, `/v1/` and `/v1/x`, never `/v1x`. */
  readonly prefix: boolean;
  /** All of them must be met. */
  readonly headers: readonly HeaderCondition[];
  readonly value: R;
}

export interface Match<R> {
  readonly value: R;
  /** Percent-decoded: they may hold anything, `/` and `..` too, and must be encoded again before they go into a path. */
  readonly params: Readonly<Record<string, string>>;
}

/** The path is published, but not for this method; `allowed` are those it is published for, sorted. */
export interface MethodNotAllowed {
  readonly allowed: readonly string[];
}

export interface Router<R> {
  /**
   * The most specific route for a request, and undefined where nothing is published. Host and path must be canonical.
   * What is compared first weighs most:
   *
   * 1. host: exact > longer `*.suffix` > shorter > any host;
   * 2. path, from its first segment on: literal > `{param}` > a last `*` or a prefix;
   * 3. header conditions: more > fewer > none;
   * 4. method: named (for HEAD, then GET) > any;
   * 5. the order the routes were given in.
   *
   * A route that fails falls back to the next best, but for one thing: a host that publishes the path for other methods answers
   * 405 itself, and the request does not go on to a less specific host.
   */
  match(host: string, method: string, path: string, headers: HeaderList): Match<R> | MethodNotAllowed | undefined;
}

/** Builds the tries once; a look-up then costs the same for ten routes and ten thousand. Throws for a route that could never match. */
export function compileRouter<R>(entries: readonly RouteEntry<R>[]): Router<R> {
  const { exact, wildcard, any } = plantTrees(entries.map(prepare));

  return {
    match(host, method, path, headers) {
      if (path.charCodeAt(0) !== SLASH) return undefined; // the asterisk form of OPTIONS
      const search = new Search(method, headers);
      const tree = exact.get(host);
      let found = tree === undefined ? undefined : walk(tree, path, 0, search);
      if (found === undefined && search.allowed === undefined && wildcard.size > 0) {
        for (
          let dot = host.indexOf('.');
          dot >= 0 && found === undefined && search.allowed === undefined;
          dot = host.indexOf('.', dot + 1)
        ) {
          const suffixTree = wildcard.get(host.slice(dot + 1));
          if (suffixTree !== undefined) found = walk(suffixTree, path, 0, search);
        }
      }
      if (found === undefined && search.allowed === undefined && any !== undefined) found = walk(any, path, 0, search);
      if (found === undefined)
        return search.allowed === undefined ? undefined : { allowed: sortMethods(search.allowed) };
      return found.params.length === 0
        ? found.plainMatch
        : { value: found.value, params: readParams(found.params, path) };
    },
  };
}

interface Prepared<R> {
  readonly hosts: readonly string[];
  readonly methods: readonly string[] | undefined;
  readonly headers: readonly HeaderCondition[];
  readonly pattern: PathPattern;
  readonly params: readonly PathParam[];
  readonly value: R;
  /** The answer where there are no parameters, made once. */
  readonly plainMatch: Match<R>;
}

type Tree<R> = TrieNode<Prepared<R>>;

interface Trees<R> {
  readonly exact: ReadonlyMap<string, Tree<R>>;
  /** Keyed by what follows `*.`. */
  readonly wildcard: ReadonlyMap<string, Tree<R>>;
  readonly any: Tree<R> | undefined;
}

function prepare<R>(entry: RouteEntry<R>): Prepared<R> {
  if (entry.hosts?.length === 0) throw new Error(`the route ${entry.path} has an empty list of hosts`);
  if (entry.methods?.length === 0) throw new Error(`the route ${entry.path} has an empty list of methods`);
  const pattern = parsePattern(entry.path, entry.prefix);
  return {
    hosts: entry.hosts === undefined ? [ANY_HOST] : [...new Set(entry.hosts)],
    methods: entry.methods,
    headers: entry.headers,
    pattern,
    params: pattern.params,
    value: entry.value,
    plainMatch: Object.freeze({ value: entry.value, params: NO_PARAMS }),
  };
}

/** A tree for every host pattern; hosts that publish the very same routes share one, so a hundred hosts cost what one does. */
function plantTrees<R>(prepared: readonly Prepared<R>[]): Trees<R> {
  const routesOf = new Map<string, number[]>();
  for (const [position, { hosts }] of prepared.entries()) {
    for (const host of hosts) {
      const positions = routesOf.get(host);
      if (positions === undefined) routesOf.set(host, [position]);
      else positions.push(position);
    }
  }
  const shared = new Map<string, Tree<R>>();
  const exact = new Map<string, Tree<R>>();
  const wildcard = new Map<string, Tree<R>>();
  for (const [host, positions] of routesOf) {
    const key = positions.join();
    const tree = shared.get(key) ?? plantTree(prepared, positions);
    shared.set(key, tree);
    if (host.startsWith('*.')) wildcard.set(host.slice(2), tree);
    else if (host !== ANY_HOST) exact.set(host, tree);
  }
  const positions = routesOf.get(ANY_HOST);
  return { exact, wildcard, any: positions === undefined ? undefined : shared.get(positions.join()) };
}

function plantTree<R>(prepared: readonly Prepared<R>[], positions: readonly number[]): Tree<R> {
  const root: Tree<R> = emptyNode();
  for (const position of positions) {
    const route = prepared[position] as Prepared<R>; // positions are indexes of it
    plantPattern(root, route.pattern).add(route.headers, route.methods, route);
  }
  return root;
}

/** A resource that answers GET answers HEAD. */
function sortMethods(allowed: Set<string>): readonly string[] {
  if (allowed.has('GET')) allowed.add('HEAD');
  return [...allowed].sort();
}

/** The values of the parameters in a path that their pattern matched. */
function readParams(params: readonly PathParam[], path: string): Readonly<Record<string, string>> {
  // Without a prototype, so that a parameter may have any name and an absent one reads undefined.
  const values: Record<string, string> = Object.create(null);
  let start = 1;
  let segment = 0;
  for (const param of params) {
    for (; segment < param.segment; segment++) start = path.indexOf('/', start) + 1;
    const slash = path.indexOf('/', start);
    const text = slash < 0 ? path.slice(start) : path.slice(start, slash);
    values[param.name] = text.includes('%') ? decodeURIComponent(text) : text;
  }
  return values;
}

/** No host pattern is empty. */
const ANY_HOST = '';

const SLASH = 0x2f;

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
