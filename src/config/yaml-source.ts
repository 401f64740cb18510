import {
  isAlias,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import type { Path, RawFault } from './faults.ts';
import { DEEPEST, isPrototypeKey, type Position, type Source } from './source.ts';
import { syntaxFaults } from './yaml-syntax.ts';

/** Reads YAML 1.2, one document, without tags or merge keys; aliases may expand to a bounded number of values. */
export function readYaml(text: string): Source {
  const lines = new LineCounter();
  const places: Place = { key: undefined, value: 0, collection: true, children: new Map() };
  const faults: RawFault[] = [];
  const value = readDocument(text, { lines, places, faults });
  return {
    value,
    faults,
    customPolicies: [],
    locate: (path, atKey) => positionAt(lines, findPlace(places, path, atKey)),
    locateOffset: (offset) => positionAt(lines, offset),
    lineText: (line) => lineAt(text, lines, line),
  };
}

/** Where one value of the document stands; offsets into the text. */
interface Place {
  key: number | undefined;
  value: number;
  collection: boolean;
  readonly children: Map<string | number, Place>;
}

interface Reading {
  readonly lines: LineCounter;
  readonly places: Place;
  readonly faults: RawFault[];
}

interface Walk {
  readonly faults: RawFault[];
  readonly anchors: Map<string, { readonly node: ParsedNode; complete: boolean }>;
  /** Values that may still come out of aliases; below zero no alias is followed any more. */
  aliasBudget: number;
  /** How many aliases the walk is inside of. */
  inAlias: number;
}

function readDocument(text: string, reading: Reading): unknown {
  try {
    const document = parseDocument(text, {
      lineCounter: reading.lines,
      prettyErrors: false,
      // The library compares every key with every other; the walk below does it in linear time.
      uniqueKeys: false,
      schema: 'core',
      resolveKnownTags: false,
      merge: false,
      // 'silent' would also silence the fault of a second document.
      logLevel: 'error',
    });
    reading.faults.push(...syntaxFaults(document, text));
    if (reading.faults.length > 0) return undefined;
    if (document.contents === null) {
      reading.faults.push({ path: [], message: 'the file is empty', hint: 'begin with `listeners:` and `apis:`' });
      return undefined;
    }
    const walk: Walk = { faults: reading.faults, anchors: new Map(), aliasBudget: ALIAS_BUDGET, inAlias: 0 };
    return readNode(document.contents, [], reading.places, walk);
  } catch (error) {
    // The parser recurses with the nesting of the text.
    if (!(error instanceof RangeError)) throw error;
    reading.faults.push(TOO_DEEP([]));
    return undefined;
  }
}

function readNode(node: ParsedNode, path: Path, place: Place, walk: Walk): unknown {
  place.value = node.range[0];
  place.collection = isCollection(node);
  if (path.length > DEEPEST) {
    walk.faults.push({ ...TOO_DEEP(path), offset: node.range[0] });
    return undefined;
  }
  if (walk.inAlias > 0 && --walk.aliasBudget < 0) return undefined;
  if (isAlias(node)) return readAlias(node.source, node.range[0], path, place, walk);

  const name = anchorOf(node);
  // A node read again through an alias has been registered when it was read first.
  if (name === undefined || walk.inAlias > 0) return readContents(node, path, place, walk);
  if (walk.anchors.has(name)) {
    walk.faults.push({
      path,
      message: `the anchor &${name} is defined a second time`,
      hint: 'give it another name',
      offset: node.range[0],
    });
    return undefined;
  }
  const anchor = { node, complete: false };
  walk.anchors.set(name, anchor);
  const value = readContents(node, path, place, walk);
  anchor.complete = true;
  return value;
}

function readContents(node: ParsedNode, path: Path, place: Place, walk: Walk): unknown {
  if (isMap(node)) return readMap(node, path, place, walk);
  if (isScalar(node)) return node.value;
  if (isCollection(node)) {
    return node.items.map((item, index) =>
      readNode(item as ParsedNode, [...path, index], childPlace(place, index, undefined), walk),
    ); // items of a parsed sequence are parsed nodes
  }
  return undefined;
}

function readMap(map: YAMLMap.Parsed, path: Path, place: Place, walk: Walk): unknown {
  const value: Record<string, unknown> = {};
  for (const { key: keyNode, value: valueNode } of map.items) {
    const key = keyText(keyNode);
    const offset = keyNode?.range[0] ?? map.range[0];
    const refusal = key === undefined ? NOT_A_KEY : refuseKey(key, value);
    if (key === undefined || refusal !== undefined) {
      const at = key === undefined ? path : [...path, key];
      walk.faults.push({ path: at, offset, atKey: true, ...(refusal ?? NOT_A_KEY) });
      continue;
    }
    const child = childPlace(place, key, offset);
    value[key] = valueNode === null ? null : readNode(valueNode, [...path, key], child, walk);
  }
  return value;
}

function refuseKey(key: string, earlier: object): { readonly message: string; readonly hint: string } | undefined {
  if (isPrototypeKey(key)) return { message: `${JSON.stringify(key)} cannot be a key`, hint: 'choose another name' };
  if (key === '<<')
    return { message: 'merge keys are not supported', hint: 'repeat the options, or use an alias for a whole value' };
  if (!Object.hasOwn(earlier, key)) return undefined;
  return { message: `the key ${JSON.stringify(key)} stands here a second time`, hint: 'keep one of them' };
}

function readAlias(name: string, offset: number, path: Path, place: Place, walk: Walk): unknown {
  const anchor = walk.anchors.get(name);
  const refuse = (message: string, hint: string): undefined => {
    walk.faults.push({ path, message, hint, offset });
  };
  if (anchor === undefined)
    return refuse(`no anchor &${name} stands before this alias`, 'define it before its first use');
  if (!anchor.complete) return refuse(`the alias *${name} stands inside its own anchor`, 'write the value out');
  const wasExhausted = walk.aliasBudget < 0;
  walk.inAlias += 1;
  const value = readNode(anchor.node, path, place, walk);
  walk.inAlias -= 1;
  if (walk.aliasBudget < 0 && walk.inAlias === 0) {
    if (wasExhausted) return undefined;
    return refuse(`the aliases of the file expand to more than ${ALIAS_BUDGET} values`, 'write the values out');
  }
  return value;
}

/** Keys are strings, also where YAML would read a number or `true`. */
function keyText(node: ParsedNode | null): string | undefined {
  if (!isScalar(node)) return undefined;
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}

function anchorOf(node: Node): string | undefined {
  return 'anchor' in node ? node.anchor : undefined;
}

function childPlace(parent: Place, step: string | number, key: number | undefined): Place {
  const child: Place = { key, value: key ?? parent.value, collection: false, children: new Map() };
  parent.children.set(step, child);
  return child;
}

function findPlace(root: Place, path: Path, atKey: boolean): number {
  let place = root;
  for (const step of path) {
    const child = place.children.get(step);
    // A missing option is reported where its owner begins.
    if (child === undefined) return place.key ?? place.value;
    place = child;
  }
  return (atKey || place.collection ? place.key : undefined) ?? place.value;
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function lineAt(text: string, lines: LineCounter, line: number): string | undefined {
  const start = lines.lineStarts[line - 1];
  if (start === undefined) return undefined;
  const end = text.indexOf('\n', start);
  return text.slice(start, end < 0 ? undefined : end).replace(/\r$/, '');
}

/** What a handful of shared snippets needs, and far below what a nest of aliases of aliases ("billion laughs") makes. */
const ALIAS_BUDGET = 10_000;

const NOT_A_KEY = { message: 'a key must be a plain word', hint: 'write key: value' };

const TOO_DEEP = (path: Path): RawFault => ({
  path: path.slice(0, 4),
  message: `the file nests more than ${DEEPEST} levels deep`,
  hint: 'no option is that deep: look for brackets or indentation gone wrong',
});
