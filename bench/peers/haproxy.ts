import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, versionOf } from '../programs.ts';
import type { Found, Job, Launch, Missing, Peer } from './peer.ts';

const INSTALL = 'apt-get install haproxy, or your system’s package of HAProxy';

export const haproxy: Peer = {
  name: 'haproxy',
  title: 'HAProxy',
  tls: true,

  async find(): Promise<Found | Missing> {
    const program = findProgram('haproxy');
    if (program === undefined) return { missing: 'HAProxy is not installed', install: INSTALL };
    return { version: await versionOf(program, ['-v'], /version (\d+\.\d+\.\d+)/) };
  },

  async prepare(job: Job): Promise<Launch> {
    const command = findProgram('haproxy');
    if (command === undefined) throw new Error(`HAProxy is not installed: ${INSTALL}`);
    const file = join(job.directory, 'haproxy.cfg');
    await writeFile(file, configuration(job, await tlsPart(job)));
    return { command, args: ['-db', '-f', file], env: {} };
  },
};

/** HAProxy reads certificate and key from one file. */
async function tlsPart(job: Job): Promise<string> {
  if (job.tls === undefined) return '';
  const file = join(job.directory, 'certificate-and-key.pem');
  const pem = `${await readFile(job.tls.certFile, 'utf8')}${await readFile(job.tls.keyFile, 'utf8')}`;
  await writeFile(file, pem, { mode: 0o600 });
  return ` ssl crt ${file} ssl-min-ver TLSv1.2`;
}

/** `no strict-limits`: HAProxy wants two file descriptors for each connection and else refuses to start; idle ones need one. */
function configuration(job: Job, tls: string): string {
  return `global
  nbthread 1
  no strict-limits
  maxconn ${job.connections + 512}

defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 60s
  timeout http-keep-alive 600s
  option forwardfor

frontend public
  bind 127.0.0.1:${job.port}${tls}
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  default_backend app

backend app
  http-reuse always
  server app 127.0.0.1:${job.upstreamPort}
`;
}
