import { isIP } from 'node:net';
import { canonicalAddress } from '../lib/cidr.ts';
import { isLoopback, isPrivate } from '../lib/network-address.ts';
import { type BoundedFetch, createBoundedFetch, isPublicAddress } from './bounded-fetch.ts';
import type { IssuerSettings } from './issuer-settings.ts';

/**
 * A fetch that may go where this issuer may be: to public addresses; to private ones only if the file says so or the issuer's
 * own URL has one for its host, and then to that one. What its metadata names cannot lead anywhere else (attack 44).
 */
export function issuerFetch(settings: IssuerSettings): BoundedFetch {
  const named = [settings.issuer, settings.jwks, settings.introspection?.endpoint]
    .filter((url) => url !== undefined)
    .map(hostOf);
  const literals = new Set(named.filter((host) => isIP(host) !== 0).map((host) => canonicalAddress(host)));
  const toThisMachine = named.includes('localhost');
  return createBoundedFetch({
    maxBytes: MAX_BYTES,
    timeoutMs: TIMEOUT_MS,
    connections: 16,
    ca: settings.ca,
    allows(address) {
      if (isPublicAddress(address) || literals.has(address) || (toThisMachine && isLoopback(address))) return true;
      return settings.allowPrivateAddresses && (isLoopback(address) || (isPrivate(address) && !isLinkLocal(address)));
    },
  });
}

function hostOf(url: string): string {
  const { hostname } = new URL(url); // the schema has checked it
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

/** Where the metadata services of clouds are: no issuer ever is. */
function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab]/.test(address);
}

const MAX_BYTES = 256 * 1_024;
const TIMEOUT_MS = 5_000;
