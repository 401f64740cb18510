import { isIP } from 'node:net';
import { canonicalAddress, compileCidrs } from '../lib/cidr.ts';
import { isLoopback, isPrivate } from '../lib/network-address.ts';
import { type BoundedFetch, createBoundedFetch, isPublicAddress } from './bounded-fetch.ts';
import type { IssuerSettings } from './issuer-settings.ts';

/** A fetch that may go where this issuer may be, bounded in bytes and time. */
export function issuerFetch(settings: IssuerSettings): BoundedFetch {
  return createBoundedFetch({
    maxBytes: MAX_BYTES,
    timeoutMs: TIMEOUT_MS,
    connections: 16,
    ca: settings.ca,
    allows: issuerAddresses(settings),
  });
}

/**
 * Where an issuer may be: at public addresses; at private ones only if the file says so or the issuer's own URL has one for its
 * host, and then at that one. What its metadata names cannot lead anywhere else (attack 44). Addresses come in canonical form.
 */
export function issuerAddresses(settings: IssuerSettings): (address: string) => boolean {
  const named = [settings.issuer, settings.jwks, settings.introspection?.endpoint]
    .filter((url) => url !== undefined)
    .map(hostOf);
  const literals = new Set(named.filter((host) => isIP(host) !== 0).map((host) => canonicalAddress(host)));
  const toThisMachine = named.includes('localhost');
  return function mayBeIssuer(address) {
    if (isPublicAddress(address) || literals.has(address) || (toThisMachine && isLoopback(address))) return true;
    return settings.allowPrivateAddresses && (isLoopback(address) || (isPrivate(address) && !ofCloud(address)));
  };
}

function hostOf(url: string): string {
  const { hostname } = new URL(url); // the schema has checked it
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

/** Where the metadata services of clouds are, which hand out the machine's own credentials: no issuer ever is. */
const ofCloud = compileCidrs(['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::/32', '100.100.100.200/32']);

const MAX_BYTES = 256 * 1_024;
const TIMEOUT_MS = 5_000;
