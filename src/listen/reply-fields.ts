import { isHopByHop, isToken, lowerCaseName } from '../lib/http-fields.ts';
import { bySpelling } from '../lib/spellings.ts';

/** What the wire needs to know of the fields of a reply. */
export interface ReplyFields {
  /** Those that are not of the connection, which the wire writes itself; the list given where there are none. */
  readonly endToEnd: readonly string[];
  /** Bytes the reply declares, or -1. */
  readonly length: number;
  readonly hasDate: boolean;
}

/** Throws where a name is no token, a value could split the message (attack 23), or a length could be read in two ways. */
export function readReplyFields(headers: readonly string[]): ReplyFields {
  let kept: string[] | undefined;
  let length = -1;
  let hasDate = false;
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string; // at < length
    const value = headers[at + 1];
    const kind = kindOf(name);
    if (kind === 'connection') {
      kept ??= headers.slice(0, at);
      continue;
    }
    if (kind === 'none') throw new InvalidReply(`field name of the reply: ${JSON.stringify(name)}`);
    if (value === undefined || UNSAFE.test(value)) throw new InvalidReply(`value of the reply’s ${name}`);
    if (kind === 'length') {
      if (length >= 0 || !/^\d{1,15}$/.test(value)) throw new InvalidReply(`Content-Length of the reply: ${value}`);
      length = Number(value);
    }
    if (kind === 'date') hasDate = true;
    if (kept !== undefined) kept.push(name, value);
  }
  return { endToEnd: kept ?? headers, length, hasDate };
}

/** The trailers of a reply that may be sent, or undefined for none. Invalid ones are left out: the reply itself has been sent. */
export function replyTrailers(trailers: readonly string[] | undefined): readonly string[] | undefined {
  if (trailers === undefined) return undefined;
  const kept: string[] = [];
  for (let at = 0; at + 1 < trailers.length; at += 2) {
    const name = trailers[at] as string; // at < length
    const value = trailers[at + 1] as string; // at + 1 < length
    if (isToken(name) && !UNSAFE.test(value) && !isHopByHop(name) && !NO_TRAILER.has(lowerCaseName(name)))
      kept.push(name, value);
  }
  return kept.length === 0 ? undefined : kept;
}

/** A reply that cannot be written as it is. Nothing of it has been sent, so another may take its place. */
class InvalidReply extends Error {
  readonly code = 'ERR_INVALID_REPLY';

  constructor(what: string) {
    super(`the reply cannot be sent: invalid ${what}`);
  }
}

/** What a name is to the wire, whatever its case; `none` where it is no token. */
const kindOf = bySpelling((name): 'plain' | 'connection' | 'length' | 'date' | 'none' => {
  if (!isToken(name)) return 'none';
  if (isHopByHop(name)) return 'connection';
  const lower = name.toLowerCase();
  if (lower === 'content-length') return 'length';
  return lower === 'date' ? 'date' : 'plain';
});

const UNSAFE = /[^\t\x20-\x7e\x80-\xff]/;

/** RFC 9110 §6.5.1: what frames, routes or authenticates must not come late. */
const NO_TRAILER = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'host',
  'set-cookie',
]);
