import { execFile } from 'node:child_process';
import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Instance, type Stage, startInstance, verifyInstance } from './instance.ts';
import type { Options } from './options.ts';
import type { Peer } from './peers/peer.ts';
import { cpuMicroseconds } from './process-tree.ts';
import { findProgram } from './programs.ts';
import type { Failure, Rows, ThroughputRow } from './results.ts';
import { median } from './statistics.ts';
import { parseWrkReport, type WrkReport } from './wrk-report.ts';

export const LOAD_CONNECTIONS = 64;

const LINE_FEED = 0x0a;
const LOG_REST_MS = 300;

/** What the clients of a table do, other than ask. */
export interface Scenario<P extends Peer> {
  /** What a request to this peer carries, for the looks before the rounds. */
  headersOf(peer: P): Readonly<Record<string, string>> | undefined;
  /** The script of wrk that makes the requests of a round; undefined for the plain ones. */
  scriptOf(instance: Instance & { readonly peer: P }): Promise<string | undefined>;
  /** Throws where a peer does not do the work of the table. */
  check(instance: Instance & { readonly peer: P }): Promise<void>;
  /** Whether the work takes a line of an access log for each request, on standard output. */
  readonly logs: boolean;
}

const PLAIN: Scenario<Peer> = {
  headersOf: () => undefined,
  scriptOf: async () => undefined,
  check: async () => {},
  logs: false,
};

/** What one peer did in one round. */
interface Round extends WrkReport {
  readonly cpuMicrosecondsPerRequest: number;
  /** Share of the proxy's core in use, 0–1. */
  readonly busy: number;
  /** Requests and new connections the upstream counted meanwhile. */
  readonly upstreamRequests: number;
  readonly upstreamConnections: number;
  /** Lines of the access log; undefined where the table asks for none. */
  readonly logLines: number | undefined;
}

/**
 * The tables of the plain proxy and of the secured job. All peers run at once, idle but for the one under load; the rounds
 * go A B C A B C, so that a slow minute of the machine hits all alike, and the median of a peer's rounds is its figure.
 */
export async function measureThroughput<P extends Peer>(
  stage: Stage,
  peers: readonly P[],
  options: Pick<Options, 'warmUpSeconds' | 'roundSeconds' | 'rounds'>,
  scenario: Scenario<P> = PLAIN,
): Promise<Rows<ThroughputRow>> {
  if (findProgram('wrk') === undefined)
    return { rows: [], failures: [], skipped: 'wrk is not installed: apt-get install wrk' };
  const failures: Failure[] = [];
  const instances: (Instance & { readonly peer: P })[] = [];
  try {
    for (const peer of peers) {
      try {
        instances.push(await startVerified(stage, peer, scenario));
      } catch (error) {
        failures.push({ peer: peer.title, reason: String(error) });
      }
    }
    const loadFor = async (instance: Instance & { readonly peer: P }, seconds: number): Promise<Round> => {
      stage.signal.throwIfAborted();
      return await load(stage, instance, { seconds, script: await scenario.scriptOf(instance), logs: scenario.logs });
    };
    for (const instance of instances) await loadFor(instance, options.warmUpSeconds);
    const rounds = new Map<Instance & { readonly peer: P }, Round[]>(instances.map((instance) => [instance, []]));
    for (let round = 0; round < options.rounds; round++) {
      for (const [instance, done] of rounds) {
        done.push(await loadFor(instance, options.roundSeconds));
      }
    }
    return { rows: [...rounds].map(([instance, done]) => summary(instance, done)), failures, skipped: undefined };
  } finally {
    await Promise.all(instances.map((instance) => stage.processes.stop(instance.running)));
  }
}

async function startVerified<P extends Peer>(
  stage: Stage,
  peer: P,
  scenario: Scenario<P>,
): Promise<Instance & { readonly peer: P }> {
  const headers = scenario.headersOf(peer);
  const started = await startInstance(stage, peer, { connections: LOAD_CONNECTIONS, tls: undefined, headers });
  const instance = { ...started, peer };
  try {
    await verifyInstance(stage, instance, { ca: undefined, headers });
    await scenario.check(instance);
    return instance;
  } catch (error) {
    await stage.processes.stop(instance.running);
    throw error;
  }
}

interface Load {
  readonly seconds: number;
  readonly script: string | undefined;
  readonly logs: boolean;
}

async function load(stage: Stage, instance: Instance, how: Load): Promise<Round> {
  const { pid, directory } = instance.running;
  await truncate(join(directory, 'stdout.log')); // an access log of several rounds would fill the disk
  await sleep(200); // the peer before closes its connections
  const upstreamBefore = await stage.upstream.counters();
  const cpuBefore = cpuMicroseconds(pid);
  const report = parseWrkReport(await runWrk(stage, instance, how));
  const cpu = cpuMicroseconds(pid) - cpuBefore;
  const upstreamAfter = await stage.upstream.counters();
  const logLines = how.logs ? await linesOf(join(directory, 'stdout.log')) : undefined;
  return {
    ...report,
    cpuMicrosecondsPerRequest: cpu / report.requests,
    busy: cpu / 1e6 / report.seconds,
    upstreamRequests: upstreamAfter.requests - upstreamBefore.requests - 1,
    upstreamConnections: upstreamAfter.connections - upstreamBefore.connections - 1,
    logLines,
  };
}

/** Counted once the log rests: writers may keep lines for a moment to write several at once. */
async function linesOf(file: string): Promise<number> {
  for (let known = 0; ; ) {
    await sleep(LOG_REST_MS);
    const text = await readFile(file);
    if (text.length === known) return text.reduce((lines, octet) => (octet === LINE_FEED ? lines + 1 : lines), 0);
    known = text.length;
  }
}

async function runWrk(stage: Stage, instance: Instance, { seconds, script }: Load): Promise<string> {
  const url = `http://127.0.0.1:${instance.port}/`;
  const scripted = script === undefined ? [] : ['-s', script];
  const args = ['-t1', `-c${LOAD_CONNECTIONS}`, `-d${seconds}s`, '--latency', ...scripted, url];
  const { stdout } = await promisify(execFile)('taskset', ['-c', String(stage.loadCore), 'wrk', ...args], {
    signal: stage.signal,
  });
  return stdout;
}

function summary(instance: Instance, rounds: readonly Round[]): ThroughputRow {
  const middle = (figure: (round: Round) => number): number => median(rounds.map(figure));
  const cpu = rounds.map((round) => round.cpuMicrosecondsPerRequest);
  return {
    peer: instance.peer.title,
    cpuMicrosecondsPerRequest: median(cpu),
    cpuLowest: Math.min(...cpu),
    cpuHighest: Math.max(...cpu),
    requestsPerSecond: middle((round) => round.requests / round.seconds),
    p50: middle((round) => round.p50),
    p99: middle((round) => round.p99),
    busy: middle((round) => round.busy),
    errors: rounds.reduce((sum, round) => sum + round.errors, 0),
    unfit: unfit(rounds),
  };
}

function unfit(rounds: readonly Round[]): string | undefined {
  const found: string[] = [];
  if (rounds.some((round) => round.errors > 0)) found.push('requests failed');
  if (rounds.some((round) => round.upstreamRequests < round.requests)) {
    found.push('answered requests that the upstream never saw');
  }
  if (rounds.some((round) => round.upstreamConnections > 2 * LOAD_CONNECTIONS + round.requests / 100)) {
    found.push('does not keep its connections to the upstream alive');
  }
  if (rounds.some(({ logLines, requests }) => logLines !== undefined && logLines < requests)) {
    found.push('does not write a line of its access log for each request');
  }
  return found.length === 0 ? undefined : found.join('; ');
}
