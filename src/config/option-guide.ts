import { suggest } from '../lib/suggest.ts';
import { formatPath, type Path } from './faults.ts';

/** The JSON Schema of the configuration, as far as the guide reads it. */
export interface SchemaNode {
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly allOf?: readonly SchemaNode[];
}

/** Knows which options there are at a place, to say what would be right. */
export interface OptionGuide {
  /** What to do about a key that does not exist at `path`. */
  hintForKey(path: Path, key: string): string | undefined;
  /** What the option at `path` is for, with examples. */
  hintForValue(path: Path): string | undefined;
}

export function optionGuide(root: SchemaNode): OptionGuide {
  return {
    hintForKey(path, key) {
      const nodes = nodesAt(root, path);
      const below = homesBelow(nodes, key);
      if (below !== undefined) return `this key belongs under ${below}`;
      for (let length = path.length - 1; length >= 0; length -= 1) {
        if (!keysOf(nodesAt(root, path.slice(0, length))).includes(key)) continue;
        return length === 0 ? 'this key belongs at the top of the file' : `this key belongs to ${formatPath(path.slice(0, length))}`;
      }
      const known = keysOf(nodes);
      const near = suggest(key, known);
      if (near !== undefined) return `did you mean ${near}?`;
      return known.length === 0 ? 'remove it' : `known here: ${known.join(', ')}`;
    },
    hintForValue(path) {
      const nodes = nodesAt(root, path);
      const description = nodes.find((node) => node.description !== undefined)?.description;
      const examples = nodes.find((node) => node.examples !== undefined)?.examples ?? [];
      const shown = examples.length === 0 ? undefined : `such as ${examples.join(', ')}`;
      const sentences = [description?.replace(/\.$/, ''), shown].filter((part) => part !== undefined);
      return sentences.length === 0 ? undefined : sentences.join('; ');
    },
  };
}

/** Every branch the value at a path may follow. */
function nodesAt(root: SchemaNode, path: Path): readonly SchemaNode[] {
  let nodes = branches(root);
  for (const step of path) nodes = nodes.flatMap((node) => childOf(node, step)).flatMap(branches);
  return nodes;
}

function branches(node: SchemaNode): readonly SchemaNode[] {
  return [node, ...(node.anyOf ?? []).flatMap(branches), ...(node.allOf ?? []).flatMap(branches)];
}

function childOf(node: SchemaNode, step: string | number): readonly SchemaNode[] {
  if (typeof step === 'number') return node.items === undefined ? [] : [node.items];
  const properties = node.properties ?? {};
  const named = Object.hasOwn(properties, step) ? properties[step] : undefined;
  const child = named ?? node.additionalProperties;
  return typeof child === 'object' ? [child] : [];
}

function keysOf(nodes: readonly SchemaNode[]): readonly string[] {
  return [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))];
}

/** The option at most two objects down that has the key, as a dotted path; policies included. */
function homesBelow(nodes: readonly SchemaNode[], key: string): string | undefined {
  for (const depth of [1, 2]) {
    const home = homeAtDepth(nodes, key, depth);
    if (home !== undefined) return home;
  }
  return undefined;
}

function homeAtDepth(nodes: readonly SchemaNode[], key: string, depth: number): string | undefined {
  for (const name of keysOf(nodes)) {
    const children = nodes.flatMap((node) => childOf(node, name)).flatMap(branches);
    if (depth === 1 && keysOf(children).includes(key)) return name;
    const deeper = depth > 1 ? homeAtDepth(children, key, depth - 1) : undefined;
    if (deeper !== undefined) return `${name}.${deeper}`;
  }
  return undefined;
}
