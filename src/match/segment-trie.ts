import type { PathPattern } from './path-pattern.ts';
import { RouteChoice, type Search } from './route-choice.ts';

/**
 * One segment border of all patterns of a host. There is only one way from the root to a node, so a look-up enters each at
 * most once: backtracking costs no more than the nodes there are, whatever the path.
 */
export interface TrieNode<Entry> {
  /** A Map and no object: segments may be called `__proto__`. */
  literals: Map<string, TrieNode<Entry>> | undefined;
  param: TrieNode<Entry> | undefined;
  /** What is published where a path ends here, and where a prefix does. */
  exact: RouteChoice<Entry> | undefined;
  prefix: RouteChoice<Entry> | undefined;
}

export function emptyNode<Entry>(): TrieNode<Entry> {
  return { literals: undefined, param: undefined, exact: undefined, prefix: undefined };
}

/** The routes of a pattern, to add to. */
export function plantPattern<Entry>(root: TrieNode<Entry>, pattern: PathPattern): RouteChoice<Entry> {
  let node = root;
  for (const segment of pattern.segments) node = childOf(node, segment);
  const choice = node[pattern.end] ?? new RouteChoice<Entry>();
  node[pattern.end] = choice;
  return choice;
}

/**
 * The most specific entry for what is searched: at each segment a literal before a parameter before a prefix, the
 * first segment weighing most. A branch that dead-ends, or whose routes do not take the request, falls back to the next.
 * `at` is the slash where the next segment begins, or the path's end. A parameter never matches an empty segment.
 */
export function walk<Entry>(node: TrieNode<Entry>, path: string, at: number, search: Search): Entry | undefined {
  let found: Entry | undefined;
  if (at === path.length) {
    if (node.exact !== undefined) found = node.exact.choose(search);
  } else {
    const slash = path.indexOf('/', at + 1);
    const end = slash < 0 ? path.length : slash;
    const literal = node.literals?.get(path.slice(at + 1, end));
    if (literal !== undefined) found = walk(literal, path, end, search);
    if (found === undefined && node.param !== undefined && end > at + 1) found = walk(node.param, path, end, search);
  }
  return found === undefined && node.prefix !== undefined ? node.prefix.choose(search) : found;
}

function childOf<Entry>(node: TrieNode<Entry>, segment: string | undefined): TrieNode<Entry> {
  if (segment === undefined) {
    node.param ??= emptyNode();
    return node.param;
  }
  node.literals ??= new Map();
  let child = node.literals.get(segment);
  if (child === undefined) {
    child = emptyNode();
    node.literals.set(segment, child);
  }
  return child;
}
