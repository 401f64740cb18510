/**
 * Milliseconds since a moment that is the same for every thread of this process, but not for another process. Unlike the time of
 * day it is never set back or forward, so what is measured with it cannot come out younger than it is.
 */
export function steadyNow(): number {
  // `performance.now()` begins anew with each thread, and the BigInt of `hrtime.bigint()` costs more than this pair.
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
