import type { MachineFacts } from './machine.ts';
import type { Options } from './options.ts';

/** Everything a run found out; bench/results/latest.json holds it, docs/benchmarks.md is written from it. */
export interface Results {
  readonly measuredAt: string;
  readonly options: Pick<
    Options,
    'quick' | 'tables' | 'firstUses' | 'warmUpSeconds' | 'roundSeconds' | 'rounds' | 'starts'
  >;
  readonly machine: MachineFacts;
  readonly present: readonly Present[];
  readonly absent: readonly Absent[];
  readonly throughput: Rows<ThroughputRow>;
  /** The same figures for the secured job: credentials that come again, and tokens never seen before. */
  readonly secured: Rows<ThroughputRow>;
  readonly securedFirstUse: Rows<ThroughputRow>;
  readonly keys: Rows<KeysRow>;
  readonly memory: Rows<MemoryRow>;
  readonly startup: Rows<StartupRow>;
  readonly routes: Rows<RoutesRow>;
}

/** A peer that took part. */
export interface Present {
  readonly title: string;
  readonly version: string;
}

/** A peer that did not, and why. */
export interface Absent {
  readonly title: string;
  readonly reason: string;
}

export interface Rows<Row> {
  readonly rows: readonly Row[];
  readonly failures: readonly Failure[];
  /** Why the whole table was left out; undefined where it was measured. */
  readonly skipped: string | undefined;
}

export interface Failure {
  readonly peer: string;
  readonly reason: string;
}

/** Medians over the rounds; latencies in milliseconds. */
export interface ThroughputRow {
  readonly peer: string;
  readonly cpuMicrosecondsPerRequest: number;
  readonly cpuLowest: number;
  readonly cpuHighest: number;
  readonly requestsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Share of the proxy's core in use, 0–1. */
  readonly busy: number;
  /** Over all rounds. */
  readonly errors: number;
  /** What makes the row unfit for a comparison. */
  readonly unfit: string | undefined;
}

export interface KeysRow {
  readonly store: string;
  readonly keys: number;
  /** Keys imported a second, through the same code as the admin API. */
  readonly importedPerSecond: number;
  /** Microseconds from the question to the answer, over random keys. */
  readonly lookupUs: number;
  /** Microseconds of CPU of this process for one look-up. */
  readonly lookupCpuUs: number;
  /** MiB a worker's cache of keys has grown to after every key was used once. */
  readonly finderMiB: number;
}

export interface MemoryRow {
  readonly peer: string;
  readonly connections: number;
  /** How many of them were open still when the memory was read. */
  readonly stillOpen: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

export interface StartupRow {
  readonly peer: string;
  readonly medianMs: number;
  readonly fastestMs: number;
  readonly slowestMs: number;
}

export interface RoutesRow {
  readonly routes: number;
  /** Milliseconds from a YAML file on disk to its checked configuration. */
  readonly loadMs: number;
  /** Milliseconds to build the router from the routes. */
  readonly buildMs: number;
  /** Nanoseconds for one match, over requests to ten of the routes. */
  readonly busyMatchNs: number;
  /** Nanoseconds for one match, over requests spread over all routes. */
  readonly matchNs: number;
  /** Nanoseconds to find that nothing matches. */
  readonly missNs: number;
}
