import type { HeaderList } from '../lib/header-list.ts';
import { PathTree } from './path-tree.ts';

/** One published place. The value is whatever the caller wants back. */
export interface RouteEntry<Value> {
  /** Exact names, or `*.suffix` for one or more labels before it; lower case. Undefined: any host. */
  readonly hosts: readonly string[] | undefined;
  /** Upper case. Undefined: any method. GET answers HEAD too. */
  readonly methods: readonly string[] | undefined;
  /** `/literal/{param}/*`; a last `*` takes any rest, an empty one included. */
  readonly path: string;
  /** Also everything below the path, on segment borders. */
  readonly prefix: boolean;
  /** Fields a request must have, with exactly these values; names lower case. */
  readonly headers: readonly HeaderCondition[];
  readonly value: Value;
}

export interface HeaderCondition {
  readonly name: string;
  readonly value: string;
}

export interface Match<Value> {
  readonly value: Value;
  /** Percent-decoded: encode a value again before it goes into a path (`encodePathParam`). */
  readonly params: Readonly<Record<string, string>>;
}

/** The path is published, but not for this method. */
export interface WrongMethod {
  readonly allowed: readonly string[];
}

export interface Router<Value> {
  match(host: string, method: string, path: string, headers: HeaderList): Match<Value> | WrongMethod | undefined;
}

/**
 * Compiles routes into one tree of path segments for each host, so that a look-up costs the same with ten routes and ten thousand.
 * Precedence, from the most telling: an exact host, then the longer wildcard, then any host; a literal segment, then a parameter,
 * then a rest; header conditions, then none; a named method, then any. A host that publishes the path for another method answers
 * 405 itself: a request never falls through to a less specific host.
 */
export function compileRouter<Value>(entries: readonly RouteEntry<Value>[]): Router<Value> {
  const exact = new Map<string, PathTree<Value>>();
  const wildcard = new Map<string, PathTree<Value>>();
  const any = new PathTree<Value>();
  for (const entry of entries) {
    if (entry.hosts === undefined) any.add(entry);
    for (const host of entry.hosts ?? []) {
      if (host.startsWith('*.')) treeOf(wildcard, host.slice(1)).add(entry);
      else treeOf(exact, host).add(entry);
    }
  }

  function match(host: string, method: string, path: string, headers: HeaderList): Match<Value> | WrongMethod | undefined {
    // `*`, the asterisk form of OPTIONS, names the server and no resource (RFC 9112 §3.2.4): no path pattern covers it.
    if (!path.startsWith('/')) return undefined;
    const own = exact.get(host)?.match(method, path, headers);
    if (own !== undefined) return own;
    if (wildcard.size > 0) {
      for (let dot = host.indexOf('.', 1); dot > 0; dot = host.indexOf('.', dot + 1)) {
        const found = wildcard.get(host.slice(dot))?.match(method, path, headers);
        if (found !== undefined) return found;
      }
    }
    return any.match(method, path, headers);
  }

  return { match };
}

/** A parameter's value made fit for one segment of a path again; `.` and `..` cannot be. */
export function encodePathParam(value: string): string {
  return encodeURIComponent(value).replace(/^\.{1,2}$/, (dots) => '%2E'.repeat(dots.length));
}

function treeOf<Value>(trees: Map<string, PathTree<Value>>, host: string): PathTree<Value> {
  const known = trees.get(host);
  if (known !== undefined) return known;
  const tree = new PathTree<Value>();
  trees.set(host, tree);
  return tree;
}
