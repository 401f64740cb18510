import type { Problem } from '../errors/problem.ts';
import type { Wire } from '../exchange.ts';
import { problemJson } from './render-problem.ts';

/** Answers a request that was too malformed to become an Exchange. No policy has seen it, so it says no more than it must. */
export function refuse(wire: Wire, problem: Problem, requestId: string): void {
  const body = problemJson(problem, problem.status, requestId);
  wire.head(problem.status, [
    'Content-Type',
    'application/problem+json',
    'Content-Length',
    String(Buffer.byteLength(body)),
    'Cache-Control',
    'no-store',
    'X-Content-Type-Options',
    'nosniff',
    'X-Request-Id',
    requestId,
    ...problem.headers,
  ]);
  wire.end(body, undefined);
}
