/** Random numbers that a seed brings back, so that a failure can be seen again. */
export interface SeededRandom {
  readonly seed: number;
  /** A whole number from 0 up to, not including, `bound`. */
  below(bound: number): number;
  /** True once in `odds` times. */
  oneIn(odds: number): boolean;
  pick<T>(list: readonly T[]): T;
}

export function seededRandom(seed: number): SeededRandom {
  // Mulberry32: small, and good enough to choose bytes with.
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    seed,
    below,
    oneIn: (odds) => below(odds) === 0,
    pick<T>(list: readonly T[]): T {
      if (list.length === 0) throw new Error('nothing to pick from');
      return list[below(list.length)] as T; // below the length
    },
  };
}

/** SALLYPORT_FUZZ_SEED where a failure is to be seen again, else a new one each time. */
export function fuzzSeed(): number {
  const given = process.env['SALLYPORT_FUZZ_SEED'];
  return given === undefined || given === '' ? Math.floor(Math.random() * 2 ** 32) : Number(given);
}

/** How many times the budget of CI a fuzz run takes. */
export function fuzzFactor(): number {
  const factor = Number(process.env['SALLYPORT_FUZZ'] ?? 1);
  return Number.isFinite(factor) && factor > 0 ? factor : 1;
}
