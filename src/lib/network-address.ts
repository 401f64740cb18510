import { BlockList, isIP, isIPv4 } from 'node:net';
import { z } from 'zod';

/** A place to listen on; `host` is an IP address without brackets, or `localhost`. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** A block of addresses. `text` is its one canonical spelling; IPv4-mapped IPv6 blocks become IPv4 ones. */
export interface Cidr {
  readonly family: 4 | 6;
  /** The first address of the block. */
  readonly network: bigint;
  readonly prefix: number;
  readonly text: string;
}

/** Reads `127.0.0.1:8443`, `[::]:8443` or `localhost:8443`; undefined for anything else. Port 0 asks the system for a free one. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+|localhost)):(\d{1,5})$/.exec(text);
  if (parts === null) return undefined;
  const [, bracketed, plain, digits] = parts;
  const port = Number(digits);
  const host = bracketed ?? plain ?? '';
  const known = bracketed === undefined ? host === 'localhost' || isIPv4(host) : isIP(host) === 6;
  return known && port <= 65_535 ? { host, port } : undefined;
}

export function formatSocketAddress(address: SocketAddress): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** Whether only this machine can reach an address to listen on. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  const address = parseAddress(host);
  if (address === undefined) return false;
  return address.family === 4 ? address.value >> 24n === 127n : address.value === 1n;
}

/** Whether an address to listen on stands for every address of the machine. */
export function isWildcard(host: string): boolean {
  return parseAddress(host)?.value === 0n;
}

/** Reads `10.0.0.0/8`, `2001:db8::/32` or a single address; undefined where the text is none. Bits beyond the prefix are cleared: compare `text` to notice them. */
export function parseCidr(text: string): Cidr | undefined {
  const parts = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text);
  const written = parts?.[1];
  if (written === undefined) return undefined;
  const address = parseAddress(written);
  if (address === undefined) return undefined;
  const bits = address.family === 4 ? 32 : 128;
  // A mapped address is written with an IPv6 prefix length, of which the first 96 bits are the mapping.
  const offset = address.family === 4 && written.includes(':') ? 96 : 0;
  const prefix = parts?.[2] === undefined ? bits : Number(parts[2]) - offset;
  if (prefix < 0 || prefix > bits) return undefined;
  const host = BigInt(bits - prefix);
  const network = (address.value >> host) << host;
  const canonical = `${formatAddress({ family: address.family, value: network })}/${prefix}`;
  return { family: address.family, network, prefix, text: canonical };
}

/** Whether every address of `inner` lies in `outer`. */
export function cidrContains(outer: Cidr, inner: Cidr): boolean {
  if (outer.family !== inner.family || outer.prefix > inner.prefix) return false;
  const host = BigInt((outer.family === 4 ? 32 : 128) - outer.prefix);
  return inner.network >> host === outer.network >> host;
}

/** A configuration option that holds a block of addresses; it parses to the block's canonical spelling. */
export function cidrOption() {
  return z
    .string()
    .meta({ examples: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'] })
    .transform((text, context) => {
      const cidr = parseCidr(text);
      const exact = parseCidr(text.replace(/\/.*$/, ''));
      if (cidr !== undefined && exact?.network === cidr.network) return cidr.text;
      const message = cidr === undefined ? 'is not a block of IP addresses' : 'has bits set beyond its prefix';
      const hint =
        cidr === undefined
          ? 'write an address and a prefix length, such as 10.0.0.0/8 or 2001:db8::/32, or a single address'
          : `write ${cidr.text}`;
      context.issues.push({ code: 'custom', message, input: text, params: { hint } });
      return z.NEVER;
    });
}

/** A list of blocks in the form Node can look addresses up in. The blocks must be valid ones. */
export function blockListOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of cidrs) {
    const cidr = parseCidr(text);
    if (cidr === undefined) throw new Error(`${text} is not a block of IP addresses`);
    const [network = '', prefix] = cidr.text.split('/');
    list.addSubnet(network, Number(prefix), cidr.family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** The numeric value of an address; an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is the IPv4 address it stands for. */
function parseAddress(text: string): Address | undefined {
  const family = isIP(text);
  if (family === 4) return { family, value: ipv4Value(text) };
  if (family !== 6) return undefined;
  const value = ipv6Value(text);
  return value >> 32n === 0xffffn ? { family: 4, value: value & 0xffff_ffffn } : { family, value };
}

function ipv4Value(text: string): bigint {
  return text.split('.').reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
}

function ipv6Value(text: string): bigint {
  const dotted = /[\d.]+$/.exec(text)?.[0] ?? '';
  const plain = dotted.includes('.') ? text.slice(0, -dotted.length) + hexPair(ipv4Value(dotted)) : text;
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : new Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...zeros, ...after].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

function hexPair(value: bigint): string {
  return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

/** The canonical spelling; for IPv6 that of RFC 5952. */
function formatAddress(address: Address): string {
  if (address.family === 4) return [24n, 16n, 8n, 0n].map((shift) => (address.value >> shift) & 0xffn).join('.');
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((address.value >> BigInt(112 - at * 16)) & 0xffffn).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** True for an address that no router of the public internet carries on (RFC 1918, RFC 4193, link-local, RFC 6598). */
export function isPrivate(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && PRIVATE.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

const PRIVATE = blockListOf([
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
  'fe80::/10',
]);
