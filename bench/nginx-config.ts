import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Launch } from './peers/peer.ts';
import { findProgram } from './programs.ts';

export const NGINX_INSTALL = 'apt-get install nginx-light, or your system’s package of nginx';

interface NginxSetup {
  readonly directory: string;
  readonly connections: number;
  /** The directives inside `http { }`. */
  readonly http: string;
}

/** Writes a configuration that keeps all of nginx's files in one directory, so that no root is needed, and says how to start it. */
export async function prepareNginx(setup: NginxSetup): Promise<Launch> {
  const command = findProgram('nginx');
  if (command === undefined) throw new Error(`nginx is not installed: ${NGINX_INSTALL}`);
  const file = join(setup.directory, 'nginx.conf');
  await mkdir(join(setup.directory, 'temporary'), { recursive: true });
  await writeFile(file, configuration(setup));
  return { command, args: ['-p', setup.directory, '-e', 'error.log', '-c', file, '-g', 'daemon off;'], env: {} };
}

function configuration(setup: NginxSetup): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${join(setup.directory, 'temporary', kind)};`)
    .join('\n');
  return `worker_processes 1;
pid nginx.pid;
error_log error.log warn;
worker_rlimit_nofile ${setup.connections * 2 + 1024};
events { worker_connections ${setup.connections + 1024}; }
http {
${temporary}
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
${setup.http}
}
`;
}
