import { canonicalAuthority } from '../lib/canonical-authority.ts';
import { canonicalTarget } from '../lib/canonical-target.ts';

/** Where a request went, as its client sees it; all parts canonical, the query left out. */
export interface RequestPlace {
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
}

/**
 * Whether the `htu` of a DPoP proof names the place a request went to (RFC 9449 §4.3, step 9): compared after the normalisation
 * of RFC 3986 §6.2.2 and §6.2.3, by the very functions that made the request's own parts canonical. Query and fragment do not count.
 */
export function namesPlace(htu: string, place: RequestPlace): boolean {
  if (htu.length > LONGEST) return false;
  const end = htu.search(/[?#]/);
  const read = canonicalTarget(end < 0 ? htu : htu.slice(0, end), LONGEST);
  if ('reason' in read) return false;
  const scheme = read.scheme?.toLowerCase();
  if (scheme !== place.scheme || (scheme !== 'http' && scheme !== 'https')) return false;
  const authority = canonicalAuthority(read.authority ?? '', scheme)?.authority;
  return authority === place.authority && read.target.path === place.path;
}

const LONGEST = 8_192;
