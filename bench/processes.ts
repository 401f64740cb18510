import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launch } from './peers/peer.ts';
import type { ProcessStat } from './process-stat.ts';
import { readProcessTree, stillRuns } from './process-tree.ts';
import { findProgram } from './programs.ts';
import { tellingLines } from './telling-lines.ts';

/** A server the bench started. */
export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly directory: string;
}

export interface Placement {
  /** The one core the process and its children may run on. */
  readonly core: number;
  /** Where its output goes, as `stdout.log` and `stderr.log`. */
  readonly directory: string;
}

/** Starts servers and knows all of them, so that none outlives the bench, however it ends. */
export class Processes {
  readonly #running = new Set<Running>();
  readonly #patienceMs: number;
  /** Where the system has it: the kernel ends the servers should the bench itself be killed without a last word. */
  readonly #endWithUs = findProgram('setpriv') === undefined ? [] : ['setpriv', '--pdeathsig', 'TERM'];

  /** `patienceMs`: how long a server may take to end before it is killed. */
  constructor(patienceMs = 5_000) {
    this.#patienceMs = patienceMs;
  }

  start(launch: Launch, placement: Placement): Running {
    const stdout = openSync(join(placement.directory, 'stdout.log'), 'a');
    const stderr = openSync(join(placement.directory, 'stderr.log'), 'a');
    // taskset and setpriv replace themselves by the command, so this pid is the server's own.
    const command = [...this.#endWithUs, launch.command, ...launch.args];
    const child = spawn('taskset', ['-c', String(placement.core), ...command], {
      cwd: placement.directory,
      env: { ...process.env, ...launch.env },
      stdio: ['ignore', stdout, stderr],
    });
    child.on('error', () => {}); // it shows as a missing pid; without a listener it would end the bench
    closeSync(stdout);
    closeSync(stderr);
    if (child.pid === undefined) throw new Error('taskset could not be started');
    const running = { pid: child.pid, child, directory: placement.directory };
    this.#running.add(running);
    return running;
  }

  /** SIGTERM, patience, SIGKILL; each process by its own pid. */
  async stop(running: Running): Promise<void> {
    const family = readProcessTree(running.pid);
    if (!hasEnded(running)) running.child.kill('SIGTERM');
    const deadline = performance.now() + this.#patienceMs;
    while (performance.now() < deadline && (!hasEnded(running) || family.some(stillRuns))) await sleep(10);
    killAll(family);
    this.#running.delete(running);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((running) => this.stop(running)));
  }

  /** For the last moment of the bench, where nothing can be awaited any more. */
  killAllNow(): void {
    for (const running of this.#running) killAll(readProcessTree(running.pid));
    this.#running.clear();
  }
}

export function hasEnded(running: Running): boolean {
  return running.child.exitCode !== null || running.child.signalCode !== null;
}

/** What a server wrote last; for the message about its failure. */
export function lastWords(running: Running): string {
  const files = ['stderr.log', 'stdout.log', 'error.log'].map((name) => join(running.directory, name));
  return tellingLines(files.map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : '')).join('\n'));
}

function killAll(family: readonly ProcessStat[]): void {
  for (const member of family) {
    if (!stillRuns(member)) continue;
    try {
      process.kill(member.pid, 'SIGKILL');
    } catch {
      // it ended between the look and the signal
    }
  }
}
