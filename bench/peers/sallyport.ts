import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Found, Job, Launch, Missing, Peer } from './peer.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** One worker and no access log: the same job as the nginx and HAProxy beside it. */
export const sallyport: Peer = {
  name: 'sallyport',
  title: 'Sallyport, one worker, no access log',
  tls: true,
  find,
  prepare: (job) => prepareSallyport(job, { top: ['workers: 1', 'log: { access: false }'], authenticate: 'none' }),
};

/** As it comes: the access log on (written to a file) and as many workers as it finds cores, here one. */
export const sallyportDefaults: Peer = {
  name: 'sallyport-defaults',
  title: 'Sallyport, defaults, access log on',
  tls: false,
  find,
  prepare: (job) => prepareSallyport(job, { top: [], authenticate: 'none' }),
};

async function find(): Promise<Found | Missing> {
  const manifest: unknown = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return { version: known ? String(manifest.version) : 'unknown' };
}

/** What a table sets up differently; all of it is YAML. */
export interface SallyportOptions {
  /** Lines at the top of the file. */
  readonly top: readonly string[];
  readonly authenticate: string;
  readonly cors?: string;
}

export async function prepareSallyport(job: Job, settings: SallyportOptions): Promise<Launch> {
  const file = join(job.directory, 'sallyport.yaml');
  await writeFile(file, configuration(job, settings));
  return {
    command: process.execPath,
    args: [join(ROOT, 'src/main.ts'), 'start', '--config', file],
    env: { NODE_ENV: 'production' },
  };
}

function configuration(job: Job, settings: SallyportOptions): string {
  const tls =
    job.tls === undefined
      ? 'none'
      : `{ certificates: [{ cert: ${JSON.stringify(job.tls.certFile)}, key: ${JSON.stringify(job.tls.keyFile)} }] }`;
  // All connections of the bench come from one address, and idle ones must outlast the measurement.
  const limits =
    job.connections > 500
      ? `\n    limits: { connections: ${job.connections + 512}, connectionsPerAddress: ${job.connections + 512}, idleTimeout: 600s }`
      : '';
  return `${settings.top.map((line) => `${line}\n`).join('')}dataDir: ${JSON.stringify(join(job.directory, 'data'))}
listeners:
  - name: public
    address: 127.0.0.1:${job.port}
    tls: ${tls}${limits}
apis:
  - name: bench
    path: /
    authenticate: ${settings.authenticate}${settings.cors === undefined ? '' : `\n    cors: ${settings.cors}`}
    upstream: http://127.0.0.1:${job.upstreamPort}
`;
}
