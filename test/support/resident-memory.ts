import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Resident memory of a process, in MiB. */
export function residentMiB(pid: number | undefined): number {
  if (pid === undefined) throw new Error('the process has not started');
  return Math.round(residentKiB(pid) / 1024);
}

function residentKiB(pid: number): number {
  if (process.platform === 'linux') {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    if (line === null) throw new Error(`process ${pid} has no memory: it has ended`);
    return Number(line[1]);
  }
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
}
