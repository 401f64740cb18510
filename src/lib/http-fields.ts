import { bySpelling } from './spellings.ts';

/**
 * Fields that belong to one connection, not to the message (RFC 9110 §7.6.1), and those a hop makes anew.
 * Nothing in here is ever copied from one side of the gateway to the other.
 */
export const hopByHopFieldNames = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
] as const;

/** Fields the gateway writes into every request to an upstream itself: a client's are not passed on, and no policy may set them. */
export const forwardingFieldNames = [
  'forwarded',
  'traceparent',
  'tracestate',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-request-id',
] as const;

/** A field name in lower case. Names come again and again, so most of them are looked up rather than copied. */
export const lowerCaseName = bySpelling((name) => name.toLowerCase());

/** A membership test that takes names in any case. */
export function fieldSet(names: readonly string[]): (name: string) => boolean {
  const members = new Set(names);
  return function isMember(name) {
    return members.has(lowerCaseName(name));
  };
}

const hopByHop = fieldSet(hopByHopFieldNames);

/** True for a field of the connection, whatever its case. */
export function isHopByHop(name: string): boolean {
  return hopByHop(name);
}

/** The field names a Connection header nominates, lower case; they are hop-by-hop too (RFC 9110 §7.6.1). */
export const nominatedFields: (connection: string) => readonly string[] = bySpelling((connection) =>
  connection
    .split(',')
    .map((option) => option.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'close' && name !== 'keep-alive'),
);

/** True for an RFC 9110 §5.6.2 token. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
