import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { inertServices } from '../../identity/inert-services.ts';
import type { IdentityServices, IssuerKeySet } from '../../identity/services.ts';
import type { AuditEvent } from '../../stores/audit.ts';

export const ISSUER = 'https://id.example';
export const AUDIENCE = 'https://api.example.com/widgets';

/** For tests: a key pair and what it signs. */
export interface TestSigner {
  readonly algorithm: string;
  readonly jwk: JWK;
  readonly thumbprint: string;
  /** A token of the issuer with any claim or header parameter replaced; undefined takes one out. */
  token(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** A DPoP proof for this token at `https://api.example.com/`, with anything replaced. */
  proof(token: string, claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
}

export async function testSigner(algorithm: string, kid = `${algorithm}-1`): Promise<TestSigner> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = await exportJWK(publicKey);
  const sign = (claims: Record<string, unknown>, header: Record<string, unknown>) =>
    new SignJWT(defined(claims)).setProtectedHeader({ alg: algorithm, ...defined(header) }).sign(privateKey);
  return {
    algorithm,
    jwk: { ...publicJwk, kid },
    thumbprint: await calculateJwkThumbprint(publicJwk),
    token: (claims = {}, header = {}) => sign({ ...goodClaims(), ...claims }, { typ: 'at+jwt', kid, ...header }),
    proof: (token, claims = {}, header = {}) =>
      sign(
        {
          jti: crypto.randomUUID(),
          htm: 'GET',
          htu: 'https://api.example.com/',
          iat: seconds(),
          ath: createHash('sha256').update(token).digest('base64url'),
          ...claims,
        },
        { typ: 'dpop+jwt', jwk: publicJwk, ...header },
      ),
  };
}

/** Services that know these keys; what they were asked and told is counted. */
export class TestServices implements IdentityServices {
  readonly issuers: IdentityServices['issuers'];
  readonly revocations = { epoch: 0, looked: 0, revoked: new Set<string>(), isRevoked: this.#isRevoked.bind(this) };
  readonly replay = { seen: new Set<string>(), once: this.#once.bind(this) };
  readonly keys = inertServices.keys;
  readonly sessions = inertServices.sessions;
  readonly signer = inertServices.signer;
  readonly reports: IdentityServices['reports'];
  readonly audited: AuditEvent[] = [];
  readonly answers = new Map<string, Record<string, unknown>>();
  readonly #sets = new Map<string, IssuerKeySet>();
  /** What a refresh brings. */
  readonly coming = new Map<string, IssuerKeySet>();
  refreshes = 0;

  constructor() {
    this.reports = { ...inertServices.reports, audit: (event) => void this.audited.push(event) };
    this.issuers = {
      known: (issuer) => this.#sets.get(issuer),
      refresh: async (issuer) => {
        this.refreshes += 1;
        const set = this.coming.get(issuer) ?? this.#sets.get(issuer);
        if (set === undefined) return inertServices.issuers.refresh(issuer);
        this.#sets.set(issuer, set);
        return set;
      },
      introspect: async (issuer, token) => this.answers.get(token) ?? inertServices.issuers.introspect(issuer, token),
    };
  }

  know(keys: readonly JWK[], generation = 1, issuer = ISSUER): void {
    this.#sets.set(issuer, { issuer, jwks: { keys: [...keys] }, generation });
  }

  #isRevoked({ jti }: { readonly jti: string | undefined }): boolean {
    this.revocations.looked += 1;
    return this.revocations.revoked.has(jti ?? '');
  }

  #once(key: string): boolean {
    const first = !this.replay.seen.has(key);
    this.replay.seen.add(key);
    return first;
  }
}

export function seconds(): number {
  return Math.floor(Date.now() / 1_000);
}

function goodClaims(): Record<string, unknown> {
  const now = seconds();
  return {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: 'alice',
    client_id: 'app',
    scope: 'widgets:read widgets:write',
    jti: 'jti-1',
    iat: now,
    exp: now + 300,
  };
}

function defined(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
