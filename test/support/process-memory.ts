import { readFileSync, writeFileSync } from 'node:fs';

const MIB = 1024 * 1024;

/** Resident memory of a process in MiB, as Linux counts it: now, and the most since it began or `forgetPeak` was called. */
export function residentMemory(pid: number | undefined): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return { now: read(status, 'VmRSS'), peak: read(status, 'VmHWM') };
}

/** Lets the peak begin anew (proc(5), clear_refs). */
export function forgetPeak(pid: number | undefined): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function read(status: string, name: string): number {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
  if (kib === undefined) throw new Error(`/proc says nothing of ${name}`);
  return (Number(kib) * 1024) / MIB;
}
