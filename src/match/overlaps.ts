import type { RouteEntry } from './router.ts';

/** Two entries, by their index, that some request matches with equal precedence: nothing but their order would decide. */
export interface Overlap {
  readonly first: number;
  readonly second: number;
}

/** Finds entries of the same host, path shape and header conditions with a method in common; parameter names do not tell paths apart. */
export function findOverlaps(entries: readonly Omit<RouteEntry<unknown>, 'value'>[]): Overlap[] {
  const overlaps: Overlap[] = [];
  const seen = new Map<string, number[]>();
  for (const [index, entry] of entries.entries()) {
    const reported = new Set<number>();
    for (const host of entry.hosts ?? ['']) {
      const key = JSON.stringify([host, shapeOf(entry), conditionsOf(entry)]);
      const earlier = seen.get(key) ?? [];
      for (const first of earlier) {
        if (reported.has(first) || !shareMethod(entries[first]?.methods, entry.methods)) continue;
        reported.add(first);
        overlaps.push({ first, second: index });
      }
      seen.set(key, [...earlier, index]);
    }
  }
  return overlaps;
}

/** A prefix and a pattern that ends in `*` cover the same paths. */
function shapeOf({ path, prefix }: Pick<RouteEntry<unknown>, 'path' | 'prefix'>): string {
  const shape = path.replaceAll(/\{[^/]*\}/g, '{}');
  if (!prefix) return shape;
  return shape === '/' ? '/*' : `${shape}/*`;
}

function conditionsOf({ headers }: Pick<RouteEntry<unknown>, 'headers'>): string[] {
  return headers.map(({ name, value }) => `${name}:${value}`).sort();
}

/** A named method goes before any, so only equals clash. */
function shareMethod(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.some((method) => b.includes(method));
}
