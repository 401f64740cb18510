import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createControlMetrics } from './control-metrics.ts';
import { createMetrics } from './metrics.ts';

const NOTHING_LOST = { logLinesDropped: 0, spansDropped: 0 };

/** Each line of the text format (https://prometheus.io/docs/instrumenting/exposition_formats/). */
const LINE =
  /^(?:# (?:HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* .+|[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)+\})? (?:[-+]?[0-9.e+-]+|[Nn]a[Nn]|[-+]Inf))$/;

async function connectionsOf(count: number): Promise<unknown> {
  const metrics = createMetrics();
  for (let at = 0; at < count; at += 1) metrics.connectionOpened('public');
  return metrics.snapshot(NOTHING_LOST);
}

function sample(text: string, series: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test('worker threads hand over snapshots, and their sum is sound Prometheus text with each metric once', async () => {
  const code = `
    import { parentPort } from 'node:worker_threads';
    const { createMetrics } = await import(${JSON.stringify(new URL('./metrics.ts', import.meta.url).href)});
    const metrics = createMetrics();
    metrics.connectionOpened('public');
    metrics.connectionOpened('internal "\\\\\\n');
    parentPort.postMessage(await metrics.snapshot({ logLinesDropped: 3, spansDropped: 0 }));
  `;
  const snapshots = await Promise.all([1, 2].map(() => snapshotFrom(code)));
  const text = await createControlMetrics({ version: '1.2.3' }).aggregate(snapshots);
  for (const line of text.trimEnd().split('\n')) if (line !== '') assert.match(line, LINE);
  const types = text.split('\n').filter((line) => line.startsWith('# TYPE'));
  assert.equal(new Set(types).size, types.length);
  assert.equal(sample(text, 'sallyport_connections{listener="public"}'), 2);
  assert.equal(sample(text, 'sallyport_connections{listener="internal \\"\\\\\\n"}'), 2);
  assert.equal(sample(text, 'sallyport_log_lines_dropped_total'), 6);
  assert.equal(sample(text, 'sallyport_workers'), 2);
  assert.equal(sample(text, `sallyport_build_info{version="1.2.3",node="${process.versions.node}"}`), 1);
});

function snapshotFrom(code: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // By a thread of its own, as in the gateway; it ends by itself although it measures its event loop.
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
    let snapshot: unknown;
    worker.on('message', (message) => {
      snapshot = message;
    });
    worker.on('error', reject);
    worker.on('exit', () => resolve(snapshot));
  });
}

test('without any worker the control plane tells of itself; what is no snapshot is left out', async () => {
  const text = await createControlMetrics({ version: '1' }).aggregate([undefined, null, 'x', { source: 'a' }]);
  assert.equal(sample(text, 'sallyport_worker_restarts_total'), 0);
  assert.ok((sample(text, 'process_resident_memory_bytes') ?? 0) > 1e6);
  assert.ok(!text.includes('sallyport_connections'));
});

test('both results of a reload are there from the start, so that the first refusal is an increase', async () => {
  const control = createControlMetrics({ version: '1' });
  control.reloads.inc({ result: 'refused' });
  const text = await control.aggregate([]);
  assert.equal(sample(text, 'sallyport_config_reloads_total{result="applied"}'), 0);
  assert.equal(sample(text, 'sallyport_config_reloads_total{result="refused"}'), 1);
});

test('a worker that crashed takes its connections with it and leaves what it counted', async () => {
  const control = createControlMetrics({ version: '1' });
  const crashing = await connectionsOf(5);
  const staying = await connectionsOf(7);
  await control.aggregate([crashing, staying]);
  const text = await control.aggregate([staying, await connectionsOf(1)]);
  assert.equal(sample(text, 'sallyport_connections{listener="public"}'), 8);
  assert.equal(sample(text, 'sallyport_connections_total{listener="public"}'), 13);
});

test('a worker that misses one scrape is counted once when it is back', async () => {
  const control = createControlMetrics({ version: '1' });
  const late = createMetrics();
  late.connectionOpened('public');
  await control.aggregate([await late.snapshot(NOTHING_LOST)]);
  const without = await control.aggregate([await connectionsOf(1)]);
  assert.equal(sample(without, 'sallyport_connections_total{listener="public"}'), 2);
  late.connectionOpened('public');
  const back = await control.aggregate([await late.snapshot(NOTHING_LOST)]);
  assert.equal(sample(back, 'sallyport_connections_total{listener="public"}'), 3);
});

test('a thousand crashes lose no count and hold no more than the last ones', async () => {
  const control = createControlMetrics({ version: '1' });
  const staying = await connectionsOf(1);
  for (let crash = 0; crash < 1000; crash += 1) {
    const worker = {
      source: String(crash),
      families: [
        {
          name: 'sallyport_connections_total',
          help: 'h',
          type: 'counter',
          aggregator: 'sum',
          values: [{ labels: { listener: 'public' }, value: 2 }],
        },
      ],
    };
    await control.aggregate([worker, staying]);
  }
  const text = await control.aggregate([staying]);
  assert.equal(sample(text, 'sallyport_connections_total{listener="public"}'), 2001);
});
