import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { Problem } from '../errors/problem.ts';
import { type Exchange, Reply } from '../exchange.ts';
import { HeaderList } from '../lib/header-list.ts';
import { testExchange, testPrincipal } from '../policies/test-exchange.ts';
import { createAccessLog } from './access-log.ts';
import { createControlMetrics } from './control-metrics.ts';
import { createLog, type LogOptions } from './log.ts';
import { createMetrics } from './metrics.ts';

/** Names of metrics and log fields are public: the documents, the dashboard and the alert rules are held to what the code gives out. */

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const directory = mkdtempSync(join(tmpdir(), 'sallyport-names-'));
after(() => rmSync(directory, { recursive: true }));

interface Metric {
  type: string;
  readonly labels: Set<string>;
}
const metrics = new Map<string, Metric>();

before(async () => {
  const worker = createMetrics();
  const { exchange, reply } = eventful();
  worker.begun();
  worker.finished(exchange, reply);
  worker.connectionOpened('public');
  const control = createControlMetrics({ version: '1.2.3' });
  control.certificateExpiry.set({ name: 'public' }, 1);
  const text = await control.aggregate([await worker.snapshot({ logLinesDropped: 0, spansDropped: 0 })]);
  for (const line of text.split('\n')) {
    const [, declared, type] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    if (declared !== undefined && type !== undefined) metrics.set(declared, { type, labels: new Set() });
    const [, name = '', labels = ''] = /^([a-z_0-9]+)(?:\{(.*)\})? /.exec(line) ?? [];
    for (const [, label = ''] of labels.matchAll(/([a-z_]+)="/g)) metricOf(name)?.labels.add(label);
  }
});

/** The metric a series belongs to: a histogram has three under names of their own. */
function metricOf(series: string): Metric | undefined {
  const known = metrics.get(series);
  if (known !== undefined) return known.type === 'histogram' ? undefined : known;
  const family = metrics.get(series.replace(/_(?:bucket|sum|count)$/, ''));
  return family?.type === 'histogram' ? family : undefined;
}

/** An exchange of which everything there is to tell is known. */
function eventful(): { readonly exchange: Exchange; readonly reply: Reply } {
  const exchange = testExchange({
    target: { path: '/v1/widgets/7', query: 'a=1', encodedDelimiters: false },
    headers: new HeaderList(['User-Agent', 'curl/8', 'Referer', 'https://app.example.com/']),
    tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', servername: undefined, clientCertificate: undefined },
  });
  exchange.route = { api: 'widgets', name: 'list' };
  exchange.principal = testPrincipal({ id: 'alice' });
  exchange.trace = {
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    parentSpanId: undefined,
    sampled: true,
    traceState: undefined,
  };
  exchange.upstreamTarget = 'http://10.0.0.11:4000';
  exchange.upstreamHeadAfter = 3;
  exchange.deniedBy = 'ipAccess';
  exchange.aborted = true;
  exchange.internalDetail = 'connect ECONNREFUSED';
  const reply = new Reply(502, new HeaderList([]), undefined, 'gateway');
  reply.problem = new Problem('bad-gateway');
  return { exchange, reply };
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

function alertRules(): Rule[] {
  const file: { groups: { name: string; rules: Rule[] }[] } = parse(read('deploy/prometheus/alerts.yaml'), {
    uniqueKeys: true,
  });
  return file.groups.flatMap(({ rules }) => rules);
}

/** Every `expr` of the dashboard, wherever it stands, and the queries of its variables. */
function dashboardQueries(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) =>
    (key === 'expr' || key === 'definition') && typeof value === 'string' ? [value] : dashboardQueries(value),
  );
}

interface Query {
  readonly metrics: readonly string[];
  readonly labels: readonly string[];
}

const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
const OPERATORS = new Set([
  'and',
  'or',
  'unless',
  'bool',
  'offset',
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
]);

/** The names in a PromQL expression: all that is no string, no number with its unit, no function and no operator. */
function namesIn(expression: string): Query {
  const bare = expression.replace(/"(?:[^"\\]|\\.)*"/g, '""').replace(/\[[^\]]*\]/g, '');
  const inLabelValues = /^label_values\((\w+), (\w+)\)$/.exec(bare);
  if (inLabelValues !== null) return { metrics: [inLabelValues[1] ?? ''], labels: [inLabelValues[2] ?? ''] };
  const grouped = [...bare.matchAll(GROUPING)].flatMap(([, list = '']) => list.split(',').map((label) => label.trim()));
  const matched = [...bare.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*""/g)].map(([, label = '']) => label);
  const rest = bare.replace(GROUPING, ' ').replace(/\{[^}]*\}/g, '');
  const names = [...rest.matchAll(/(?<![\w.])[a-zA-Z_:][\w:]*(?!\w*\s*\()/g)].map(([name]) => name);
  return { metrics: names.filter((name) => !OPERATORS.has(name)), labels: [...grouped, ...matched] };
}

/** Labels Prometheus adds by itself, and the bound of a histogram's bucket. */
const PROMETHEUS_LABELS = ['instance', 'job', 'le'];
/** Made by Prometheus for each scrape. */
const PROMETHEUS_METRICS = new Set(['up']);

function assertAnswerable(expression: string): void {
  const query = namesIn(expression);
  assert.ok(query.metrics.length > 0, `no metric in: ${expression}`);
  const labels = new Set(PROMETHEUS_LABELS);
  for (const name of query.metrics) {
    if (PROMETHEUS_METRICS.has(name)) continue;
    const metric = metricOf(name);
    assert.ok(metric !== undefined, `no metric ${name} for: ${expression}`);
    for (const label of metric.labels) labels.add(label);
  }
  for (const label of query.labels) assert.ok(labels.has(label), `no label ${label} for: ${expression}`);
}

test('the parser of expressions finds the names it should', () => {
  const expression =
    'histogram_quantile(0.9, sum by (le, api) (rate(a_bucket{x=~"5..|0",y!="b_c"}[5m]))) > 1.5e9 and on (job) (d / e) * 86400';
  assert.deepEqual(namesIn(expression), { metrics: ['a_bucket', 'd', 'e'], labels: ['le', 'api', 'job', 'x', 'y'] });
  assert.throws(() => assertAnswerable('sum(sallyport_no_such_metric)'));
  assert.throws(() => assertAnswerable('sum by (no_such_label) (sallyport_requests_total)'));
  assert.throws(() => assertAnswerable('sallyport_request_duration_seconds'));
});

test('every alert rule asks for metrics and labels there are, and says what to do', () => {
  const rules = alertRules();
  assert.ok(rules.length > 10);
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  for (const rule of rules) {
    assertAnswerable(rule.expr);
    assert.match(rule.alert, /^Sallyport[A-Za-z]+$/);
    assert.match(rule.for ?? '0m', /^\d+[mh]$/);
    assert.ok(['page', 'ticket'].includes(rule.labels.severity), rule.alert);
    assert.ok(rule.annotations.summary.length > 10 && rule.annotations.description.length > 10, rule.alert);
  }
});

test('every query of the dashboard asks for metrics and labels there are', () => {
  const dashboard = JSON.parse(read('deploy/grafana/sallyport.json'));
  const queries = dashboardQueries(dashboard);
  assert.ok(queries.length > 30);
  for (const query of queries) assertAnswerable(query);
});

test('the panels of the dashboard have ids of their own, lie side by side, and take the data source that was chosen', () => {
  const dashboard: {
    panels: {
      id: number;
      type: string;
      datasource?: { uid: string };
      gridPos: { x: number; y: number; w: number; h: number };
    }[];
  } = JSON.parse(read('deploy/grafana/sallyport.json'));
  const taken = new Set<string>();
  for (const { type, datasource, gridPos } of dashboard.panels) {
    if (type !== 'row') assert.equal(datasource?.uid, '${datasource}');
    assert.ok(gridPos.x + gridPos.w <= 24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.ok(!taken.has(`${x} ${y}`), `two panels at ${x}, ${y}`);
        taken.add(`${x} ${y}`);
      }
    }
  }
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
});

/** The cells of the table between `<!-- name -->` and `<!-- /name -->`, without their code marks. */
function documented(name: string): string[][] {
  const page = read('docs/observability.md');
  const part = page.slice(page.indexOf(`<!-- ${name} -->`), page.indexOf(`<!-- /${name} -->`));
  const rows = part.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.replaceAll('`', '').trim()),
  );
}

test('docs/observability.md lists every metric of our own with its kind and labels, and no other', () => {
  const own = [...metrics].filter(([name]) => name.startsWith('sallyport_'));
  const actual = own.map(([name, { type, labels }]) => [
    name,
    type,
    [...labels]
      .filter((label) => label !== 'le')
      .sort()
      .join(' '),
  ]);
  const told = documented('metrics').map(([name = '', type = '', labels = '']) => [
    name,
    type,
    labels.split(' ').sort().join(' '),
  ]);
  assert.deepEqual(told.sort(), actual.sort());
});

for (const [column, format] of (['json', 'ecs'] as const).entries()) {
  test(`docs/observability.md lists every field of a request's line in the format ${format}, and no other`, async () => {
    const told = documented('access-log fields').flatMap((row) => (row[column] === '' ? [] : [row[column]]));
    assert.deepEqual(told.sort(), (await fieldsOf(format)).sort());
  });
}

async function fieldsOf(format: LogOptions['format']): Promise<string[]> {
  const path = join(directory, `${format}.log`);
  const log = createLog({ level: 'info', format, destination: path });
  const { exchange, reply } = eventful();
  createAccessLog(log, { enabled: true, sample: 1, redactQuery: [] })(exchange, reply);
  await log.close();
  return pathsOf(JSON.parse(readFileSync(path, 'utf8')));
}

function pathsOf(line: object): string[] {
  return Object.entries(line).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? pathsOf(value).map((path) => `${key}.${path}`)
      : [key],
  );
}
