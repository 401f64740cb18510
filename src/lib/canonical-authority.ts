import { isIPv6, SocketAddress } from 'node:net';

/** The authority of a request in the one form the road compares. */
export interface CanonicalAuthority {
  /** Host and port, the port left out where it is the scheme's own. */
  readonly authority: string;
  /** Lower case, without a trailing dot; an IPv6 address keeps its brackets. */
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * Reads a Host field or `:authority` (RFC 9110 §7.2); undefined where it is not one host with at most one port: user information,
 * spaces, lists and escapes are refused, for another server may read another host out of them.
 */
export function canonicalAuthority(raw: string, scheme: 'http' | 'https'): CanonicalAuthority | undefined {
  const parts = AUTHORITY.exec(raw);
  if (parts === null) return undefined;
  const [, bracketed, name, digits] = parts;
  const host = bracketed === undefined ? canonicalName(name ?? '') : canonicalAddress(bracketed);
  if (host === undefined) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  const ownPort = scheme === 'https' ? 443 : 80;
  return { authority: port === undefined || port === ownPort ? host : `${host}:${port}`, host, port };
}

function canonicalName(name: string): string | undefined {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  // A second trailing dot is refused: kept, it would make `a.` out of `a..`, another spelling of `a`.
  if (bare === '' || bare.length > 253 || bare.startsWith('.') || bare.endsWith('.') || bare.includes('..'))
    return undefined;
  return bare.toLowerCase();
}

function canonicalAddress(bracketed: string): string | undefined {
  return isIPv6(bracketed) ? `[${new SocketAddress({ address: bracketed, family: 'ipv6' }).address}]` : undefined;
}

/** An IPv6 address in brackets or a name of letters, digits, `-`, `_` and dots; then perhaps a port without leading zeros. */
const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]+))(?::([1-9][0-9]{0,4}))?$/;
