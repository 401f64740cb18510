import type { z } from 'zod';
import { suggest } from '../lib/suggest.ts';
import { apiSchema, type KnownPolicies, type ParsedApi } from './api-schema.ts';
import { formatPath, type Path, type RawFault } from './faults.ts';
import { jsonSchemaOf } from './json-schema.ts';
import { type ListenerConfig, listenerSchema } from './listener-schema.ts';
import { optionGuide, type SchemaNode } from './option-guide.ts';
import { gatewaySchema, type ParsedConfig } from './schema.ts';
import { type UpstreamConfig, upstreamSchema } from './upstream-schema.ts';
import { faultsOfIssues } from './zod-faults.ts';

/** One named thing of the file. Its value is undefined where it did not parse; its name may be known all the same. */
export interface Part<Value> {
  readonly path: Path;
  readonly name: string | undefined;
  readonly value: Value | undefined;
}

/** An API may lack the routes that did not parse; `routeIndexes` tells where in the file each of the others stands. */
export interface ApiPart extends Part<ParsedApi> {
  readonly routeIndexes: readonly number[];
  /** Whether its hosts and path are those of the file, so that it can be compared with other APIs. */
  readonly placed: boolean;
}

/** All of a file that can be looked at further, although other parts of it have faults. */
export interface ConfigParts {
  readonly listeners: readonly Part<ListenerConfig>[];
  readonly upstreams: readonly Part<UpstreamConfig>[];
  readonly apis: readonly ApiPart[];
}

export interface ParseOutcome {
  readonly config: ParsedConfig | undefined;
  readonly parts: ConfigParts;
  readonly faults: readonly RawFault[];
}

export interface ParseContext {
  readonly known: KnownPolicies;
  /** Paths of values that are one whole reference (see references.ts). */
  readonly wholeReferences: ReadonlySet<string>;
  /** Where earlier steps found faults already: nothing more is said of these places. */
  readonly faulty: readonly Path[];
}

/** Holds plain data against the schema. References that stand for a number or a boolean are replaced by it in place. */
export function parseConfig(value: unknown, context: ParseContext): ParseOutcome {
  const schema = gatewaySchema(context.known);
  let result = schema.safeParse(value, { reportInput: true });
  if (!result.success && readTypedReferences(value, result.error.issues, context.wholeReferences)) {
    result = schema.safeParse(value, { reportInput: true });
  }
  if (result.success && context.faulty.length === 0) {
    return { config: result.data, parts: wholeParts(result.data), faults: [] };
  }
  const issues = result.success ? [] : result.error.issues;
  const guide = optionGuide(jsonSchemaOf(context.known) as SchemaNode); // a JSON Schema has the shape the guide reads
  const silenced = new Set(context.faulty.map(formatPath));
  const faults = faultsOfIssues(issues, value, guide).filter((fault) => !isWithin(fault.path, silenced));
  return {
    config: undefined,
    parts: salvage(value, [...faults.map((fault) => fault.path), ...context.faulty], context),
    faults,
  };
}

function wholeParts(config: ParsedConfig): ConfigParts {
  return {
    listeners: config.listeners.map((value, at) => ({ path: ['listeners', at], name: value.name, value })),
    upstreams: Object.entries(config.upstreams).map(([name, value]) => ({ path: ['upstreams', name], name, value })),
    apis: config.apis.map((value, at) => ({
      path: ['apis', at],
      name: value.name,
      value,
      routeIndexes: value.routes.map((_, index) => index),
      placed: true,
    })),
  };
}

/** Parses again, one by one, the parts of the file that can be understood without their faults. */
function salvage(value: unknown, faulty: readonly Path[], context: ParseContext): ConfigParts {
  const byPart = new Map<string, Path[]>();
  for (const path of faulty) {
    const part = formatPath(path.slice(0, 2));
    const paths = byPart.get(part);
    if (paths === undefined) byPart.set(part, [path]);
    else paths.push(path);
  }
  const root = isObject(value) ? value : {};
  const faultsIn = (path: Path) => byPart.get(formatPath(path)) ?? byPart.get(formatPath(path.slice(0, 1))) ?? [];
  const api = apiSchema(context.known);
  return {
    listeners: listOf(root['listeners']).map((raw, at) => {
      const path = ['listeners', at];
      const rest = withoutFaults(raw, faultsIn(path), LISTENER_ESSENTIALS);
      return { path, name: nameOf(raw), value: listenerSchema.safeParse(rest?.value).data };
    }),
    upstreams: Object.entries(isObject(root['upstreams']) ? root['upstreams'] : {}).map(([name, raw]) => {
      const path = ['upstreams', name];
      return { path, name, value: faultsIn(path).length === 0 ? upstreamSchema.safeParse(raw).data : undefined };
    }),
    apis: listOf(root['apis']).map((raw, at) => {
      const path = ['apis', at];
      const rest = withoutFaults(raw, faultsIn(path), API_ESSENTIALS);
      return {
        path,
        name: nameOf(raw),
        value: api.safeParse(rest?.value).data,
        routeIndexes: rest?.routeIndexes ?? [],
        placed: rest?.placed === true,
      };
    }),
  };
}

interface Remainder {
  readonly value: Readonly<Record<string, unknown>>;
  readonly routeIndexes: readonly number[];
  /** Whether nothing that says where an API is published had to be left out. */
  readonly placed: boolean;
}

/**
 * A part of the file without its faulty options and routes. Undefined where a fault touches an essential option, or a
 * misspelt one that may have been meant for it: to go on with its default would make up faults that are none.
 */
function withoutFaults(raw: unknown, faulty: readonly Path[], essentials: readonly string[]): Remainder | undefined {
  if (!isObject(raw)) return undefined;
  const badRoutes = new Set<number>();
  const badOptions = new Set<string>();
  for (const [, , option, index] of faulty) {
    if (option === 'routes' && typeof index === 'number') badRoutes.add(index);
    else if (typeof option !== 'string' || suggest(option, essentials) !== undefined) return undefined;
    else badOptions.add(option);
  }
  const value = Object.fromEntries(Object.entries(raw).filter(([option]) => !badOptions.has(option)));
  const routes = listOf(value['routes']);
  const routeIndexes = [...routes.keys()].filter((index) => !badRoutes.has(index));
  if (badRoutes.size > 0) value['routes'] = routeIndexes.map((index) => routes[index]);
  return { value, routeIndexes, placed: [...badOptions].every((option) => suggest(option, PLACE) === undefined) };
}

/** A reference always gives text. Where the schema asks for a number or a boolean, the text is read as one, and true is answered. */
function readTypedReferences(root: unknown, issues: readonly z.core.$ZodIssue[], whole: ReadonlySet<string>): boolean {
  let changed = false;
  for (const issue of issues) {
    const inner =
      issue.code === 'invalid_union' ? issue.errors.flat().filter((nested) => nested.path.length === 0) : [issue];
    for (const { code, ...rest } of inner) {
      if (code !== 'invalid_type' || !('expected' in rest) || typeof issue.input !== 'string') continue;
      const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
      const value = typedValue(issue.input, rest.expected);
      if (value === undefined || !whole.has(formatPath(path))) continue;
      const owner = path
        .slice(0, -1)
        .reduce<unknown>(
          (node, step) => (isObject(node) || Array.isArray(node) ? Reflect.get(node, step) : undefined),
          root,
        );
      if (typeof owner === 'object' && owner !== null)
        changed = Reflect.set(owner, path.at(-1) ?? '', value) || changed;
    }
  }
  return changed;
}

function typedValue(text: string, expected: string): number | boolean | undefined {
  if (expected === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  if (expected !== 'number' && expected !== 'int') return undefined;
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Whether one of the places is this one or around it. */
function isWithin(path: Path, places: ReadonlySet<string>): boolean {
  if (places.size === 0) return false;
  for (let length = path.length; length >= 0; length -= 1) {
    if (places.has(formatPath(path.slice(0, length)))) return true;
  }
  return false;
}

function nameOf(raw: unknown): string | undefined {
  return isObject(raw) && typeof raw['name'] === 'string' ? raw['name'] : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What decides whom and where a part serves. */
const LISTENER_ESSENTIALS = ['name', 'exposure', 'address', 'tls', 'redirectHttpFrom'];
const API_ESSENTIALS = ['name', 'exposure', 'listeners', 'upstream', 'authenticate'];
const PLACE = ['hosts', 'path', 'routes'];
