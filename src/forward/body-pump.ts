import type { Readable } from 'node:stream';
import type { Exchange } from '../exchange.ts';
import { forwardingFieldNames, isHopByHop } from '../lib/http-fields.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export interface BodyPump {
  /** The upstream takes bytes again. */
  drained(): void;
  /** Sends nothing more; the rest of the body is the listener's to dispose of. */
  stop(): void;
}

export interface PumpEvents {
  /** The body is larger than the route allows; the request must not be completed. */
  onTooLarge(): void;
  /** The client broke off. */
  onBroken(error: Error): void;
}

/** Moves the request body to the upstream at the upstream's pace, and counts it. */
export function pumpBody(exchange: Exchange, connection: UpstreamConnection, events: PumpEvents): BodyPump {
  const body = exchange.body;
  if (body === undefined) {
    connection.requestSent();
    return NOTHING_TO_PUMP;
  }
  const { bodyLength } = exchange;
  const chunked = bodyLength === undefined;

  function sendChunk(chunk: Buffer): void {
    exchange.requestBytes += chunk.length;
    if (exchange.requestBytes > exchange.bodyLimit) {
      stop();
      events.onTooLarge();
      return;
    }
    if (bodyLength !== undefined && exchange.requestBytes > bodyLength) {
      // The listeners see to it; here it would be read as the next request on this connection.
      breakOff(new Error('the request body is longer than it declared'));
      return;
    }
    if (chunked) {
      connection.socket.cork();
      connection.write(`${chunk.length.toString(16)}\r\n`);
      connection.write(chunk);
      if (!connection.write('\r\n')) body?.pause();
      connection.socket.uncork();
    } else if (!connection.write(chunk)) {
      body?.pause();
    }
  }

  function finish(): void {
    if (body !== undefined && wasBrokenOff(body)) {
      breakOff();
      return;
    }
    if (bodyLength !== undefined && exchange.requestBytes < bodyLength) {
      breakOff(new Error('the request body is shorter than it declared'));
      return;
    }
    stop();
    if (chunked) connection.write(`0\r\n${trailerSection(exchange)}\r\n`);
    connection.requestSent();
  }

  function breakOff(error?: Error): void {
    stop();
    events.onBroken(error ?? new Error('the client closed the connection in the middle of its request'));
  }

  function stop(): void {
    body?.off('data', sendChunk).off('end', finish).off('error', breakOff).off('close', breakOff);
  }

  body.on('data', sendChunk).on('end', finish).on('error', breakOff).on('close', breakOff);
  return { drained: () => body.resume(), stop };
}

/**
 * Node ends the data of an HTTP/2 stream that was reset, or whose connection is gone, just as it ends a whole one; without a
 * declared length the upstream would take what had come for all there is. Only END_STREAM says so (RFC 9113 §8.1).
 */
function wasBrokenOff(body: Readable): boolean {
  return 'aborted' in body && body.aborted === true;
}

const NOTHING_TO_PUMP: BodyPump = { drained: () => {}, stop: () => {} };

/**
 * Trailers of the request (RFC 9110 §6.5): never fields that frame or route a message, nor any that the head may not have
 * because the gateway writes or removes it. Upstreams that merge trailers into the head would take a client's word for ours.
 */
function trailerSection({ trailers: read, upstreamHeaders: { set, remove } }: Exchange): string {
  const trailers = read();
  let section = '';
  for (let at = 0; trailers !== undefined && at < trailers.length; at += 2) {
    const name = trailers[at] as string; // at < length
    const lower = name.toLowerCase();
    if (!/^[a-z0-9-]+$/.test(lower) || isHopByHop(lower) || NO_TRAILER.has(lower)) continue;
    if (!set.has(lower) && !remove.includes(lower)) section += `${name}: ${trailers[at + 1]}\r\n`;
  }
  return section;
}

const NO_TRAILER: ReadonlySet<string> = new Set([
  ...forwardingFieldNames,
  'authorization',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'host',
  'set-cookie',
]);
