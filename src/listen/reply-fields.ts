import { isHopByHop } from '../lib/http-fields.ts';

/** The fields of a reply without those of a connection, which the wire writes itself; the list given where there are none. */
export function withoutHopByHop(headers: readonly string[]): readonly string[] {
  for (let at = 0; at < headers.length; at += 2) {
    if (isHopByHop(headers[at] as string)) return filtered(headers); // at < length
  }
  return headers;
}

/** The bytes a reply declares, or -1. Throws where it declares none or several in one: such a reply is read in two ways. */
export function declaredLength(headers: readonly string[]): number {
  let length = -1;
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string; // at < length
    if (name.length !== 14 || name.toLowerCase() !== 'content-length') continue;
    const value = headers[at + 1] as string; // the list has pairs
    if (length >= 0 || !/^\d{1,15}$/.test(value)) throw new InvalidReply(`Content-Length of the reply: ${value}`);
    length = Number(value);
  }
  return length;
}

/** Throws where a name is no token or a value could split the message (attack 23). */
export function checkReplyFields(headers: readonly string[]): void {
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string; // at < length
    const value = headers[at + 1];
    if (!TOKEN.test(name)) throw new InvalidReply(`field name of the reply: ${JSON.stringify(name)}`);
    if (value === undefined || UNSAFE.test(value)) throw new InvalidReply(`value of the reply’s ${name}`);
  }
}

/** The trailers of a reply that may be sent, or undefined for none. Invalid ones are left out: the reply itself has been sent. */
export function replyTrailers(trailers: readonly string[] | undefined): readonly string[] | undefined {
  if (trailers === undefined) return undefined;
  const kept: string[] = [];
  for (let at = 0; at + 1 < trailers.length; at += 2) {
    const name = trailers[at] as string; // at < length
    const value = trailers[at + 1] as string; // at + 1 < length
    if (TOKEN.test(name) && !UNSAFE.test(value) && !isHopByHop(name) && !NO_TRAILER.has(name.toLowerCase()))
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

function filtered(headers: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string; // at < length
    if (!isHopByHop(name)) kept.push(name, headers[at + 1] as string); // the list has pairs
  }
  return kept;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
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
