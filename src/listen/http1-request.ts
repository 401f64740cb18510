import { METHODS } from 'node:http';
import { Problem } from '../errors/problem.ts';
import { splitFieldLines } from '../lib/field-lines.ts';
import { isToken } from '../lib/http-fields.ts';
import { MalformedMessage } from '../lib/malformed-message.ts';
import type { ListenerLimits } from './listener-options.ts';
import { type RequestFields, readRequestFields } from './request-fields.ts';

/** The head of an HTTP/1.x request, told apart and free of what two readers could read in two ways, but not yet judged. */
export interface Http1Request {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: '1.0' | '1.1';
  readonly fields: RequestFields;
  /** Bytes of the body; undefined for a chunked one, NO_BODY where none is announced. */
  readonly length: number | undefined;
}

/** What Http1Request says of a request that announces no body, not even an empty one. */
export const NO_BODY = -1;

/** Reads a head from its first byte to the one before the blank line, in Latin-1 (RFC 9112 §3 and §5). The same head is read in one way only. */
export function readHttp1Request(text: string, limits: ListenerLimits): Http1Request | Problem {
  const found = text.indexOf('\r\n');
  const lineEnd = found < 0 ? text.length : found;
  const methodEnd = text.indexOf(' ');
  const targetEnd = text.indexOf(' ', methodEnd + 1);
  // One blank on either side of the target, and nothing behind the version: a line that is longer or shorter has another shape.
  if (methodEnd < 0 || targetEnd !== lineEnd - VERSION_LENGTH) return MALFORMED;
  const httpVersion = readVersion(text.slice(targetEnd + 1, lineEnd));
  if (httpVersion === undefined) return BAD_VERSION;
  const method = text.slice(0, methodEnd);
  if (!KNOWN_METHODS.has(method)) return isToken(method) ? UNKNOWN_METHOD : MALFORMED;
  const target = text.slice(methodEnd + 1, targetEnd);
  if (!VISIBLE.test(target)) return MALFORMED;

  const fields = readFields(text, lineEnd + 2, limits);
  if (fields instanceof Problem) return fields;
  const length = readFraming(fields, httpVersion);
  return length instanceof Problem ? length : { method, target, httpVersion, fields, length };
}

/** Whether a part of a head can be one. What never completes a head must not wait for its deadline. A part begins with the last octet of the one before. */
export function mayBecomeHead(text: string): boolean {
  return !IMPOSSIBLE.test(text);
}

function readVersion(text: string): '1.0' | '1.1' | undefined {
  if (text === 'HTTP/1.1') return '1.1';
  return text === 'HTTP/1.0' ? '1.0' : undefined;
}

function readFields(text: string, from: number, limits: ListenerLimits): RequestFields | Problem {
  try {
    return readRequestFields(splitFieldLines(text, from, limits.headerCount), 0, limits.headerCount);
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
    return error.exceedsLimit ? TOO_MANY_FIELDS : MALFORMED;
  }
}

/** RFC 9112 §6.3. Whatever allows two readings is refused (attack 18). */
function readFraming(fields: RequestFields, httpVersion: '1.0' | '1.1'): number | undefined | Problem {
  const { contentLength, transferEncoding } = fields;
  if (transferEncoding !== undefined) {
    if (contentLength !== undefined) return TWO_LENGTHS;
    if (httpVersion === '1.0' || transferEncoding.toLowerCase() !== 'chunked') return BAD_CODING;
    return undefined;
  }
  if (contentLength === undefined) return NO_BODY;
  return /^\d{1,15}$/.test(contentLength) ? Number(contentLength) : BAD_LENGTH;
}

const VERSION_LENGTH = ' HTTP/1.1'.length;
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);
const VISIBLE = /^[\x21-\x7e]+$/;
/** An octet that is in no head, or a line that ends in LF alone. */
const IMPOSSIBLE = /[^\t\x20-\x7e\r\n]|[^\r]\n|\r[^\n]/;

// Made once: a flood of bad requests builds no objects.
export const MALFORMED = new Problem('bad-request', { detail: 'The request is no well-formed HTTP/1.1 message.' });
const BAD_VERSION = new Problem('bad-request', { detail: 'The HTTP version is none of 1.0, 1.1 and 2.' });
const UNKNOWN_METHOD = new Problem('not-implemented', { detail: 'The request method is not known.' });
const TOO_MANY_FIELDS = new Problem('headers-too-large', {
  detail: 'The request has more header fields than this listener takes.',
});
const TWO_LENGTHS = new Problem('bad-request', {
  detail: 'The request has both Content-Length and Transfer-Encoding.',
});
const BAD_CODING = new Problem('bad-request', { detail: 'The only transfer coding taken is chunked, in HTTP/1.1.' });
const BAD_LENGTH = new Problem('bad-request', { detail: 'The Content-Length is no plain decimal number.' });
