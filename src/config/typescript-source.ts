import { pathToFileURL } from 'node:url';
import type { PolicyDefinition } from '../policies/policy.ts';
import { readCustomPolicies } from './custom-policies.ts';
import type { Path, RawFault } from './faults.ts';
import { DEEPEST, isPrototypeKey, type Source } from './source.ts';

/**
 * Runs a `sallyport.config.ts` (or .mts, .js, .mjs) and copies its default export as plain data; the policies it
 * defines are kept apart. Each call runs the file anew. Modules that it imports stay as they were first loaded.
 */
export async function readTypescript(path: string): Promise<Source> {
  const faults: RawFault[] = [];
  const read = await runFile(path, faults);
  return { ...read, faults, locate: noPlace, locateOffset: noPlace, lineText: noPlace };
}

async function runFile(
  path: string,
  faults: RawFault[],
): Promise<{ value: unknown; customPolicies: readonly PolicyDefinition[] }> {
  const nothing = { value: undefined, customPolicies: [] };
  generation += 1;
  const url = pathToFileURL(path);
  url.searchParams.set('generation', String(generation));
  let module: unknown;
  try {
    module = await import(url.href);
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : String(error);
    faults.push({ path: [], message: `the file does not run: ${reason}`, hint: 'node can run it alone to show where' });
    return nothing;
  }
  const exported: unknown = Reflect.get(Object(module), 'default');
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported)) {
    faults.push({
      path: [],
      message: 'the file has no default export that is a configuration',
      hint: 'write export default defineConfig({ … })',
    });
    return nothing;
  }
  const { policies, ...rest } = exported as Record<string, unknown>; // an object that is no list has string keys
  return {
    value: copyData(rest, [], { faults, around: new Set() }),
    customPolicies: policies === undefined ? [] : readCustomPolicies(policies, faults),
  };
}

interface Copying {
  readonly faults: RawFault[];
  /** The objects around the one being copied, to notice one that contains itself. */
  readonly around: Set<object>;
}

/** Copies what a YAML file could say too: anything else would not survive the way to the worker threads. */
function copyData(value: unknown, path: Path, copying: Copying): unknown {
  if (value === null || ['string', 'number', 'boolean', 'undefined'].includes(typeof value)) return value;
  const refusal = typeof value === 'object' ? refuseObject(value, path, copying) : `a ${typeof value}`;
  if (refusal !== undefined) {
    copying.faults.push({
      path,
      message: `is ${refusal}`,
      subject: [],
      hint: 'write plain data: functions belong into `policies: [definePolicy(…)]`',
    });
    return undefined;
  }
  const object = Object(value);
  copying.around.add(object);
  const copy = Array.isArray(object)
    ? object.map((item, index) => copyData(item, [...path, index], copying))
    : copyObject(object, path, copying);
  copying.around.delete(object);
  return copy;
}

function copyObject(object: Record<string, unknown>, path: Path, copying: Copying): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(object)) {
    if (isPrototypeKey(key)) {
      copying.faults.push({
        path: [...path, key],
        message: `${JSON.stringify(key)} cannot be a key`,
        hint: 'choose another name',
      });
    } else if (item !== undefined) copy[key] = copyData(item, [...path, key], copying);
  }
  return copy;
}

function refuseObject(object: object, path: Path, copying: Copying): string | undefined {
  if (copying.around.has(object)) return 'an object that contains itself';
  if (path.length > DEEPEST) return `nested more than ${DEEPEST} levels deep`;
  if (Array.isArray(object)) return undefined;
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype === null || prototype === Object.prototype) return undefined;
  return `a ${object.constructor?.name ?? 'special object'}`;
}

function noPlace(): undefined {
  return undefined;
}

/** Node keeps every module it has loaded by its URL; a new one makes it load the file again. */
let generation = 0;
