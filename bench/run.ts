import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stage } from './instance.ts';
import { measureKeys } from './keys-table.ts';
import { readMachine } from './machine.ts';
import { measureMemory } from './memory.ts';
import { type Options, readOptions, type TableName } from './options.ts';
import { peers } from './peers/all.ts';
import type { Peer } from './peers/peer.ts';
import { Processes } from './processes.ts';
import { renderReport } from './report.ts';
import type { Absent, Present, Results, Rows } from './results.ts';
import { measureRoutes } from './routes-table.ts';
import { measureSecured } from './secured/measure-secured.ts';
import { setStage } from './stage.ts';
import { measureStartup } from './startup.ts';
import { withoutCheckoutPath } from './telling-lines.ts';
import { measureThroughput } from './throughput.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const processes = new Processes();
const stopped = new AbortController();
process.once('SIGINT', () => stopped.abort(new Error('stopped by SIGINT')));
process.once('SIGTERM', () => stopped.abort(new Error('stopped by SIGTERM')));
process.on('exit', () => processes.killAllNow());

process.exitCode = await main();

/** The exit code: 0 all measured, 1 something failed (the report says what), 2 a wrong command line, 130 stopped. */
async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(
      process.argv.slice(2),
      peers.map((peer) => peer.name),
    );
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 2;
  }
  const work = join(ROOT, 'bench/.work');
  await mkdir(work, { recursive: true });
  const workDirectory = await mkdtemp(join(work, 'run-'));
  try {
    const results = await measureAll(options, workDirectory);
    if (stopped.signal.aborted) return 130;
    await publish(results);
    return [
      results.throughput,
      results.memory,
      results.startup,
      results.routes,
      results.secured,
      results.securedFirstUse,
      results.keys,
    ].some(hasFailures)
      ? 1
      : 0;
  } finally {
    await processes.stopAll();
    await rm(workDirectory, { recursive: true, force: true });
  }
}

async function measureAll(options: Options, workDirectory: string): Promise<Results> {
  const measuredAt = new Date().toISOString();
  const machine = await readMachine();
  const present: Present[] = [];
  const absent: Absent[] = [];
  const taking: Peer[] = [];
  for (const peer of peers) {
    const state = await peer.find();
    if (options.only !== undefined && !options.only.includes(peer.name)) {
      absent.push({ title: peer.title, reason: 'left out by --only' });
    } else if ('missing' in state) {
      absent.push({ title: peer.title, reason: `${state.missing}; to include it: ${state.install}` });
    } else {
      taking.push(peer);
      present.push({ title: peer.title, version: state.version });
    }
  }
  for (const { title, reason } of absent) console.error(`skipped: ${title}: ${reason}`);

  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new Error(`the run was cut off after ${options.deadlineSeconds} s`)),
    options.deadlineSeconds * 1000,
  );
  const signal = AbortSignal.any([stopped.signal, deadline.signal]);
  try {
    const stage = await setStage({ processes, workDirectory, signal });
    const { quick, tables, warmUpSeconds, roundSeconds, rounds, starts, firstUses } = options;
    const table = async <Row>(name: TableName, measure: () => Promise<Rows<Row>>): Promise<Rows<Row>> => {
      if (tables !== undefined && !tables.includes(name)) return none('left out by --tables');
      return await attempt(name, measure);
    };
    const ofProxies = async <Row>(name: TableName, measure: (on: Stage) => Promise<Rows<Row>>): Promise<Rows<Row>> =>
      await table(name, async () => (typeof stage === 'string' ? none(stage) : await measure(stage)));

    const throughput = await ofProxies('plain', (on) => measureThroughput(on, taking, options));
    let firstUse: Results['securedFirstUse'] = none('see the table before');
    const secured = await ofProxies('secured', async (on) => {
      const both = await measureSecured(on, options);
      firstUse = both.firstUse;
      present.push(...both.present);
      absent.push(...both.absent);
      reportFailures(firstUse);
      return both.known;
    });
    return {
      measuredAt,
      options: { quick, tables, warmUpSeconds, roundSeconds, rounds, starts, firstUses },
      machine,
      present,
      absent,
      throughput,
      secured,
      securedFirstUse: firstUse,
      keys: await table('keys', () => measureKeys(workDirectory, { counts: options.keys, signal })),
      memory: await ofProxies('memory', (on) => measureMemory(on, taking, options)),
      startup: await ofProxies('startup', (on) => measureStartup(on, taking, options)),
      routes: await table('routes', () => measureRoutes(workDirectory, signal)),
    };
  } finally {
    clearTimeout(timer);
  }
}

function none(why: string): Rows<never> {
  return { rows: [], failures: [], skipped: why };
}

/** A table that cannot be made must not take the others with it. */
async function attempt<Row>(name: TableName, measure: () => Promise<Rows<Row>>): Promise<Rows<Row>> {
  if (stopped.signal.aborted) return none('stopped');
  console.error(`measuring: ${name}`);
  let rows: Rows<Row>;
  try {
    rows = await measure();
  } catch (error) {
    rows = { rows: [], failures: [{ peer: `the table “${name}”`, reason: String(error) }], skipped: undefined };
  }
  reportFailures(rows);
  return rows;
}

function reportFailures({ failures }: Rows<unknown>): void {
  for (const { peer, reason } of failures) console.error(`failed: ${peer}: ${reason}`);
}

function hasFailures(rows: Rows<unknown>): boolean {
  return rows.failures.length > 0;
}

/** A run of some tables is printed only: written down, it would take the others out of the docs. */
async function publish(results: Results): Promise<void> {
  const report = withoutCheckoutPath(renderReport(results));
  if (results.options.tables !== undefined) {
    console.log(report);
    console.error('not written: only a run of all tables is');
    return;
  }
  await mkdir(join(ROOT, 'bench/results'), { recursive: true });
  const json = withoutCheckoutPath(JSON.stringify(results, null, 2));
  await writeFile(join(ROOT, 'bench/results/latest.json'), `${json}\n`);
  await mkdir(join(ROOT, 'docs'), { recursive: true });
  await writeFile(join(ROOT, 'docs/benchmarks.md'), report);
  console.log(report);
  console.error('written: docs/benchmarks.md, bench/results/latest.json');
}
