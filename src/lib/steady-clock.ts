/**
 * Milliseconds since a moment that is the same for every thread of this process, but not for another process. Unlike the time of
 * day it is never set back or forward, so what is measured with it cannot come out younger than it is.
 */
export function steadyNow(): number {
  return performance.now() + OFFSET;
}

/** `performance.now()` begins anew with each thread; the clock of the system does not, but reading it makes a BigInt. */
const OFFSET = Number(process.hrtime.bigint()) / 1e6 - performance.now();
