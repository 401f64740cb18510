import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A server program in the background, with what it printed. */
export interface ServerProcess {
  readonly pid: number;
  readonly printed: () => string;
  readonly hasEnded: () => boolean;
  /** Resolves when it has ended; sends SIGKILL where it did not in time. */
  end(signal: NodeJS.Signals): Promise<void>;
}

export interface ServerProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: ServerUser | undefined;
  readonly cwd: string;
}

/** Whom a server runs as, where the tests run as root and it refuses that. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Starts a server program; it is killed where the test process ends without stopping it. */
export function startServerProcess(options: ServerProcessOptions): ServerProcess {
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'], ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options.user,
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-PRINTED_BOUND);
    });
  }
  child.on('error', (error) => {
    printed += `\n${error.message}`;
  });
  const killAtExit = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', killAtExit);
  child.once('exit', () => process.off('exit', killAtExit));
  const hasEnded = (): boolean => child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  return { pid: child.pid ?? -1, printed: () => printed, hasEnded, end: (signal) => end(child, hasEnded, signal) };
}

/** A port of loopback that nobody listens on at the moment. */
export async function freeLoopbackPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
  return address.port;
}

async function end(child: ChildProcess, hasEnded: () => boolean, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded()) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  const patience = new AbortController();
  const late = delay(PATIENCE_MS, 'late', { signal: patience.signal }).catch(() => 'ended');
  if ((await Promise.race([ended, late])) === 'late') child.kill('SIGKILL');
  patience.abort();
  await ended;
}

/** The newest characters that are kept for the message of a failure. */
const PRINTED_BOUND = 20_000;
/** How long a server may take to end by itself. */
const PATIENCE_MS = 5_000;
