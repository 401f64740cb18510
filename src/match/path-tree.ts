import type { HeaderList } from '../lib/header-list.ts';
import type { Match, RouteEntry, WrongMethod } from './router.ts';

interface Node<Value> {
  readonly literals: Map<string, Node<Value>>;
  param: Node<Value> | undefined;
  /** Entries that end exactly here. */
  readonly here: Candidate<Value>[];
  /** Entries that end here or anywhere below. */
  readonly below: Candidate<Value>[];
}

interface Candidate<Value> {
  readonly entry: RouteEntry<Value>;
  /** Names of the parameters on the way, in their order. */
  readonly names: readonly string[];
}

interface Search {
  readonly method: string;
  readonly headers: HeaderList;
  readonly segments: readonly string[];
  /** The segments that parameters took on the way to the present node. */
  readonly taken: string[];
  readonly allowed: Set<string>;
}

/** The routes of one host as a tree of path segments. */
export class PathTree<Value> {
  readonly #root: Node<Value> = newNode();

  add(entry: RouteEntry<Value>): void {
    let node = this.#root;
    const names: string[] = [];
    const segments = entry.path === '/' && entry.prefix ? [] : segmentsOf(entry.path);
    const rest = segments.at(-1) === '*';
    for (const segment of rest ? segments.slice(0, -1) : segments) {
      if (segment.startsWith('{') && segment.endsWith('}')) {
        names.push(segment.slice(1, -1));
        node.param ??= newNode();
        node = node.param;
      } else {
        let next = node.literals.get(segment);
        if (next === undefined) {
          next = newNode();
          node.literals.set(segment, next);
        }
        node = next;
      }
    }
    const candidates = rest || entry.prefix ? node.below : node.here;
    candidates.push({ entry, names });
    candidates.sort(bySpecificity);
  }

  match(method: string, path: string, headers: HeaderList): Match<Value> | WrongMethod | undefined {
    const search: Search = { method, headers, segments: segmentsOf(path), taken: [], allowed: new Set() };
    const found = visit(this.#root, 0, search);
    if (found !== undefined) return { value: found.entry.value, params: paramsOf(found, search.taken) };
    return search.allowed.size === 0 ? undefined : { allowed: [...search.allowed].sort() };
  }
}

/**
 * Literal before parameter before rest, going back where a branch comes to nothing. A path has a bounded number of segments and
 * each level two branches; a pattern tree built to branch everywhere has as many nodes as that, so the work is bounded by its size.
 */
function visit<Value>(node: Node<Value>, depth: number, search: Search): Candidate<Value> | undefined {
  if (depth === search.segments.length) return choose(node.here, search) ?? choose(node.below, search);
  const segment = search.segments[depth] as string; // depth < length
  const literal = node.literals.get(segment);
  if (literal !== undefined) {
    const found = visit(literal, depth + 1, search);
    if (found !== undefined) return found;
  }
  if (node.param !== undefined && segment !== '') {
    search.taken.push(segment);
    const found = visit(node.param, depth + 1, search);
    if (found !== undefined) return found;
    search.taken.pop();
  }
  return choose(node.below, search);
}

function choose<Value>(candidates: readonly Candidate<Value>[], search: Search): Candidate<Value> | undefined {
  // GET answers HEAD (RFC 9110 §9.3.2) unless a route of the same conditions names HEAD itself, wherever it was given.
  let stand: Candidate<Value> | undefined;
  for (const candidate of candidates) {
    const { methods, headers } = candidate.entry;
    if (stand !== undefined && (methods === undefined || headers.length < stand.entry.headers.length)) return stand;
    if (!headers.every(({ name, value }) => search.headers.get(name) === value)) continue;
    if (methods === undefined || methods.includes(search.method)) return candidate;
    if (search.method === 'HEAD' && methods.includes('GET')) {
      stand ??= candidate;
      continue;
    }
    for (const method of methods) search.allowed.add(method);
    if (methods.includes('GET')) search.allowed.add('HEAD');
  }
  return stand;
}

function bySpecificity<Value>(a: Candidate<Value>, b: Candidate<Value>): number {
  const conditions = b.entry.headers.length - a.entry.headers.length;
  if (conditions !== 0) return conditions;
  return Number(a.entry.methods === undefined) - Number(b.entry.methods === undefined);
}

/** `/` has one empty segment, `/a/` has `a` and an empty one: a trailing slash tells paths apart. */
function segmentsOf(path: string): readonly string[] {
  return path.slice(1).split('/');
}

function paramsOf<Value>(found: Candidate<Value>, taken: readonly string[]): Readonly<Record<string, string>> {
  if (found.names.length === 0) return NO_PARAMS;
  const params: Record<string, string> = Object.create(null);
  for (const [index, name] of found.names.entries()) params[name] = decodeURIComponent(taken[index] ?? '');
  return params;
}

function newNode<Value>(): Node<Value> {
  return { literals: new Map(), param: undefined, here: [], below: [] };
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
