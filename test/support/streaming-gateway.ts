import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { askGateway, type ReloadOutcome } from '../../src/process/control-socket.ts';
import { freePort, startGateway, type TestGateway } from './gateway.ts';
import { type StreamUpstream, startStreamUpstream } from './stream-upstream.ts';

/** A gateway of one worker before an upstream of streams: everything under `/`, and `/small` with bodies of 1 MiB at most. */
export interface StreamingGateway {
  readonly upstream: StreamUpstream;
  readonly gateway: TestGateway;
  /** Plain HTTP. */
  readonly port: number;
  readonly tlsPort: number;
  /** The development CA. */
  readonly ca: string;
  /** The configuration with that many upstream connections: another number makes another upstream, and retires the one before. */
  config(connections: number): string;
  reload(): Promise<ReloadOutcome>;
  /** Upstream connections with a request on them. */
  activeConnections(): Promise<number>;
  close(): Promise<void>;
}

export async function startStreamingGateway(): Promise<StreamingGateway> {
  const upstream = await startStreamUpstream();
  const port = await freePort();
  const tlsPort = await freePort();
  const config = (connections: number): string => `
listeners:
  - { name: plain, address: 127.0.0.1:${port}, tls: none }
  - { name: secure, address: 127.0.0.1:${tlsPort} }
workers: 1
drain: 2s
upstreams: { streams: { targets: ['${upstream.url}'], connections: ${connections} } }
apis:
  - { name: files, upstream: streams, authenticate: none, requestLimits: { bodyBytes: 2GiB } }
  - { name: small, path: /small, rewrite: /, upstream: streams, authenticate: none, requestLimits: { bodyBytes: 1MiB } }
`;
  const gateway = await startGateway(config(64));
  return {
    upstream,
    gateway,
    port,
    tlsPort,
    ca: await readFile(join(gateway.directory, '.sallyport/dev-ca/ca.pem'), 'utf8'),
    config,
    reload: () => askGateway<ReloadOutcome>(join(gateway.directory, '.sallyport'), 'POST', '/reload'),
    async activeConnections() {
      upstream.server.closeIdleConnections(); // those the gateway keeps for later
      return await upstream.connections();
    },
    async close() {
      await gateway.stop();
      await upstream.close();
    },
  };
}
