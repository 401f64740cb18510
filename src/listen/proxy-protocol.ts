import { canonicalAddress } from '../lib/cidr.ts';

/** A PROXY v2 header that was read whole. `source` is undefined for LOCAL: the proxy speaks for itself, as in a health check. */
export interface ProxyHeader {
  readonly length: number;
  readonly source: string | undefined;
}

/**
 * Reads a PROXY protocol v2 header (HAProxy's proxy-protocol.txt §2.2) at the beginning of a connection. `need-more` only
 * while the bytes are a sound beginning of one. Everything else is 'refuse': version 1, datagrams, Unix sockets, and a
 * proxy that does not know its client, since its own address must not stand in for it.
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | 'need-more' | 'refuse' {
  for (let at = 0; at < SIGNATURE.length && at < bytes.length; at += 1) {
    if (bytes[at] !== SIGNATURE[at]) return 'refuse';
  }
  if (bytes.length < FIXED) return 'need-more';
  const command = bytes[12] as number; // FIXED bytes are there, here and below
  const family = bytes[13] as number;
  const length = FIXED + ((bytes[14] as number) << 8) + (bytes[15] as number);
  if (length > LONGEST || (command !== LOCAL && command !== PROXY)) return 'refuse';
  const needed = family === TCP4 ? 12 : 36;
  if (command === PROXY && ((family !== TCP4 && family !== TCP6) || length < FIXED + needed)) return 'refuse';
  if (bytes.length < length) return 'need-more';
  if (command === LOCAL) return { length, source: undefined };
  const source = canonicalAddress(family === TCP4 ? ipv4(bytes) : ipv6(bytes));
  return source === undefined ? 'refuse' : { length, source };
}

function ipv4(bytes: Uint8Array): string {
  return bytes.subarray(FIXED, FIXED + 4).join('.');
}

function ipv6(bytes: Uint8Array): string {
  const groups: string[] = [];
  for (let at = FIXED; at < FIXED + 16; at += 2)
    groups.push((((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  return groups.join(':');
}

const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const FIXED = 16;
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;

/** Addresses and the extensions balancers send (TLS facts, identifiers) fit many times over. */
const LONGEST = 4096;
