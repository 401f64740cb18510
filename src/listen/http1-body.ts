import { Readable } from 'node:stream';
import { ChunkedDecoder, type ChunkedRules } from '../lib/chunked-decoder.ts';
import { fieldSet } from '../lib/http-fields.ts';
import { MalformedMessage } from '../lib/malformed-message.ts';
import { type Http1Request, NO_BODY } from './http1-request.ts';
import type { ListenerLimits } from './listener-options.ts';
import { readTrailerFields } from './request-fields.ts';

/** The connection a body comes through. */
export interface BodySource {
  /** Somebody reads: bytes may come, and the client may be told to send them. */
  wanted(): void;
  /** The reader has enough for now. */
  unwanted(): void;
}

/** The body a request announces, or undefined where it has none. */
export function openBody(
  { length }: Pick<Http1Request, 'length'>,
  { headerBytes, headerCount }: Pick<ListenerLimits, 'headerBytes' | 'headerCount'>,
  source: BodySource,
): Http1Body | undefined {
  if (length === NO_BODY || length === 0) return undefined;
  return new Http1Body(length, { trailerBytes: headerBytes, trailerFields: headerCount, padding: false }, source);
}

/** The body of an HTTP/1.1 request on its way from its connection to a reader. */
export class Http1Body extends Readable {
  /** Whether all of it has come. */
  complete = false;
  /** As Node names it: the client broke off. What has come is then not all there was. */
  aborted = false;
  readonly #source: BodySource;
  readonly #decoder: ChunkedDecoder | undefined;
  /** Bytes that are still to come of a declared length. */
  #remaining: number;
  /** Set once nobody will read it any more: what comes is thrown away, and this many bytes of it have been. */
  #discarded = -1;

  /** `length` in bytes; undefined for a chunked body, which is read by the rules. */
  constructor(length: number | undefined, rules: ChunkedRules, source: BodySource) {
    super();
    this.#source = source;
    this.#remaining = length ?? 0;
    this.#decoder = length === undefined ? new ChunkedDecoder(rules, (data) => this.#take(data)) : undefined;
  }

  /** The trailer fields that may be passed on, once the body is complete. */
  get trailers(): readonly string[] | undefined {
    return this.#decoder === undefined ? undefined : readTrailerFields(this.#decoder.trailers);
  }

  /** Whether the road waits for bytes: a pause is its own doing, and not the client's fault. */
  get isAwaited(): boolean {
    if (this.readableLength > 0) return false;
    return this.readableFlowing === true || this.listenerCount('readable') > 0;
  }

  /** Takes what has come, and returns what came behind the end of the body; undefined where it has not ended. Throws MalformedMessage. */
  feed(bytes: Buffer): Buffer | undefined {
    const rest = this.#decoder === undefined ? this.#feedLength(bytes) : this.#decoder.feed(bytes);
    if (rest === undefined) return undefined;
    if (this.#decoder !== undefined) refuseFraming(this.#decoder.trailers);
    this.complete = true;
    this.push(null);
    return rest;
  }

  /** Reads the rest for nobody, up to a bound. */
  discard(): void {
    if (this.#discarded >= 0) return;
    this.#discarded = 0;
    this.resume();
    this.#source.wanted();
  }

  /** The client is gone, or what it sent is no body. A reader that listens for errors is given one. */
  breakOff(reason: string): void {
    if (this.complete || this.destroyed) return;
    this.aborted = true;
    this.destroy(this.listenerCount('error') > 0 ? new Error(reason) : undefined);
  }

  override _read(): void {
    if (!this.complete) this.#source.wanted();
  }

  #feedLength(bytes: Buffer): Buffer | undefined {
    if (bytes.length < this.#remaining) {
      this.#remaining -= bytes.length;
      this.#take(bytes);
      return undefined;
    }
    const end = this.#remaining;
    this.#remaining = 0;
    this.#take(bytes.length === end ? bytes : bytes.subarray(0, end));
    return bytes.subarray(end);
  }

  #take(data: Buffer): void {
    if (this.#discarded >= 0 || this.destroyed) {
      this.#discarded = Math.max(0, this.#discarded) + data.length;
      if (this.#discarded > MOST_DISCARDED) this.#source.unwanted();
    } else if (!this.push(data)) {
      this.#source.unwanted();
    }
  }
}

/** Whoever merges trailers into the head would frame the message anew. */
function refuseFraming(trailers: readonly string[]): void {
  for (let at = 0; at < trailers.length; at += 2) {
    if (isFraming(trailers[at] ?? '')) throw new MalformedMessage('a trailer field that frames a message');
  }
}

const isFraming = fieldSet(['content-length', 'transfer-encoding']);

/** Bytes of what nobody reads that are taken all the same. */
export const MOST_DISCARDED = 256 * 1024;
