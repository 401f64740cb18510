// Prints one row of table 4 as JSON. Started as: node routes.ts <number of routes> <directory for the YAML file>
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../src/config/load.ts';
import { HeaderList } from '../src/lib/header-list.ts';
import { compileRouter, type Router } from '../src/match/router.ts';
import type { RoutesRow } from './results.ts';
import { type SampleRequest, type SampleRoutes, sampleRoutes } from './sample-routes.ts';
import { median } from './statistics.ts';

const HOST = 'api.example.com';
const HEADERS = new HeaderList(['Host', HOST, 'Accept', '*/*', 'User-Agent', 'bench']);
const BUSY_ROUTES = 10;
const BATCH = 20_000;
const WARM_UP_BATCHES = 5;
const BATCHES = 25;

const [count, directory] = process.argv.slice(2);
assert.ok(count !== undefined && directory !== undefined, 'usage: node routes.ts <number of routes> <directory>');
console.log(JSON.stringify(await measure(Number(count), directory)));

async function measure(routes: number, directory: string): Promise<RoutesRow> {
  const sample = sampleRoutes(routes);
  assert.equal(sample.entries.length, routes);
  // First, while nothing is compiled yet: a gateway loads its file once, and cold.
  const loadMs = await loadTime(sample, directory);
  const { router, buildMs } = buildRouter(sample);
  for (const request of sample.requests) requireRight(router, request);
  const { requests } = sample;
  const match = (request: SampleRequest): unknown => router.match(HOST, request.method, request.path, HEADERS);
  const miss = (request: SampleRequest): unknown => router.match(HOST, request.method, request.missing, HEADERS);
  return {
    routes,
    loadMs,
    buildMs,
    busyMatchNs: nanosecondsEach(requests.slice(0, BUSY_ROUTES), match),
    matchNs: nanosecondsEach(requests, match),
    missNs: nanosecondsEach(requests, miss),
  };
}

async function loadTime(sample: SampleRoutes, directory: string): Promise<number> {
  const file = join(directory, `routes-${sample.entries.length}.yaml`);
  await writeFile(file, sample.yaml);
  const start = performance.now();
  const result = await loadConfig(file, { env: {}, dev: false });
  const spent = performance.now() - start;
  assert.ok(result.ok, `the sample file does not load: ${JSON.stringify(result.ok ? [] : result.faults.slice(0, 3))}`);
  const loaded = result.config.apis.reduce((sum, api) => sum + 1 + api.routes.length, 0);
  assert.equal(loaded, sample.entries.length);
  return spent;
}

function buildRouter(sample: SampleRoutes): { router: Router<string>; buildMs: number } {
  const start = performance.now();
  const router = compileRouter(sample.entries);
  return { router, buildMs: performance.now() - start };
}

/** A router that finds the wrong route fast is no router. */
function requireRight(router: Router<string>, request: SampleRequest): void {
  const found = router.match(HOST, request.method, request.path, HEADERS);
  assert.ok(found !== undefined && 'value' in found, `nothing found for ${request.method} ${request.path}`);
  assert.equal(found.value, request.value);
  assert.equal(router.match(HOST, request.method, request.missing, HEADERS), undefined);
}

/** The median of the batches after those in which the compiler warms up. */
function nanosecondsEach(requests: readonly SampleRequest[], match: (request: SampleRequest) => unknown): number {
  const times: number[] = [];
  let at = 0;
  let found = 0;
  for (let batch = 0; batch < BATCHES; batch++) {
    const start = performance.now();
    for (let turn = 0; turn < BATCH; turn++) {
      const request = requests[at] as SampleRequest; // `at` stays below the length
      if (match(request) !== undefined) found++;
      at = at + 1 === requests.length ? 0 : at + 1;
    }
    times.push(((performance.now() - start) * 1e6) / BATCH);
  }
  // Using the results keeps the compiler from leaving the work out.
  assert.ok(found === 0 || found === BATCH * BATCHES);
  return median(times.slice(WARM_UP_BATCHES));
}
