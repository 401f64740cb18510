import type { CanonicalTarget } from '../../lib/canonical-target.ts';
import type { RequestLimitsConfig } from './config.ts';

/** What of a request is measured. */
export interface RequestShape {
  readonly method: string;
  readonly target: CanonicalTarget;
  /** Bytes declared by Content-Length; undefined for none. */
  readonly bodyLength: number | undefined;
  /** Every Content-Encoding field. */
  readonly contentEncoding: readonly string[];
}

/** Which limit a request breaks. */
export type BrokenLimit = 'method' | 'target-length' | 'encoded-delimiter' | 'content-encoding' | 'body-length';

/** Compiles the limits into one function; it names the first limit a request breaks, undefined for none. */
export function requestLimits(config: RequestLimitsConfig): (request: RequestShape) => BrokenLimit | undefined {
  const methods = config.methods === undefined ? undefined : new Set(config.methods);
  const codings: ReadonlySet<string> = new Set(config.contentEncodings);

  return function brokenLimit({ method, target, bodyLength, contentEncoding }) {
    if (targetLength(target) > config.targetBytes) return 'target-length';
    if (target.encodedDelimiters && !config.allowEncodedDelimiters) return 'encoded-delimiter';
    if (methods !== undefined && !methods.has(method)) return 'method';
    if (contentEncoding.length > 0 && !isTaken(contentEncoding, codings)) return 'content-encoding';
    if (bodyLength !== undefined && bodyLength > config.bodyBytes) return 'body-length';
    return undefined;
  };
}

/** A canonical target is ASCII: a character is a byte. */
function targetLength(target: CanonicalTarget): number {
  return target.path.length + (target.query === undefined ? 0 : target.query.length + 1);
}

/** One coding at most. A chain of them is how a few bytes become a disk full of them at the upstream (attack 28). */
function isTaken(contentEncoding: readonly string[], codings: ReadonlySet<string>): boolean {
  const [coding, ...chained] = contentEncoding.flatMap((value) => value.split(','));
  if (coding === undefined || chained.length > 0) return false;
  // Case does not count in coding names, and x-gzip is an old name of gzip (RFC 9110 §8.4.1).
  const name = coding.trim().toLowerCase();
  return name === 'identity' || codings.has(name === 'x-gzip' ? 'gzip' : name);
}
