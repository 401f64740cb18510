import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A gateway running as its user would run it: a process of its own, from a file. */
export interface TestGateway {
  readonly process: ChildProcess;
  readonly directory: string;
  readonly configPath: string;
  /** Everything it logged, parsed. */
  readonly log: readonly LogLine[];
  /** Replaces the configuration file. */
  write(config: string): Promise<void>;
  /** Resolves with the first log line, past or future, for which the test holds. */
  logged(matches: (line: LogLine) => boolean, withinMs?: number): Promise<LogLine>;
  /** Runs `sallyport <args>` beside it. */
  cli(...args: string[]): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  stop(): Promise<number | null>;
}

export type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string };

const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Starts a gateway and resolves when it is ready; rejects with what it printed where it is not. */
export async function startGateway(config: string, options: StartOptions = {}): Promise<TestGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'sp-'));
  const configPath = join(directory, options.fileName ?? 'sallyport.yaml');
  await writeFile(configPath, config);
  const child = spawn(process.execPath, [entry, 'start', '--config', configPath, ...(options.args ?? [])], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  const log: LogLine[] = [];
  const listeners = new Set<(line: LogLine) => void>();
  let printed = '';
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const parsed = parseLine(line);
      log.push(parsed);
      for (const listener of listeners) listener(parsed);
    }
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });

  const gateway: TestGateway = {
    process: child,
    directory,
    configPath,
    log,
    write: (text) => writeFile(configPath, text),
    logged(matches, withinMs = 30_000) {
      const past = log.find(matches);
      if (past !== undefined) return Promise.resolve(past);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          listeners.delete(listener);
          reject(
            new Error(
              `no such log line within ${withinMs} ms; the last were:\n${log
                .slice(-20)
                .map((line) => JSON.stringify(line))
                .join('\n')}\n${printed}`,
            ),
          );
        }, withinMs).unref(); // a gateway that did not start keeps no test waiting
        const listener = (line: LogLine): void => {
          if (!matches(line)) return;
          clearTimeout(timer);
          listeners.delete(listener);
          resolve(line);
        };
        listeners.add(listener);
      });
    },
    async cli(...args) {
      const command = spawn(process.execPath, [entry, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...options.env },
      });
      let stdout = '';
      let stderr = '';
      command.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
      });
      command.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      await once(command, 'close');
      return { code: command.exitCode, stdout, stderr };
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        const hard = setTimeout(() => child.kill('SIGKILL'), 15_000);
        await once(child, 'exit');
        clearTimeout(hard);
      }
      await rm(directory, { recursive: true, force: true });
      return child.exitCode;
    },
  };

  const failed = once(child, 'exit').then(() => {
    throw new Error(
      `the gateway did not start (exit code ${child.exitCode}):\n${printed}${log.map((line) => JSON.stringify(line)).join('\n')}`,
    );
  });
  try {
    await Promise.race([gateway.logged((line) => line.msg === 'the gateway is ready'), failed]);
  } catch (error) {
    await gateway.stop();
    throw error;
  } finally {
    failed.catch(() => {});
  }
  return gateway;
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly fileName?: string;
}

/**
 * A port nothing listens on, and that no other test file was or will be given while this one runs: between the choice and the
 * gateway's bind another could be given it too, and two gateways share a port without a word (SO_REUSEPORT).
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const isOurs = await reserve(address.port);
    server.close();
    await once(server, 'close');
    if (isOurs) return address.port;
  }
}

/** Puts a mark on a port that the system takes away with this process: a socket without a file (unix(7), abstract). */
async function reserve(port: number): Promise<boolean> {
  const mark = createServer().listen(`\0sallyport-tests-port-${port}`).unref();
  try {
    await once(mark, 'listening');
    return true;
  } catch (error) {
    // Systems without such sockets go without the mark.
    return !(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE');
  }
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine; // the gateway's own output
  } catch {
    return { msg: line, unparsable: true };
  }
}
