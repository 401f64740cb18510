import { type CidrMatcher, canonicalAddress } from '../lib/cidr.ts';
import type { RequestFields } from './request-fields.ts';

/**
 * The address of the client as trusted proxies tell it: the right-most one that is no trusted proxy itself, since all to
 * its left is that client's own word (attacks 13 and 48). Undefined where it cannot be told: falling back to the proxy's
 * address would let whoever confuses the proxy pass as an inside machine. `peer` must be trusted.
 */
export function readClientAddress(fields: RequestFields, peer: string, isTrusted: CidrMatcher): string | undefined {
  const { forwarded, forwardedFor } = fields;
  if (forwarded === undefined && forwardedFor === undefined) return peer;
  const listed = forwardedFor === undefined ? undefined : rightMost(forwardedFor.split(','), isTrusted);
  if (forwarded === undefined) return listed;
  const nodes = forwardedNodes(forwarded);
  const named = nodes === undefined ? undefined : rightMost(nodes, isTrusted);
  // A proxy that knows one of the two fields passes the other on as the client wrote it. Which is which is not known here.
  return forwardedFor === undefined || listed === named ? named : undefined;
}

/** The scheme the client used, as the nearest proxy tells it; undefined where it says none or nonsense. */
export function readForwardedScheme(fields: RequestFields): 'http' | 'https' | undefined {
  const scheme = fields.forwardedProto
    ?.slice(fields.forwardedProto.lastIndexOf(',') + 1)
    .trim()
    .toLowerCase();
  return scheme === 'http' || scheme === 'https' ? scheme : undefined;
}

function rightMost(chain: readonly string[], isTrusted: CidrMatcher): string | undefined {
  let address: string | undefined;
  const last = Math.max(0, chain.length - LONGEST_CHAIN);
  for (let at = chain.length - 1; at >= last; at -= 1) {
    address = readNode(chain[at] as string); // at < length
    if (address === undefined || !isTrusted(address)) return address;
  }
  return chain.length > LONGEST_CHAIN ? undefined : address;
}

/** An address as proxies write it: bare, or bracketed where it is IPv6, or with a port. */
function readNode(text: string): string | undefined {
  const parts = NODE.exec(text.trim());
  const address = parts?.[1] ?? parts?.[2] ?? parts?.[3];
  return address === undefined ? undefined : canonicalAddress(address);
}

/** The `for` parameters of a Forwarded field (RFC 7239 §4), in their order; undefined where it is malformed or an element has none. */
function forwardedNodes(field: string): readonly string[] | undefined {
  const nodes: string[] = [];
  let node: string | undefined;
  let at = 0;
  for (;;) {
    PAIR.lastIndex = at;
    const pair = PAIR.exec(field);
    if (pair === null) return undefined;
    if (pair[1]?.toLowerCase() === 'for') {
      if (node !== undefined) return undefined;
      node = pair[2] ?? pair[3];
    }
    at = PAIR.lastIndex;
    const separator = field[at];
    if (separator !== ';') {
      if (node === undefined) return undefined;
      nodes.push(node);
      node = undefined;
      if (separator === undefined) return nodes;
    }
    at += 1;
  }
}

const NODE = /^(?:\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([0-9.]+)(?::\d{1,5})?|([0-9A-Fa-f:.]+))$/;

/** A parameter, its value a token or a quoted string, up to the `;` or `,` after it. No address has a backslash, so quoted pairs are not read. */
const PAIR = /[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z:[\]]+)|"([^"\\]*)")[ \t]*(?=[;,]|$)/y;

const LONGEST_CHAIN = 32;
