import { z } from 'zod';

/** Bytes of a size such as `512B`, `16KiB`, `10MB`, `1GiB` or, without a unit, `1024`; undefined where the text is none. */
export function parseByteSize(text: string): number | undefined {
  const parts = PATTERN.exec(text);
  if (parts === null) return undefined;
  const unit = UNITS.get(parts[2] ?? 'B');
  if (unit === undefined) return undefined;
  const bytes = Number(parts[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Writes bytes with the largest binary unit that divides them: `16KiB`, `1000B`. */
export function formatByteSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    const factor = UNITS.get(unit) ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}B`;
}

/** A configuration option that holds a size, with a unit or as a plain number of bytes; it parses to bytes. The bounds are bytes, both included. */
export function byteSizeOption(bounds: { readonly min?: number; readonly max?: number } = {}) {
  const min = bounds.min ?? 0;
  const max = bounds.max ?? Number.MAX_SAFE_INTEGER;
  const text = z.string().meta({ pattern: PATTERN.source, examples: ['512B', '16KiB', '10MiB'] });
  return z.union([z.number(), text]).transform((size, context) => {
    const bytes = typeof size === 'number' ? whole(size) : parseByteSize(size);
    if (bytes !== undefined && bytes >= min && bytes <= max) return bytes;
    const message = bytes === undefined ? 'is not a size' : 'is out of bounds';
    const hint =
      bytes === undefined
        ? 'write a whole number and a unit of B, KiB, MiB, GiB, KB, MB or GB, such as 16KiB, or a plain number of bytes'
        : `write a size from ${formatByteSize(min)} to ${formatByteSize(max)}`;
    context.issues.push({ code: 'custom', message, input: size, params: { hint } });
    return z.NEVER;
  });
}

function whole(size: number): number | undefined {
  return Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}

const PATTERN = /^(\d{1,15})(B|KiB|MiB|GiB|KB|MB|GB)?$/;

const UNITS: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['KB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
]);
