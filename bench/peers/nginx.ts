import { NGINX_INSTALL, prepareNginx } from '../nginx-config.ts';
import { findProgram, versionOf } from '../programs.ts';
import type { Found, Job, Launch, Missing, Peer } from './peer.ts';

export const nginx: Peer = {
  name: 'nginx',
  title: 'nginx',
  tls: true,

  async find(): Promise<Found | Missing> {
    const program = findProgram('nginx');
    if (program === undefined) return { missing: 'nginx is not installed', install: NGINX_INSTALL };
    return { version: await versionOf(program, ['-v'], /nginx\/(\S+)/) };
  },

  async prepare(job: Job): Promise<Launch> {
    return prepareNginx({ directory: job.directory, connections: job.connections, http: proxy(job) });
  },
};

function proxy(job: Job): string {
  const listen =
    job.tls === undefined
      ? `listen 127.0.0.1:${job.port};`
      : `listen 127.0.0.1:${job.port} ssl;
    ssl_certificate ${job.tls.certFile};
    ssl_certificate_key ${job.tls.keyFile};
    ssl_protocols TLSv1.2 TLSv1.3;`;
  return `  upstream app {
    server 127.0.0.1:${job.upstreamPort};
    keepalive 128;
    keepalive_requests 1000000000;
  }
  server {
    ${listen}
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }`;
}
