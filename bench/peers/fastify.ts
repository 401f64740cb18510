import { fileURLToPath } from 'node:url';
import { findPackages } from '../node-package.ts';
import type { Job, Launch, Peer } from './peer.ts';

export const fastify: Peer = {
  name: 'fastify',
  title: 'Fastify + @fastify/http-proxy',
  tls: false,
  find: () => findPackages(['fastify', '@fastify/http-proxy']),

  async prepare(job: Job): Promise<Launch> {
    const app = fileURLToPath(new URL('./fastify-app.js', import.meta.url));
    return {
      command: process.execPath,
      args: [app, String(job.port), `http://127.0.0.1:${job.upstreamPort}`],
      env: { NODE_ENV: 'production' },
    };
  },
};
