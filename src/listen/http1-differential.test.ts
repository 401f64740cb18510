import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { cutBytes } from '../../test/support/cut-bytes.ts';
import type { Exchange } from '../exchange.ts';
import { canonicalTarget } from '../lib/canonical-target.ts';
import { RequestFields, readRequestFields, readTrailerFields } from './request-fields.ts';
import { sizes, stream } from './test-http1-streams.ts';
import { readAll, reply, TestListener } from './test-listener.ts';

// Requests get past a gateway where it and a server behind it read the same bytes in two ways (attacks 18 and 19). The reader of
// this listener is held against another one here: llhttp, as Node's own server uses it. It may refuse more, never read otherwise.

const FUZZ = Number(process.env['SALLYPORT_FUZZ'] ?? 1);

interface Read {
  readonly method: string;
  readonly target: unknown;
  readonly version: string;
  /** What the listener passes on: the rules on names and values are its own, the reading of the lines is what is compared. */
  readonly fields: readonly string[];
  body: string;
  trailers: readonly string[] | undefined;
  complete: boolean;
}

interface Outcome {
  readonly requests: readonly Read[];
  /** The replies in their order; which of several faults is found first may depend on what has come, so a refusal has no number. */
  readonly replies: readonly string[];
}

describe('a stream of requests, valid or not', () => {
  let test: TestListener;
  /** Whether the road reads bodies before it answers, or leaves them to the listener. */
  let reads = true;
  before(async () => {
    test = await TestListener.start({}, (exchange) => {
      const read = ourReading(exchange);
      ours.push(read);
      if (exchange.body === undefined || !reads) {
        reply(exchange, 200, [], 'ok');
        return;
      }
      exchange.body
        .on('data', (data: Buffer) => {
          read.body += data.toString('latin1');
        })
        .on('end', () => {
          read.complete = true;
          read.trailers = exchange.trailers();
          reply(exchange, 200, [], 'ok');
        })
        .on('error', () => {});
    });
  });
  after(() => test[Symbol.asyncDispose]());
  let ours: Read[] = [];

  /** What the listener makes of a stream that comes in these pieces. */
  async function send(pieces: readonly Buffer[]): Promise<Outcome> {
    ours = [];
    const socket = await test.connect();
    socket.setNoDelay(true);
    const text = readAll(socket);
    for (const piece of pieces.slice(0, -1)) {
      if (!socket.writable) break;
      socket.write(piece);
      // A turn of the event loop, in which the piece is read.
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end(pieces.at(-1) ?? '');
    const replies = (await text).match(/HTTP\/1\.1 [2-5]\d\d/g) ?? [];
    test.exchanges.length = 0;
    test.open.delete(socket);
    return { requests: ours, replies: replies.map((line) => (line >= 'HTTP/1.1 400' ? 'refused' : line.slice(-3))) };
  }

  it('is read as llhttp reads it, or refused', async () => {
    await fc.assert(
      fc.asyncProperty(stream, async (text) => {
        reads = true;
        const { requests } = await send([Buffer.from(text, 'latin1')]);
        const theirs = await llhttpReading(text);
        for (const [index, request] of requests.entries()) {
          const other = theirs[index];
          if (other?.complete !== true && stopsLlhttp(text)) return;
          assert.ok(other, `llhttp reads no request ${index}: ${JSON.stringify(request)}`);
          const { body, trailers, complete, ...head } = request;
          const { body: otherBody, trailers: otherTrailers, complete: otherComplete, ...otherHead } = other;
          assert.deepEqual(head, otherHead);
          if (complete) {
            assert.ok(otherComplete, 'llhttp does not read the body to its end');
            assert.deepEqual({ body, trailers }, { body: otherBody, trailers: otherTrailers });
          } else {
            assert.ok(
              otherBody.startsWith(body) || body.startsWith(otherBody),
              `${body} is no beginning of ${otherBody}`,
            );
          }
        }
      }),
      { numRuns: 700 * FUZZ },
    );
  });

  it('is read the same in whatever pieces it comes', async () => {
    await fc.assert(
      fc.asyncProperty(stream, sizes, fc.boolean(), async (text, parts, reading) => {
        reads = reading;
        const bytes = Buffer.from(text, 'latin1');
        assert.deepEqual(await send(cutBytes(bytes, parts)), await send([bytes]));
      }),
      { numRuns: 150 * FUZZ },
    );
  });

  it('has the same requests where bodies are left unread, as far as they are served', async () => {
    await fc.assert(
      fc.asyncProperty(stream, async (text) => {
        const bytes = Buffer.from(text, 'latin1');
        reads = true;
        const all = await send([bytes]);
        reads = false;
        const some = await send([bytes]);
        assert.deepEqual(some.requests.map(headOf), all.requests.slice(0, some.requests.length).map(headOf));
      }),
      { numRuns: 150 * FUZZ },
    );
  });
});

/** Whether there is what llhttp refuses and RFC 9110 §5.6.3 and RFC 9112 §7.1.1 allow: a tab around what frames, blanks within a chunk extension. */
function stopsLlhttp(text: string): boolean {
  return TAB_IN_FRAMING.test(text) || BLANK_IN_EXTENSION.test(text);
}

const TAB_IN_FRAMING = /^(?:transfer-encoding|content-length):[^\r\n]*\t/im;
const BLANK_IN_EXTENSION = /^[0-9a-f]+[^\r\n]*(?:[ \t][;=]|[;=][ \t])/im;

function headOf({ method, target, version, fields }: Read) {
  return { method, target, version, fields };
}

function ourReading(exchange: Exchange): Read {
  return {
    method: exchange.method,
    target: exchange.target,
    version: exchange.httpVersion,
    fields: exchange.headers.raw,
    body: '',
    trailers: undefined,
    complete: exchange.body === undefined,
  };
}

/** What Node's own server makes of the same stream. */
async function llhttpReading(text: string): Promise<readonly Read[]> {
  const requests: Read[] = [];
  const take = (message: IncomingMessage) => {
    const read = readingOf(message);
    requests.push(read);
    message
      .on('data', (data: Buffer) => {
        read.body += data.toString('latin1');
      })
      .on('end', () => {
        read.complete = message.complete;
        read.trailers = readTrailerFields(message.rawTrailers);
      })
      .on('error', () => {});
  };
  const server = createServer({
    insecureHTTPParser: false,
    maxHeaderSize: 64 * 1024,
    requireHostHeader: false,
    connectionsCheckingInterval: 2 ** 30,
  });
  server.on('request', take).on('checkContinue', take).on('checkExpectation', take);
  server.on('clientError', () => {});
  const wire = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  wire.on('error', () => {});
  server.emit('connection', wire);
  wire.push(Buffer.from(text, 'latin1'));
  // Its bodies are read over several turns.
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  wire.destroy();
  server.close();
  return requests;
}

function readingOf(message: IncomingMessage): Read {
  const target = canonicalTarget(message.url ?? '', 8192);
  const fields = readRequestFields([...message.rawHeaders], 0, 100);
  return {
    method: message.method ?? '',
    target: 'target' in target ? target.target : target,
    version: message.httpVersion,
    fields: fields instanceof RequestFields ? fields.kept : [],
    body: '',
    trailers: undefined,
    complete: false,
  };
}
