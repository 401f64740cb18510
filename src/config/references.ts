import { resolve } from 'node:path';
import { type ReferencePart, splitReferences } from '../lib/secret-reference.ts';
import { formatPath, type Path, type RawFault } from './faults.ts';
import { type ReadFile, readText, type TextFile } from './read-file.ts';

export interface ReferenceContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: ReadFile;
  /** Where relative paths begin: the directory of the configuration file. */
  readonly directory: string;
}

/** A value that came out of a reference and must not be shown. */
export interface ResolvedSecret {
  readonly path: Path;
  /** The reference as the file has it, which may be shown. */
  readonly written: string;
  readonly value: string;
}

export interface ResolvedReferences {
  readonly faults: readonly RawFault[];
  readonly secrets: readonly ResolvedSecret[];
  /** The values that are one reference and nothing else, by their formatted path: these may stand for numbers and booleans. */
  readonly whole: ReadonlySet<string>;
  /** Absolute paths, also of files that could not be read. */
  readonly files: readonly string[];
}

/** Replaces the references in every string of `root` in place. */
export async function resolveReferences(root: unknown, context: ReferenceContext): Promise<ResolvedReferences> {
  const found: Found[] = [];
  findReferences(root, [], found);
  const files = await readReferenced(found, context);

  const faults: RawFault[] = [];
  const secrets: ResolvedSecret[] = [];
  const whole = new Set<string>();
  for (const { owner, path, parts } of found) {
    let text = '';
    for (const part of parts) {
      if (part.kind === 'text') {
        text += part.text;
        continue;
      }
      const outcome = resolvePart(part, { ...context, files });
      if ('value' in outcome) {
        secrets.push({ path, written: part.written, value: outcome.value });
        text += outcome.value;
      } else faults.push({ path, ...outcome });
    }
    if (parts.length === 1 && parts[0]?.kind !== 'text') whole.add(formatPath(path));
    // The last step is a key that the walk found on this very owner, so no setter of a prototype can be meant.
    owner[path.at(-1) ?? ''] = text;
  }
  return { faults, secrets, whole, files: [...files.keys()] };
}

interface Found {
  readonly owner: Record<string | number, unknown>;
  readonly path: Path;
  readonly parts: readonly ReferencePart[];
}

function findReferences(value: unknown, path: Path, found: Found[]): void {
  if (typeof value !== 'object' || value === null) return;
  const list = Array.isArray(value);
  for (const [key, child] of Object.entries(value)) {
    const childPath = [...path, list ? Number(key) : key];
    if (typeof child !== 'string') {
      findReferences(child, childPath, found);
      continue;
    }
    const parts = splitReferences(child);
    // An object of a file read as data has string and number keys only.
    if (parts !== undefined) found.push({ owner: value as Found['owner'], path: childPath, parts });
  }
}

async function readReferenced(found: readonly Found[], context: ReferenceContext): Promise<Map<string, TextFile>> {
  const files = new Map<string, TextFile>();
  for (const part of found.flatMap((place) => place.parts)) {
    if (part.kind !== 'file') continue;
    const path = resolve(context.directory, part.path);
    if (!files.has(path)) files.set(path, await readText(path, context.readFile));
  }
  return files;
}

function resolvePart(
  part: Exclude<ReferencePart, { kind: 'text' }>,
  context: ReferenceContext & { readonly files: ReadonlyMap<string, TextFile> },
): { readonly value: string } | { readonly message: string; readonly hint: string } {
  switch (part.kind) {
    case 'malformed':
      return { message: `${JSON.stringify(part.written.slice(0, 60))} is not a reference`, hint: part.hint };
    case 'env': {
      const set = Object.hasOwn(context.env, part.name) ? context.env[part.name] : undefined;
      // As in a shell, `:-` also stands in for a variable that is set to nothing.
      const value = part.fallback === undefined ? set : set || part.fallback;
      if (value !== undefined) return { value };
      const hint = `set it, or give a default: \${env:${part.name}:-default}`;
      return { message: `the environment variable ${part.name} is not set`, hint };
    }
    case 'file': {
      const path = resolve(context.directory, part.path);
      const file = context.files.get(path);
      if (file !== undefined && 'text' in file) return { value: file.text.replace(/\r?\n$/, '') };
      const message = `the file ${JSON.stringify(part.path)} cannot be read: ${file?.reason ?? 'unknown error'}`;
      return { message, hint: 'relative paths begin at the directory of the configuration file' };
    }
  }
}
