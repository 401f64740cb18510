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
  const scopes = new Map<string, Scope>();
  const scopeAt = (path: Path): Scope => {
    const text = formatPath(path);
    const scope = scopes.get(text) ?? readScope(root, path);
    scopes.set(text, scope);
    return scope;
  };
  return {
    hintForKey(path, key) {
      if (path.at(-1) === 'policies') return 'define this policy under `policies` of a sallyport.config.ts first';
      const scope = scopeAt(path);
      const below = scope.below.get(key);
      if (below !== undefined) return `this key belongs under ${below}`;
      for (let length = path.length - 1; length >= 0; length -= 1) {
        if (!scopeAt(path.slice(0, length)).keys.includes(key)) continue;
        return length === 0
          ? 'this key belongs at the top of the file'
          : `this key belongs to ${formatPath(path.slice(0, length))}`;
      }
      const near = suggest(key, scope.keys);
      if (near !== undefined) return `did you mean ${near}?`;
      const nearBelow = suggest(key, scope.below.keys());
      if (nearBelow !== undefined) return `did you mean ${scope.below.get(nearBelow)}.${nearBelow}?`;
      return scope.keys.length === 0 ? 'remove it' : `known here: ${scope.keys.join(', ')}`;
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

/** The keys an object takes. */
interface Scope {
  readonly keys: readonly string[];
  /** The keys of the objects in it, one and two levels down, each with the option that has it. */
  readonly below: ReadonlyMap<string, string>;
}

function readScope(root: SchemaNode, path: Path): Scope {
  const nodes = nodesAt(root, path);
  const below = new Map<string, string>();
  let level = [{ option: '', nodes }];
  for (let depth = 0; depth < 2; depth += 1) {
    level = level.flatMap((home) =>
      keysOf(home.nodes).map((key) => ({
        option: home.option === '' ? key : `${home.option}.${key}`,
        nodes: home.nodes.flatMap((node) => childOf(node, key)).flatMap(branches),
      })),
    );
    for (const home of level) {
      for (const key of keysOf(home.nodes)) if (!below.has(key)) below.set(key, home.option);
    }
  }
  return { keys: keysOf(nodes), below };
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
