import { canonicalAddress } from '../lib/cidr.ts';
import { parseCidr } from '../lib/network-address.ts';

/**
 * The network an address belongs to as far as a watch cares: the /24 of IPv4, the /48 of IPv6, which is what one site is
 * given (RFC 6177). What is no address is a network of its own.
 */
export function networkOf(address: string): string {
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return address.slice(0, LONGEST);
  return parseCidr(`${canonical}/${canonical.includes(':') ? 48 : 24}`)?.text ?? canonical;
}

const LONGEST = 64;
