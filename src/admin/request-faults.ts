import type { z } from 'zod';
import { suggest } from '../lib/suggest.ts';
import type { RequestFault } from './admin-problems.ts';

/**
 * What the issues of a parse mean to the sender, each with its place. The values sent are never repeated: one of them may be
 * a password in the wrong field.
 */
export function requestFaults(issues: readonly z.core.$ZodIssue[], part: 'query' | 'body'): RequestFault[] {
  return issues.flatMap((issue) => faultsOf(issue, [], part));
}

/** A JSON pointer as a URI fragment, RFC 6901 §6. */
export function pointerTo(path: readonly PropertyKey[]): string {
  return `#${path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`;
}

/** The same for a path such as `scopes[0]` or `jwks.keys[1]`. */
export function pointerOf(path: string): string {
  return pointerTo(path.split(/[.[\]]+/).filter((step) => step !== ''));
}

function faultsOf(issue: z.core.$ZodIssue, above: readonly PropertyKey[], part: 'query' | 'body'): RequestFault[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      ...placeOf([...path, key], part),
      message: part === 'query' ? 'there is no such parameter here' : 'there is no such field here',
      hint: 'leave it out',
    }));
  }
  if (issue.code === 'invalid_key' || issue.code === 'invalid_element')
    return issue.issues.flatMap((inner) => faultsOf(inner, path, part));
  if (issue.code === 'invalid_union' && issue.input !== undefined) {
    // The branch that got furthest is the one that was meant.
    const meant = issue.errors.toSorted((a, b) => Math.max(...b.map(depth), 0) - Math.max(...a.map(depth), 0))[0];
    if (meant !== undefined) return meant.flatMap((inner) => faultsOf(inner, path, part));
  }
  return [{ ...placeOf(path, part), ...sentenceOf(issue) }];
}

function depth(issue: z.core.$ZodIssue): number {
  return issue.path.length;
}

function placeOf(path: readonly PropertyKey[], part: 'query' | 'body'): Pick<RequestFault, 'pointer' | 'parameter'> {
  return part === 'query' ? { parameter: String(path[0] ?? '') } : { pointer: pointerTo(path) };
}

function sentenceOf(issue: z.core.$ZodIssue): { readonly message: string; readonly hint?: string } {
  if (issue.input === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_value'))
    return { message: 'is missing' };
  switch (issue.code) {
    case 'invalid_type':
      return { message: `must be ${TYPES.get(issue.expected) ?? issue.expected}` };
    case 'invalid_value': {
      const values = issue.values.map(String);
      const near = typeof issue.input === 'string' ? suggest(issue.input, values) : undefined;
      return { message: `is none of ${values.join(', ')}`, hint: `write ${near ?? values.join(' or ')}` };
    }
    case 'too_small':
      return { message: 'is too small', hint: `at least ${issue.minimum}${unitOf(issue.origin)}` };
    case 'too_big':
      return { message: 'is too large', hint: `at most ${issue.maximum}${unitOf(issue.origin)}` };
    case 'custom': {
      const hint = issue.params?.['hint'];
      return { message: issue.message, ...(typeof hint === 'string' ? { hint } : {}) };
    }
    default:
      return { message: issue.message };
  }
}

function unitOf(origin: string): string {
  return origin === 'array' ? ' entries' : origin === 'string' ? ' characters' : '';
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['string', 'a string'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['object', 'an object'],
  ['record', 'an object'],
  ['array', 'a list'],
]);
