import assert from 'node:assert/strict';
import { freePort, startGateway, type TestGateway } from './gateway.ts';
import { devCaOf } from './gateway-under-attack.ts';
import type { Http2Target } from './http2-frames.ts';
import { head, sendRaw } from './raw-client.ts';
import { startUpstream } from './upstream.ts';

/** A gateway with small limits, in front of an upstream that counts. */
export interface LimitedGateway {
  readonly gateway: TestGateway;
  /** TLS, with short timeouts. */
  readonly h2: Http2Target;
  /** Plain text, with timeouts of a second. */
  readonly slow: number;
  /** Eight connections, five of one address. */
  readonly few: number;
  /** Three requests a connection. */
  readonly counted: number;
  /** Plain text, with the limits as they come. */
  readonly wide: number;
  /** How many requests for a path have reached the upstream. */
  reached(path: string): number;
  /** How many replies of `…/large`, 64 MiB each, the upstream was stopped from writing to their end. */
  cutReplies(): number;
  /** The upstream of /slots has one connection: whoever gets an answer had it. */
  assertSlotFree(): Promise<void>;
  stop(): Promise<void>;
}

/** More than this, in MiB, nothing may hold: a young generation of garbage, and no part of what an attack sent. */
export const FLAT = 160;

export async function startLimitedGateway(): Promise<LimitedGateway> {
  let cutReplies = 0;
  const upstream = await startUpstream((_request, response, seen) => {
    if (seen.target.endsWith('/large')) {
      response.on('close', () => {
        if (!response.writableFinished) cutReplies += 1;
      });
      response.writeHead(200, { 'Content-Length': LARGE.length });
      response.end(LARGE);
      return;
    }
    const body = JSON.stringify({ target: seen.target, length: seen.body.length });
    response.writeHead(200, { 'Content-Length': body.length });
    response.end(body);
  });
  const tls = await freePort();
  const ports = { slow: await freePort(), few: await freePort(), counted: await freePort(), wide: await freePort() };
  const gateway = await startGateway(`
listeners:
  - { name: h2, address: 127.0.0.1:${tls}, limits: { headerTimeout: 1500ms, idleTimeout: 2s, connectionsPerAddress: 3000, bodyIdleTimeout: 1s, writeIdleTimeout: 1s } }
  - { name: slow, address: 127.0.0.1:${ports.slow}, tls: none, limits: { headerTimeout: 1s, idleTimeout: 1s, bodyIdleTimeout: 1s, writeIdleTimeout: 1s } }
  - { name: few, address: 127.0.0.1:${ports.few}, tls: none, limits: { connections: 8, connectionsPerAddress: 5 } }
  - { name: counted, address: 127.0.0.1:${ports.counted}, tls: none, limits: { requestsPerConnection: 3 } }
  - { name: wide, address: 127.0.0.1:${ports.wide}, tls: none }
workers: 1
upstreams:
  slots: { targets: ['${upstream.url}'], connections: 1 }
apis:
  - { name: all, upstream: '${upstream.url}', authenticate: none }
  - { name: slots, path: /slots, upstream: slots, authenticate: none }
  - { name: small, path: /small, upstream: '${upstream.url}', authenticate: none, requestLimits: { bodyBytes: 1KiB } }
`);
  return {
    gateway,
    h2: { port: tls, ca: devCaOf(gateway) },
    ...ports,
    reached: (path) => upstream.seen.filter((seen) => seen.target === path).length,
    cutReplies: () => cutReplies,
    async assertSlotFree() {
      const reply = await sendRaw({ port: ports.wide }, head('GET /slots/free HTTP/1.1'), { quietMs: 8_000 });
      assert.equal(reply.status, 200, `the slot is taken: ${reply.text.slice(0, 200)}`);
    },
    async stop() {
      await gateway.stop();
      await upstream.close();
    },
  };
}

const LARGE = Buffer.alloc(64 * 1024 * 1024, 0x61);
