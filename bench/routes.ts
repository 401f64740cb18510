// Prints the rows of table 4 as JSON: the gateway's own router with 10, 1,000 and 10,000 routes.
import assert from 'node:assert/strict';
import { HeaderList } from '../src/lib/header-list.ts';
import { compileRouter, type Router } from '../src/match/router.ts';
import type { RoutesRow } from './results.ts';
import { type SampleRequest, sampleRoutes } from './sample-routes.ts';
import { median } from './statistics.ts';

const HOST = 'api.example.com';
const HEADERS = new HeaderList(['Host', HOST, 'Accept', '*/*', 'User-Agent', 'bench']);

console.log(JSON.stringify([10, 1_000, 10_000].map(measure)));

function measure(count: number): RoutesRow {
  const { entries, requests } = sampleRoutes(count);
  assert.equal(entries.length, count);
  const buildMs = median(Array.from({ length: 5 }, () => millisecondsOf(() => compileRouter(entries))));
  const router = compileRouter(entries);
  for (const request of requests) requireRight(router, request);
  return {
    routes: count,
    buildMs,
    matchNs: nanosecondsEach(requests, (request) => router.match(HOST, request.method, request.path, HEADERS)),
    missNs: nanosecondsEach(requests, (request) => router.match(HOST, request.method, request.missing, HEADERS)),
    loadMs: undefined,
  };
}

/** A router that finds the wrong route fast is no router. */
function requireRight(router: Router<string>, request: SampleRequest): void {
  const found = router.match(HOST, request.method, request.path, HEADERS);
  assert.ok(found !== undefined && 'value' in found, `nothing found for ${request.method} ${request.path}`);
  assert.equal(found.value, request.value);
  assert.equal(router.match(HOST, request.method, request.missing, HEADERS), undefined);
}

const BATCH = 20_000;
const BATCHES = 25;

/** The median of batches, after five for the compiler to warm up. */
function nanosecondsEach(requests: readonly SampleRequest[], match: (request: SampleRequest) => unknown): number {
  const times: number[] = [];
  let at = 0;
  let found = 0;
  for (let batch = 0; batch < BATCHES; batch++) {
    const spent = millisecondsOf(() => {
      for (let count = 0; count < BATCH; count++) {
        const request = requests[at] as SampleRequest; // `at` stays below the length
        if (match(request) !== undefined) found++;
        at = at + 1 === requests.length ? 0 : at + 1;
      }
    });
    times.push((spent * 1e6) / BATCH);
  }
  // Using the results keeps the compiler from leaving the work out.
  assert.ok(found === 0 || found === BATCH * BATCHES);
  return median(times.slice(5));
}

function millisecondsOf(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}
