import { dirname, extname, resolve } from 'node:path';
import type { PolicyDefinition } from '../policies/policy.ts';
import { policies } from '../policies/registry.ts';
import { checkFiles } from './check-files.ts';
import { identityFaults } from './check-identity.ts';
import { ownRouteFaults } from './check-own-routes.ts';
import { planFaults } from './check-plan.ts';
import { type Fault, formatPath, type RawFault } from './faults.ts';
import { parseConfig } from './parse.ts';
import { placeFaults } from './place-faults.ts';
import { type ReadFile, readRegularFile, readText } from './read-file.ts';
import { resolveReferences } from './references.ts';
import { resolveConfig } from './resolve-config.ts';
import type { GatewayConfig } from './schema.ts';
import { findLiteralSecrets } from './secret-places.ts';
import { checkSemantics } from './semantic.ts';
import type { Source } from './source.ts';
import { readTypescript } from './typescript-source.ts';
import { readYaml } from './yaml-source.ts';

export interface LoadOptions {
  /** Where `${env:NAME}` looks. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether the gateway runs with --dev. */
  readonly dev: boolean;
  /** Reads the YAML file and every file it names; by default from disk, regular files of at most 4 MiB. */
  readonly readFile?: ReadFile;
}

export type LoadResult = Loaded | NotLoaded;

export interface Loaded {
  readonly ok: true;
  readonly config: GatewayConfig;
  readonly warnings: readonly Fault[];
  /** Absolute paths of all files that were read, the configuration file first: a change to any may change the result. */
  readonly files: readonly string[];
  /** The text of each certificate and key file, by absolute path. */
  readonly contents: ReadonlyMap<string, string>;
  readonly customPolicies: readonly PolicyDefinition[];
  /** Formatted paths of the values that came from references; no output may print these. */
  readonly secretPaths: ReadonlySet<string>;
  /** Formatted paths of secrets that are written into the file itself. */
  readonly literalSecrets: readonly string[];
}

export interface NotLoaded {
  readonly ok: false;
  /** Every fault of the file, in the order of the text. */
  readonly faults: readonly Fault[];
  /** As in `Loaded`: what to watch for the file to become right. */
  readonly files: readonly string[];
}

/** Reads a `.yaml`, `.yml`, `.json`, `.ts`, `.mts`, `.js` or `.mjs` configuration file. It has no effect but to read files (a TypeScript file is run). */
export async function loadConfig(path: string, options: LoadOptions): Promise<LoadResult> {
  const file = resolve(path);
  const readFile = options.readFile ?? readRegularFile;
  const source = await readSource(file, readFile);
  if (source.value === undefined) return { ok: false, faults: placeFaults(source.faults, source, []), files: [file] };

  const reading = { readFile, directory: dirname(file) };
  const references = await resolveReferences(source.value, { ...reading, env: options.env });
  const earlier: readonly RawFault[] = [...source.faults, ...references.faults];
  const parsed = parseConfig(source.value, {
    known: { builtIn: policies, custom: source.customPolicies },
    wholeReferences: references.whole,
    // Of a key given twice the first value stands, and is looked at like any other.
    faulty: earlier.filter((fault) => fault.atKey !== true).map((fault) => fault.path),
  });
  const semantic = checkSemantics(parsed.parts, options);
  const named = await checkFiles(parsed.parts, reading);

  const faults = [...earlier, ...parsed.faults, ...semantic.faults, ...named.faults];
  const files = [...new Set([file, ...references.files, ...named.contents.keys()])];
  const place = (raw: readonly RawFault[]) => placeFaults(raw, source, references.secrets);
  if (faults.length > 0 || parsed.config === undefined) return { ok: false, faults: place(faults), files };
  const config = deepFreeze(resolveConfig(parsed.config, reading.directory));
  const impossible = [...identityFaults(config), ...ownRouteFaults(config)];
  if (impossible.length > 0) return { ok: false, faults: place(impossible), files };
  const unplanned = planFaults(config, source.customPolicies);
  if (unplanned.length > 0) return { ok: false, faults: place(unplanned), files };
  const secretPaths = new Set(references.secrets.map((secret) => formatPath(secret.path)));
  return {
    ok: true,
    config,
    warnings: place(semantic.warnings),
    files,
    contents: new Map([...named.contents].flatMap(([name, text]) => (text === undefined ? [] : [[name, text]]))),
    customPolicies: source.customPolicies,
    secretPaths,
    literalSecrets: findLiteralSecrets(source.value, secretPaths),
  };
}

async function readSource(file: string, readFile: ReadFile): Promise<Source> {
  const kind = extname(file);
  if (TYPESCRIPT.has(kind)) return readTypescript(file);
  if (!YAML.has(kind))
    return unreadable(
      `${JSON.stringify(kind)} is not a kind of configuration file`,
      'use sallyport.yaml or sallyport.config.ts',
    );
  const read = await readText(file, readFile);
  if ('text' in read) return readYaml(read.text);
  return unreadable(`the configuration file cannot be read: ${read.reason}`, 'name another with --config');
}

function unreadable(message: string, hint: string): Source {
  const nowhere = () => undefined;
  return {
    value: undefined,
    faults: [{ path: [], message, hint }],
    customPolicies: [],
    locate: nowhere,
    locateOffset: nowhere,
    lineText: nowhere,
  };
}

/** The configuration is shared by everything that runs; only a reload makes another. */
function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const child of Object.values(value)) deepFreeze(child);
  // What a custom policy's schema makes may be an object of any class, whose methods expect to change it.
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null ? Object.freeze(value) : value;
}

/** JSON is YAML. */
const YAML: ReadonlySet<string> = new Set(['.yaml', '.yml', '.json']);
const TYPESCRIPT: ReadonlySet<string> = new Set(['.ts', '.mts', '.js', '.mjs']);
