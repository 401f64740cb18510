/**
 * Fields that belong to one connection, not to the message (RFC 9110 §7.6.1), and those a hop makes anew.
 * Nothing in here is ever copied from one side of the gateway to the other.
 */
const HOP_BY_HOP = [
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

const hopByHop = fieldSet(HOP_BY_HOP);

/** True for a field of the connection, whatever its case. */
export function isHopByHop(name: string): boolean {
  return hopByHop(name);
}

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

/**
 * A case-insensitive membership test that lower-cases a name only when a member has its length:
 * most fields of a message are told apart without an allocation.
 */
export function fieldSet(names: readonly string[]): (name: string) => boolean {
  const members = new Set(names);
  const lengths = new Uint8Array(256);
  for (const name of names) lengths[name.length] = 1;
  return function isMember(name: string): boolean {
    return lengths[name.length] === 1 && (members.has(name) || members.has(name.toLowerCase()));
  };
}

/** The field names a Connection header nominates, lower case; they are hop-by-hop too (RFC 9110 §7.6.1). */
export function nominatedFields(connection: readonly string[]): readonly string[] {
  const names: string[] = [];
  for (const value of connection) {
    for (const option of value.split(',')) {
      const name = option.trim().toLowerCase();
      if (name !== '' && name !== 'close' && name !== 'keep-alive') names.push(name);
    }
  }
  return names;
}

/** True for an RFC 9110 §5.6.2 token. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
