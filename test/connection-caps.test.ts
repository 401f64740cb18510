import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { freePort, startGateway, type TestGateway } from './support/gateway.ts';
import { head, sendRaw } from './support/raw-client.ts';
import { until } from './support/until.ts';
import { startUpstream, type TestUpstream } from './support/upstream.ts';

const CAP = 10;
const TRIES = 60;

/** A cap is the listener's, not a worker's: connections are spread over three workers here. */
describe('connection caps with several workers', () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let perAddress: number;
  let inAll: number;
  let internal: number;

  before(async () => {
    upstream = await startUpstream();
    perAddress = await freePort();
    inAll = await freePort();
    internal = await freePort();
    gateway = await startGateway(`
listeners:
  - { name: per-address, address: 127.0.0.1:${perAddress}, tls: none, limits: { connectionsPerAddress: ${CAP} } }
  - { name: in-all, address: 127.0.0.1:${inAll}, tls: none, limits: { connections: ${CAP} } }
  - { name: internal, exposure: internal, address: 127.0.0.1:${internal}, tls: none }
workers: 3
apis: [{ name: all, upstream: '${upstream.url}', authenticate: none }]
`);
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  async function areFree(): Promise<boolean> {
    const { text } = await sendRaw({ port: internal }, head('GET /metrics HTTP/1.1', 'Connection: close'));
    return /^sallyport_connections\{listener="(?:per-address|in-all)"\} [1-9]/m.test(text) === false;
  }

  for (const [what, portOf] of [
    ['of one address', () => perAddress],
    ['of a listener', () => inAll],
  ] as const) {
    it(`${TRIES} at once: exactly ${CAP} ${what} are served, and closing them frees their places`, async () => {
      for (let round = 0; round < 3; round += 1) {
        const sockets = Array.from({ length: TRIES }, () => connect(portOf(), '127.0.0.1'));
        const served = await Promise.all(sockets.map(isServed));
        assert.equal(served.filter(Boolean).length, CAP);
        for (const socket of sockets) socket.destroy();
        await until('the places to be free', areFree);
      }
    });
  }
});

/** Whether a request on it is answered; the connection stays open then. */
async function isServed(socket: Socket): Promise<boolean> {
  const outcome = Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)]);
  socket.on('error', () => {}); // 'close' follows
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  return await outcome.catch(() => false);
}
