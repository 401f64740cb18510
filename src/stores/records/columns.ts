import type { Json, JsonObject } from '../../lib/json.ts';

/** Undefined has no place in a row. */
export function orNull<Value>(value: Value | undefined): Value | null {
  return value ?? null;
}

export function orUndefined<Value>(value: Value | null): Value | undefined {
  return value ?? undefined;
}

export function bitOf(value: boolean): number {
  return value ? 1 : 0;
}

export function textOfList(list: readonly string[]): string {
  return JSON.stringify(list);
}

/** A list as `textOfList` wrote it. */
export function listOf(text: string): readonly string[] {
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw new Error('A column holds no list.');
  return value;
}

export function objectOf(text: string): JsonObject {
  return objectIn(JSON.parse(text)); // JSON.parse makes nothing but Json
}

export function objectIn(value: Json | undefined): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('A column holds no object.');
  return value as JsonObject; // the arrays are gone; TypeScript does not tell readonly arrays apart
}

export function textIn(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/**
 * Whether a database can hold this text at all: PostgreSQL takes no NUL, and neither takes half a surrogate pair. What it
 * cannot hold it does not hold either, so a look-up for it is answered without asking.
 */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}
