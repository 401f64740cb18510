import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, type LogLine, startGateway, type TestGateway } from '../support/gateway.ts';
import { assertAlive, devCaOf } from '../support/gateway-under-attack.ts';
import { headerBlock } from '../support/hpack.ts';
import {
  dataFrame,
  FRAME,
  frame,
  type Http2Target,
  headersFrame,
  openHttp2,
  requestFields,
  resetFrame,
} from '../support/http2-frames.ts';
import { mutate, pieces } from '../support/mutate.ts';
import { residentMemory } from '../support/process-memory.ts';
import { parseReplies } from '../support/reply-parser.ts';
import { fuzzFactor, fuzzSeed, type SeededRandom, seededRandom } from '../support/seeded-random.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

/** What a request looked like on its arrival at the upstream. */
interface Arrival {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
}

/**
 * Mutated requests over real sockets, for as long as the budget says. Whatever they are, the process lives, its memory stays flat, its
 * replies are well formed, and what reaches the upstream is one request for each that was matched, with the target that was matched.
 * SALLYPORT_FUZZ multiplies the budget; SALLYPORT_FUZZ_SEED repeats a run.
 */
describe('fuzzing', () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;
  let h2: Http2Target;
  const arrivals: Arrival[] = [];
  const malformed: string[] = [];

  before(async () => {
    upstream = await startUpstream();
    upstream.server.on('request', ({ method = '', url = '', rawHeaders }) =>
      arrivals.push({ method, target: url, rawHeaders }),
    );
    upstream.server.on('clientError', (error, socket) => {
      const fault = readFault(error);
      if (fault !== undefined) malformed.push(fault);
      socket.destroy();
    });
    port = await freePort();
    const tlsPort = await freePort();
    gateway = await startGateway(`
listeners:
  - { name: plain, address: 127.0.0.1:${port}, tls: none, limits: { headerTimeout: 2s, bodyIdleTimeout: 2s } }
  - { name: tls, address: 127.0.0.1:${tlsPort}, limits: { headerTimeout: 2s, bodyIdleTimeout: 2s } }
workers: 1
apis:
  - { name: fuzz, path: /fuzz, upstream: '${upstream.url}', authenticate: none }
  - { name: renamed, path: /before, rewrite: /after, upstream: '${upstream.url}', authenticate: none }
`);
    h2 = { port: tlsPort, ca: devCaOf(gateway) };
  });

  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  it('raw HTTP/1.1 bytes', async (context) => {
    const random = seededRandom(fuzzSeed());
    const blame = (what: string, bytes: Buffer): string =>
      `${what}\nSALLYPORT_FUZZ_SEED=${random.seed}\n${JSON.stringify(bytes.toString('latin1'))}`;
    await assertAlive(gateway, { port }, '/fuzz');
    const memory = residentMemory(gateway.process.pid).now;
    let runs = 0;
    let served = 0;

    async function one(): Promise<void> {
      const request = Array.from({ length: 1 + random.below(2) }, () =>
        mutate(Buffer.from(random.pick(VALID), 'latin1'), random),
      );
      const bytes = Buffer.concat(request);
      runs += 1;
      const { text, closed } = await exchangeBytes(port, pieces(bytes, random), request.length);
      const parsed = parseReplies(text);
      served += parsed.replies.filter((reply) => reply.status === 200).length;
      assert.ok(
        parsed.fault === undefined || (parsed.cut && !closed),
        blame(`a reply is malformed: ${parsed.fault} in ${JSON.stringify(text.slice(-400))}`, bytes),
      );
      for (const reply of parsed.replies) {
        assert.equal(reply.headers.get('x-request-id')?.length, 1, blame('a reply has no request id', bytes));
        assert.ok(
          reply.status < 500 || reply.status === 501 || reply.status === 505,
          blame(`status ${reply.status}`, bytes),
        );
      }
      assert.equal(gateway.process.exitCode, null, blame('the process ended', bytes));
    }

    const end = Date.now() + 6_000 * fuzzFactor();
    // A run draws its random numbers before it first waits, so the seed brings back all of them in their order.
    while (Date.now() < end) await Promise.all(Array.from({ length: 32 }, one));

    await assertAlive(gateway, { port }, '/fuzz');
    context.diagnostic(
      `${runs} runs, ${served} requests served, ${arrivals.length} reached the upstream; SALLYPORT_FUZZ_SEED=${random.seed}`,
    );
    assert.ok(served > runs / 10, `only ${served} of ${runs} were served: the mutations leave nothing whole`);
    assert.deepEqual(malformed, [], `the upstream could not read what it got; SALLYPORT_FUZZ_SEED=${random.seed}`);
    await assertArrivals(random);
    const grownBy = residentMemory(gateway.process.pid).now - memory;
    assert.ok(grownBy < 160, `grew by ${grownBy} MiB; SALLYPORT_FUZZ_SEED=${random.seed}`);
  });

  it('raw HTTP/2 frames', async (context) => {
    const random = seededRandom(fuzzSeed());
    await assertAlive(gateway, h2, '/fuzz');
    const memory = residentMemory(gateway.process.pid).now;
    let runs = 0;

    async function one(): Promise<void> {
      runs += 1;
      const bytes = mutateFrames(validFrames(random), random);
      const connection = await openHttp2(h2);
      for (const piece of pieces(bytes, random)) {
        connection.write(piece);
        await sleep(0);
      }
      await connection.until(() => connection.isOver || [1, 3, 5].every((stream) => connection.hasEnded(stream)), 60);
      connection.close();
      assert.equal(
        gateway.process.exitCode,
        null,
        `the process ended; SALLYPORT_FUZZ_SEED=${random.seed}; ${bytes.toString('hex')}`,
      );
    }

    const end = Date.now() + 3_000 * fuzzFactor();
    while (Date.now() < end) await Promise.all(Array.from({ length: 8 }, one));

    await assertAlive(gateway, h2, '/fuzz');
    context.diagnostic(`${runs} runs; SALLYPORT_FUZZ_SEED=${random.seed}`);
    assert.deepEqual(malformed, [], `the upstream could not read what it got; SALLYPORT_FUZZ_SEED=${random.seed}`);
    await assertArrivals(random);
    const grownBy = residentMemory(gateway.process.pid).now - memory;
    assert.ok(grownBy < 160, `grew by ${grownBy} MiB; SALLYPORT_FUZZ_SEED=${random.seed}`);
  });

  /** Judges everything that reached the upstream, and compares it with what the gateway says it matched. */
  async function assertArrivals(random: SeededRandom): Promise<void> {
    await sleep(300); // the last lines of the log
    const matched = new Map<unknown, LogLine>();
    for (const line of gateway.log) if (line['requestId'] !== undefined) matched.set(line['requestId'], line);
    const ids = new Set<string>();
    for (const arrival of arrivals) {
      const blame = `${JSON.stringify(arrival)}\nSALLYPORT_FUZZ_SEED=${random.seed}`;
      assertTarget(arrival.target, blame);
      const id = assertFields(arrival.rawHeaders, `127.0.0.1:${upstream.port}`, blame);
      assert.ok(!ids.has(id), `two requests came of one: ${blame}`);
      ids.add(id);
      const line = matched.get(id);
      assert.ok(line !== undefined, `the gateway does not know of this request: ${blame}`);
      const path = arrival.target.split('?')[0] ?? '';
      const asMatched = path.startsWith('/after') ? `/before${path.slice('/after'.length)}` : path;
      assert.equal(line['api'], path.startsWith('/after') ? 'renamed' : 'fuzz', blame);
      assert.equal(line['method'], arrival.method, blame);
      // The log cuts long texts, and takes out what looks like a credential.
      const [logged = ''] = String(line['path']).split('[redacted]');
      if (asMatched.length < 512) assert.equal(asMatched.slice(0, logged.length), logged, blame);
      if (asMatched.length < 512 && logged === line['path']) assert.equal(asMatched, logged, blame);
    }
  }
});

/** What the upstream could not read. That the gateway broke off a request is no fault of it; that it garbled one is. */
function readFault(error: Error): string | undefined {
  const code = 'code' in error ? String(error.code) : '';
  if (!code.startsWith('HPE_') || code === 'HPE_INVALID_EOF_STATE') return undefined;
  const bytes = 'rawPacket' in error && Buffer.isBuffer(error.rawPacket) ? error.rawPacket.toString('latin1') : '';
  return `${code}: ${error.message} in ${JSON.stringify(bytes.slice(0, 300))}`;
}

/** What RFC 3986 and the two APIs allow a target to be; written without a look at the gateway's own rules. */
function assertTarget(target: string, blame: string): void {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  assert.match(target, /^[\x21-\x7e]+$/, blame);
  assert.ok(!target.includes('#'), blame);
  assert.ok(/^\/(?:fuzz|after)(?:\/|$)/.test(path), `outside of what is published: ${blame}`);
  assert.ok(!path.includes('//') && !path.includes('\\'), blame);
  const segments = path.split('/');
  assert.ok(!segments.some((segment) => /^\.\.?(?:;|$)/.test(segment)), `a dot segment: ${blame}`);
  for (const [triplet] of path.matchAll(/%.{0,2}/g)) {
    assert.match(triplet, /^%[0-9A-F]{2}$/, blame);
    const octet = Number.parseInt(triplet.slice(1), 16);
    assert.ok(octet >= 0x20 && octet !== 0x7f, `an encoded control character: ${blame}`);
    assert.ok(!/[A-Za-z0-9._~-]/.test(String.fromCharCode(octet)), `an encoded unreserved character: ${blame}`);
    assert.ok(!'/\\#?;'.includes(String.fromCharCode(octet)), `an encoded delimiter: ${blame}`);
  }
  decodeURIComponent(path); // throws where the escapes make no UTF-8
}

/** Returns the request id. */
function assertFields(rawHeaders: readonly string[], host: string, blame: string): string {
  const fields = new Map<string, string[]>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    assert.match(name, /^[A-Za-z0-9-]+$/, `a field name with an alias: ${blame}`);
    assert.match(value, /^[\t\x20-\x7e]*$/, blame);
    fields.set(name.toLowerCase(), [...(fields.get(name.toLowerCase()) ?? []), value]);
  }
  for (const name of fields.keys()) {
    assert.ok(
      !/^(?:x-user|x-remote-.*|remote-.*|x-original-.*|x-real-ip|x-client-cert|x-sallyport-.*)$/.test(name),
      `an identity header: ${blame}`,
    );
    assert.ok(
      !/^(?:keep-alive|proxy-.*|te|trailer|upgrade|http2-settings)$/.test(name) || fields.has('upgrade'),
      `a field of the connection: ${blame}`,
    );
  }
  assert.deepEqual(fields.get('host'), [host], blame);
  assert.deepEqual(fields.get('x-forwarded-for'), ['127.0.0.1'], blame);
  assert.equal(fields.get('x-forwarded-host')?.length, 1, blame);
  assert.equal(fields.get('forwarded')?.length, 1, blame);
  assert.match(fields.get('via')?.at(-1) ?? '', /sallyport$/, blame);
  assert.ok(
    (fields.get('content-length')?.length ?? 0) + (fields.get('transfer-encoding')?.length ?? 0) <= 1,
    `two framings: ${blame}`,
  );
  const [id = '', ...more] = fields.get('x-request-id') ?? [];
  assert.ok(id !== '' && id !== 'mallory' && more.length === 0, `no request id, or several: ${blame}`);
  return id;
}

/** Writes the pieces one after the other, and reads until the connection ends, `replies` replies are there, or nothing more comes. */
function exchangeBytes(
  port: number,
  parts: readonly Buffer[],
  replies: number,
): Promise<{ readonly text: string; readonly closed: boolean }> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    let timer: NodeJS.Timeout | undefined;
    const finish = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, closed });
    };
    const restart = (): void => {
      clearTimeout(timer);
      const parsed = parseReplies(text);
      const complete = parsed.fault === undefined && parsed.replies.length >= replies;
      timer = setTimeout(() => finish(false), complete ? 10 : 60);
    };
    let reset = false;
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
      restart();
    });
    socket.on('error', () => {
      reset = true; // what had come before it may be lost
    });
    socket.on('close', () => finish(!reset));
    socket.on('connect', async () => {
      for (const part of parts) {
        if (!socket.writable) break;
        socket.write(part);
        if (parts.length > 1) await sleep(1);
      }
      restart();
    });
  });
}

function validFrames(random: SeededRandom): Buffer[] {
  const get = headerBlock([
    ...requestFields('/fuzz/h2'),
    ['x-user', 'mallory'],
    ['cookie', 'a=b'],
    ['cookie', 'c=d'],
    ['accept', '*/*'],
  ]);
  const post = headerBlock([
    ...requestFields('/before/h2?a=b', 'POST'),
    ['content-length', '5'],
    ['content-type', 'text/plain'],
  ]);
  return [
    headersFrame(1, get),
    headersFrame(3, post, { endStream: false }),
    dataFrame(3, 'hello'),
    ...(random.oneIn(3) ? [resetFrame(3)] : []),
    ...(random.oneIn(3) ? [frame(FRAME.ping, 0, 0, '12345678')] : []),
    headersFrame(5, post, { endStream: false }),
    dataFrame(5, 'he', { endStream: false }),
    dataFrame(5, 'llo', { endStream: false }),
    headersFrame(5, headerBlock([['x-trailer', 'y']])),
  ];
}

function mutateFrames(frames: Buffer[], random: SeededRandom): Buffer {
  const list = [...frames];
  if (random.oneIn(3)) list.splice(random.below(list.length), 1);
  if (random.oneIn(3)) list.splice(random.below(list.length), 0, random.pick(list));
  const bytes = Buffer.from(Buffer.concat(list));
  for (let flips = random.below(6); flips > 0; flips -= 1) bytes[random.below(bytes.length)] = random.below(256);
  return random.oneIn(6) ? bytes.subarray(0, random.below(bytes.length)) : bytes;
}

const VALID: readonly string[] = [
  'GET /fuzz/a/b?c=d HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: fuzz\r\n\r\n',
  'GET /fuzz/%7Ea;b=c HTTP/1.1\r\nHost: localhost\r\nX-User: mallory\r\nX_User: mallory\r\nX-Real-IP: 6.6.6.6\r\n\r\n',
  'GET /before/x HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n',
  'GET http://localhost/fuzz/absolute HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n',
  'POST /fuzz/length HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 44\r\n\r\nGET /secret HTTP/1.1\r\nHost: localhost\r\nA: b\r\n\r\n',
  'POST /before/chunked HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1a;a=b\r\nGET /secret HTTP/1.1\r\nA: b\r\n0\r\n\r\n',
  'POST /fuzz/trailers HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: u\r\nX-User: mallory\r\n\r\n',
  'POST /fuzz/empty HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n',
  'PUT /fuzz/continue HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc',
  'DELETE /fuzz/close HTTP/1.1\r\nHost: localhost\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\r\n',
  'GET /fuzz/old HTTP/1.0\r\nHost: localhost\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET /fuzz/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
];
