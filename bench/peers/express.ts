import { fileURLToPath } from 'node:url';
import { findPackages } from '../node-package.ts';
import type { Job, Launch, Peer } from './peer.ts';

export const express: Peer = {
  name: 'express',
  title: 'Express + http-proxy-middleware',
  tls: false,
  find: () => findPackages(['express', 'http-proxy-middleware']),

  async prepare(job: Job): Promise<Launch> {
    const app = fileURLToPath(new URL('./express-app.js', import.meta.url));
    return {
      command: process.execPath,
      args: [app, String(job.port), `http://127.0.0.1:${job.upstreamPort}`],
      env: { NODE_ENV: 'production' },
    };
  },
};
