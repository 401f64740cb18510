import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type InstanceOptions, type Stage, startInstance, verifyInstance } from './instance.ts';
import type { Options } from './options.ts';
import type { Peer } from './peers/peer.ts';
import { residentBytes } from './process-tree.ts';
import { findProgram } from './programs.ts';
import type { Failure, MemoryRow, Rows } from './results.ts';

/** Table 2: what idle TLS keep-alive connections weigh. A fresh process for each count, so that none inherits a heap. */
export async function measureMemory(stage: Stage, peers: readonly Peer[], options: Options): Promise<Rows<MemoryRow>> {
  if (findProgram('openssl') === undefined) {
    return { rows: [], failures: [], skipped: 'openssl is not installed: apt-get install openssl' };
  }
  const tls = await makeCertificate(stage.workDirectory);
  const rows: MemoryRow[] = [];
  const failures: Failure[] = [];
  for (const connections of options.idleConnections) {
    for (const peer of peers.filter((one) => one.tls)) {
      stage.signal.throwIfAborted();
      try {
        rows.push(await measurePeer(stage, peer, { connections, tls }));
      } catch (error) {
        failures.push({ peer: `${peer.title}, ${connections} connections`, reason: String(error) });
      }
    }
  }
  return { rows, failures, skipped: undefined };
}

type TlsOptions = InstanceOptions & { readonly tls: NonNullable<InstanceOptions['tls']> };

async function measurePeer(stage: Stage, peer: Peer, options: TlsOptions): Promise<MemoryRow> {
  const { connections, tls } = options;
  await requireOpenFiles(connections);
  const instance = await startInstance(stage, peer, options);
  const { pid } = instance.running;
  try {
    await verifyInstance(stage, instance, { ca: tls.ca });
    const bytesBefore = residentBytes(pid);
    return await withIdleConnections(
      stage,
      { port: instance.port, connections, certFile: tls.certFile },
      async (countOpen) => {
        await sleep(2_000);
        const bytesAfter = residentBytes(pid);
        return { peer: peer.title, connections, stillOpen: await countOpen(), bytesBefore, bytesAfter };
      },
    );
  } finally {
    await stage.processes.stop(instance.running);
  }
}

interface IdleLoad {
  readonly port: number;
  readonly connections: number;
  readonly certFile: string;
}

/** Runs `measure` while another process holds the connections open. */
async function withIdleConnections<Result>(
  stage: Stage,
  load: IdleLoad,
  measure: (countOpen: () => Promise<number>) => Promise<Result>,
): Promise<Result> {
  const script = fileURLToPath(new URL('./idle-client.ts', import.meta.url));
  const command = [process.execPath, script, String(load.port), String(load.connections), load.certFile];
  const client = spawn('taskset', ['-c', String(stage.loadCore), ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
    signal: stage.signal,
  });
  const ended = new Promise<void>((resolve) => client.once('close', () => resolve()));
  client.on('error', () => {}); // an aborted run rejects below, through the end of its output
  const lines = createInterface({ input: client.stdout })[Symbol.asyncIterator]();
  const nextCount = async (): Promise<number> => readCount((await lines.next()).value);
  try {
    await nextCount();
    return await measure(() => {
      client.stdin.write('count\n');
      return nextCount();
    });
  } finally {
    client.stdin.end();
    await ended;
  }
}

function readCount(line: string | undefined): number {
  const said: unknown = JSON.parse(line ?? '{"error":"the connection opener ended"}');
  if (typeof said === 'object' && said !== null && 'open' in said) return Number(said.open);
  throw new Error(`the connections could not be opened: ${line ?? 'the connection opener ended'}`);
}

async function makeCertificate(workDirectory: string): Promise<TlsOptions['tls']> {
  await mkdir(workDirectory, { recursive: true });
  const directory = await mkdtemp(join(workDirectory, 'certificate-'));
  const certFile = join(directory, 'certificate.pem');
  const keyFile = join(directory, 'key.pem');
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  await promisify(execFile)('openssl', ['req', '-x509', '-days', '2', ...key, '-out', certFile, ...subject]);
  return { certFile, keyFile, ca: await readFile(certFile, 'utf8') };
}

/** Node raises its own limit on open files to the hard one and its children inherit that; only root goes further. */
async function requireOpenFiles(connections: number): Promise<void> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const hard = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  if (hard < connections + 1_000) {
    throw new Error(`the limit on open files is ${hard}: run it after \`ulimit -n ${connections * 3}\``);
  }
}
