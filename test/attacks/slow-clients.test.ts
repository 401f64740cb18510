import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { assertAlive } from '../support/gateway-under-attack.ts';
import { FLAT, type LimitedGateway, startLimitedGateway } from '../support/limited-gateway.ts';
import { residentMemory } from '../support/process-memory.ts';
import { head } from '../support/raw-client.ts';
import { SlowClient } from '../support/slow-client.ts';
import { until } from '../support/until.ts';

/** Attack case 27: who makes the gateway wait is cut off, and what he held is free. */
describe('attacks by slowness', () => {
  let house: LimitedGateway;

  before(async () => {
    house = await startLimitedGateway();
  });

  after(() => house?.stop());

  it('a head that dribbles: 408 or close', async () => {
    const client = new SlowClient(house.slow);
    client.write('GET /x HTTP/1.1\r\nHost: localhost\r\n');
    client.dribble('X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
    await client.assertCut(/^(?:HTTP\/1\.1 408 |$)/);
  });

  it('a head that dribbles on a connection that was in use: 408 or close', async () => {
    const client = new SlowClient(house.slow);
    client.write(head('GET /x HTTP/1.1'));
    await client.heard(/"target":"\/x"/);
    client.dribble(
      'GET /x HTTP/1.1\r\nX-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    );
    await client.assertCut(/^HTTP\/1\.1 200 [\s\S]*?\}(?:HTTP\/1\.1 408 [\s\S]*)?$/);
  });

  it('blank lines do not count as a request', async () => {
    const client = new SlowClient(house.slow);
    client.dribble('\r\n'.repeat(200));
    await client.assertCut(/^(?:HTTP\/1\.1 4\d\d |$)/);
  });

  it('a connection that says nothing is closed, before its first request and after', async () => {
    const [fresh, used] = [new SlowClient(house.slow), new SlowClient(house.slow)];
    used.write(head('GET /x HTTP/1.1'));
    await Promise.all([fresh.assertCut(/^(?:HTTP\/1\.1 408 |$)/), used.assertCut(/^HTTP\/1\.1 200 /)]);
  });

  it('a body that stops: 408, and the slot of the upstream is free', async () => {
    const client = new SlowClient(house.slow);
    client.write(head('POST /slots/x HTTP/1.1', 'Content-Length: 100') + 'abc');
    await client.assertCut(/^HTTP\/1\.1 408 /);
    await house.assertSlotFree();
  });

  it('a chunked body that stops in a chunk: 408, and the slot is free', async () => {
    const client = new SlowClient(house.slow);
    client.write(`${head('POST /slots/x HTTP/1.1', 'Transfer-Encoding: chunked')}ff\r\nabc`);
    await client.assertCut(/^HTTP\/1\.1 408 /);
    await house.assertSlotFree();
  });

  it('a body that dribbles faster than the limit is slow, but honest', async () => {
    const client = new SlowClient(house.slow);
    client.write(head('POST /slots/x HTTP/1.1', 'Content-Length: 20', 'Connection: close'));
    client.dribble('aaaaaaaaaaaaaaaaaaaa');
    await client.assertCut(/^HTTP\/1\.1 200 [\s\S]*"length":20/);
  });

  it('a client that reads nothing of a large reply is cut off, and the slot is free', async () => {
    const before = house.cutReplies();
    const client = new SlowClient(house.slow);
    client.socket.pause();
    client.write(head('GET /slots/large HTTP/1.1'));
    await until('the upstream stops writing', () => house.cutReplies() > before, 20_000);
    await house.assertSlotFree();
    client.socket.destroy();
  });

  it('memory is bounded while 40 clients read nothing of large replies', async () => {
    const clients = Array.from({ length: 40 }, () => new SlowClient(house.wide));
    const before = residentMemory(house.gateway.process.pid).now;
    for (const client of clients) {
      client.socket.pause();
      client.write(head('GET /large HTTP/1.1'));
    }
    await until('all large replies have begun', () => house.reached('/large') === clients.length);
    let most = 0;
    for (let look = 0; look < 10; look += 1) {
      await assertAlive(house.gateway, { port: house.wide });
      most = Math.max(most, residentMemory(house.gateway.process.pid).now - before);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    for (const client of clients) client.socket.destroy();
    assert.ok(most < FLAT, `grew by ${most} MiB of the ${clients.length * 64} that were asked for`);
  });
});
