import type { PolicyDefinition } from '../policies/policy.ts';
import type { Path, RawFault } from './faults.ts';

export interface Position {
  /** Counted from 1, as are columns. */
  readonly line: number;
  readonly column: number;
}

/** A configuration file as read, before its references are resolved and the schema looks at it. */
export interface Source {
  /** Plain data; undefined where the file cannot be read as such. */
  readonly value: unknown;
  readonly faults: readonly RawFault[];
  /** What a TypeScript file defines under `policies`. */
  readonly customPolicies: readonly PolicyDefinition[];
  /** The place of a value, or of the nearest one around it; undefined where the file has no lines. */
  locate(path: Path, atKey: boolean): Position | undefined;
  locateOffset(offset: number): Position | undefined;
  lineText(line: number): string | undefined;
}

/** A key that would reach into the prototype of an object (prototype pollution) where code is careless with it. */
export function isPrototypeKey(key: string): boolean {
  return key === '__proto__' || key === 'constructor' || key === 'prototype';
}

/** Deeper than any sensible file, and far from where recursion would end the process. */
export const DEEPEST = 64;
