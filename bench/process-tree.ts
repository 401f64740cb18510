import { readdirSync, readFileSync } from 'node:fs';
import { type ProcessStat, parseProcessStat, processTree } from './process-stat.ts';

/** The processes that descend from `root`, itself first. */
export function readProcessTree(root: number): readonly ProcessStat[] {
  return processTree(readAll(), root);
}

/** CPU microseconds (user and system) a process tree has used so far; the kernel counts them in ticks of 10 ms. */
export function cpuMicroseconds(root: number): number {
  const tree = readProcessTree(root);
  if (tree.length === 0) throw new Error(`process ${root} is gone`);
  return tree.reduce((sum, one) => sum + one.ticks, 0) * MICROSECONDS_A_TICK;
}

/** Resident bytes of a process tree; pages that its processes share are counted in each. */
export function residentBytes(root: number): number {
  return readProcessTree(root).reduce((sum, one) => sum + readResident(one.pid), 0);
}

/** Whether exactly this process (not a later one with its pid) still runs. */
export function stillRuns(process: ProcessStat): boolean {
  const now = read(process.pid);
  return now !== undefined && !now.zombie && now.startedAt === process.startedAt;
}

// USER_HZ is 100 on every architecture Node runs on; it is part of the kernel's interface to user space.
const MICROSECONDS_A_TICK = 10_000;

function readAll(): ProcessStat[] {
  const all: ProcessStat[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = read(Number(entry));
    if (stat !== undefined) all.push(stat);
  }
  return all;
}

function read(pid: number): ProcessStat | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // it ended between the listing and the look
  }
  return parseProcessStat(line);
}

/** From smaps_rollup, because the counters of /proc/<pid>/status lag behind by some pages a thread. */
function readResident(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kibibytes = /^Rss:\s+(\d+) kB$/m.exec(rollup)?.[1];
  if (kibibytes === undefined) throw new Error(`/proc/${pid}/smaps_rollup names no Rss`);
  return Number(kibibytes) * 1024;
}
