import { BlockList, isIP } from 'node:net';
import { parseCidr } from './network-address.ts';

/** True for an address inside one of the blocks. The address must be canonical, as `canonicalAddress` writes it. */
export type CidrMatcher = (address: string) => boolean;

/**
 * Makes one test out of any number of blocks. Throws where a text is no block.
 * The families are kept apart: Node's BlockList finds an IPv4 address in `::/0` too, where nobody who writes that means it.
 */
export function compileCidrs(blocks: readonly string[]): CidrMatcher {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const text of blocks) {
    const block = parseCidr(text);
    if (block === undefined) throw new Error(`${JSON.stringify(text)} is not a block of IP addresses`);
    const family = block.family === 4 ? 'ipv4' : 'ipv6';
    lists[family].addSubnet(block.text.slice(0, block.text.indexOf('/')), block.prefix, family);
  }
  return function isInBlocks(address) {
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    return lists[family].check(address, family);
  };
}

/**
 * The one spelling of an address: IPv4 dotted, also where it came as `::ffff:192.0.2.7` or `::ffff:c000:207` (RFC 4291
 * §2.5.5.2, attack 49); IPv6 as in RFC 5952, without a zone (`fe80::1%eth0`). Undefined for anything that is no address.
 */
export function canonicalAddress(text: string): string | undefined {
  const family = isIP(text);
  if (family === 4) return text;
  if (family !== 6) return undefined;
  const zone = text.indexOf('%');
  // A URL writes its host as RFC 5952 asks, the mapped form in hex.
  const canonical = new URL(`http://[${zone < 0 ? text : text.slice(0, zone)}]`).hostname.slice(1, -1);
  const mapped = MAPPED.exec(canonical);
  return mapped === null ? canonical : dotted(mapped[1], mapped[2]);
}

/** Exactly two groups: `::ffff:1` and `::ffff:1:2:3` are IPv6 addresses of their own. */
const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

function dotted(high = '0', low = '0'): string {
  return [high, low].flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]).join('.');
}
