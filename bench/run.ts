import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stage } from './instance.ts';
import { measureKeys } from './keys-table.ts';
import { readMachine } from './machine.ts';
import { measureMemory } from './memory.ts';
import { type Options, readOptions } from './options.ts';
import { peers } from './peers/all.ts';
import type { Peer } from './peers/peer.ts';
import { Processes } from './processes.ts';
import { renderReport } from './report.ts';
import type { Results, Rows } from './results.ts';
import { measureRoutes } from './routes-table.ts';
import { measureSecured, type SecuredTables } from './secured/measure-secured.ts';
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
  const present: { title: string; version: string }[] = [];
  const absent: { title: string; reason: string }[] = [];
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
    const table = async <Row>(title: string, measure: (stage: Stage) => Promise<Rows<Row>>): Promise<Rows<Row>> => {
      if (typeof stage === 'string') return { rows: [], failures: [], skipped: stage };
      return attempt(title, () => measure(stage));
    };
    const { quick, warmUpSeconds, roundSeconds, rounds, starts } = options;
    const throughput = await table('plain proxy', (on) => measureThroughput(on, taking, options));
    const secured = await tables(stage, options);
    return {
      measuredAt,
      options: { quick, warmUpSeconds, roundSeconds, rounds, starts },
      machine,
      present,
      absent,
      throughput,
      secured: secured.known,
      securedFirstUse: secured.firstUse,
      memory: await table('idle TLS connections', (on) => measureMemory(on, taking, options)),
      startup: await table('start-up', (on) => measureStartup(on, taking, options)),
      routes: await attempt('routes', () => measureRoutes(workDirectory, signal)),
      keys: await attempt('keys', () => measureKeys(workDirectory, { quick, signal })),
    };
  } finally {
    clearTimeout(timer);
  }
}

/** The two tables of the secured job share their peers' set-up, and one failure takes both. */
async function tables(stage: Stage | string, options: Options): Promise<SecuredTables> {
  if (typeof stage === 'string') return { known: none(stage), firstUse: none(stage) };
  if (stopped.signal.aborted) return { known: none('stopped'), firstUse: none('stopped') };
  console.error('measuring: the secured job');
  try {
    const both = await measureSecured(stage, options.only, options);
    for (const failure of [...both.known.failures, ...both.firstUse.failures])
      console.error(`failed: ${failure.peer}: ${failure.reason}`);
    return both;
  } catch (error) {
    const failed = { rows: [], failures: [{ peer: 'the secured job', reason: String(error) }], skipped: undefined };
    console.error(`failed: ${failed.failures[0]?.reason}`);
    return { known: failed, firstUse: failed };
  }
}

function none(why: string): Rows<never> {
  return { rows: [], failures: [], skipped: why };
}

/** A table that cannot be made must not take the others with it. */
async function attempt<Row>(title: string, measure: () => Promise<Rows<Row>>): Promise<Rows<Row>> {
  if (stopped.signal.aborted) return { rows: [], failures: [], skipped: 'stopped' };
  console.error(`measuring: ${title}`);
  let rows: Rows<Row>;
  try {
    rows = await measure();
  } catch (error) {
    rows = { rows: [], failures: [{ peer: `the table “${title}”`, reason: String(error) }], skipped: undefined };
  }
  for (const failure of rows.failures) console.error(`failed: ${failure.peer}: ${failure.reason}`);
  return rows;
}

function hasFailures(rows: Rows<unknown>): boolean {
  return rows.failures.length > 0;
}

async function publish(results: Results): Promise<void> {
  const report = withoutCheckoutPath(renderReport(results));
  await mkdir(join(ROOT, 'bench/results'), { recursive: true });
  const json = withoutCheckoutPath(JSON.stringify(results, null, 2));
  await writeFile(join(ROOT, 'bench/results/latest.json'), `${json}\n`);
  await mkdir(join(ROOT, 'docs'), { recursive: true });
  await writeFile(join(ROOT, 'docs/benchmarks.md'), report);
  console.log(report);
  console.error('written: docs/benchmarks.md, bench/results/latest.json');
}
