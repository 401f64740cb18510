/** Certificates as SNI sees them; built once from the names, then asked once a handshake. */
export interface SniIndex {
  readonly exact: ReadonlyMap<string, number>;
  /** Keyed by what follows `*.`. */
  readonly wildcard: ReadonlyMap<string, number>;
}

/** Where two certificates bear the same name, the one named first in the configuration keeps it. */
export function indexCertificates(certificates: readonly { readonly names: readonly string[] }[]): SniIndex {
  const exact = new Map<string, number>();
  const wildcard = new Map<string, number>();
  for (const [position, certificate] of certificates.entries()) {
    for (const name of certificate.names) {
      const canonical = canonicalName(name);
      const names = canonical.startsWith('*.') ? wildcard : exact;
      const key = canonical.startsWith('*.') ? canonical.slice(2) : canonical;
      if (!names.has(key)) names.set(key, position);
    }
  }
  return { exact, wildcard };
}

/**
 * The position of the certificate to serve for an SNI value: an exact name before a wildcard, and the
 * first certificate for whatever matches none. A wildcard stands for one label (RFC 9525 §6.3).
 * The value is the client’s and may be anything: this never throws.
 */
export function chooseCertificate(servername: string | undefined | false, index: SniIndex): number {
  if (typeof servername !== 'string' || servername.length === 0 || servername.length > MAX_NAME) return DEFAULT;
  const name = canonicalName(servername);
  const exact = index.exact.get(name);
  if (exact !== undefined) return exact;
  const dot = name.indexOf('.');
  if (dot <= 0 || name.startsWith('*')) return DEFAULT;
  return index.wildcard.get(name.slice(dot + 1)) ?? DEFAULT;
}

function canonicalName(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

const DEFAULT = 0;

/** The longest DNS name in text, with its final dot (RFC 1035 §2.3.4). */
const MAX_NAME = 254;
