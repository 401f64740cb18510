import { z } from 'zod';

/** 24 days. Node's timers take no delay above 2^31 - 1 ms, a little more than that: a longer one would fire at once. */
export const LONGEST_DURATION = 2_073_600_000;

/** For times that are compared with a clock, and given to no timer. */
export const YEAR = 366 * 86_400_000;

/** Milliseconds of a duration such as `250ms`, `30s`, `5m`, `1h` or `1d`; undefined where the text is none. */
export function parseDuration(text: string): number | undefined {
  const parts = PATTERN.exec(text);
  if (parts === null) return undefined;
  const unit = UNITS.get(parts[2] ?? '');
  if (unit === undefined) return undefined;
  const milliseconds = Number(parts[1]) * unit;
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

/** Writes milliseconds with the largest unit that divides them: `90s`, `2m`. */
export function formatDuration(milliseconds: number): string {
  for (const [unit, factor] of [...UNITS].reverse()) {
    if (milliseconds >= factor && milliseconds % factor === 0) return `${milliseconds / factor}${unit}`;
  }
  return `${milliseconds}ms`;
}

/** A configuration option that holds a duration; it parses to milliseconds. The bounds are milliseconds, both included. */
export function durationOption(bounds: { readonly min?: number; readonly max?: number } = {}) {
  const min = bounds.min ?? 1;
  const max = bounds.max ?? LONGEST_DURATION;
  return z
    .string()
    .meta({ pattern: PATTERN.source, examples: ['250ms', '30s', '5m', '1h'] })
    .transform((text, context) => {
      const milliseconds = parseDuration(text);
      if (milliseconds !== undefined && milliseconds >= min && milliseconds <= max) return milliseconds;
      const message = milliseconds === undefined ? 'is not a duration' : 'is out of bounds';
      const hint =
        milliseconds === undefined
          ? 'write a whole number and a unit of ms, s, m, h or d, such as 250ms, 30s or 5m'
          : `write a duration from ${formatDuration(min)} to ${formatDuration(max)}`;
      context.issues.push({ code: 'custom', message, input: text, params: { hint } });
      return z.NEVER;
    });
}

const PATTERN = /^(\d{1,15})(ms|s|m|h|d)$/;

const UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
