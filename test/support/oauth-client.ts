import { X509Certificate } from 'node:crypto';
import { exportJWK, type JWK } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import type { PemPair } from './certificate-authority.ts';
import type { TlsFetch } from './oauth-fetch.ts';
import type { OauthGateway } from './oauth-gateway.ts';
import { until } from './until.ts';

/** A client as it stands in its own code: it knows the issuer and what it was registered with, and has to find out the rest. */
export interface ClientFacts {
  readonly id: string;
  readonly auth?: oauth.ClientAuth;
  readonly metadata?: Partial<openid.ClientMetadata>;
  readonly fetch?: TlsFetch['fetch'];
}

/** The same client with oauth4webapi. */
export interface LowLevelClient {
  readonly as: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly auth: oauth.ClientAuth;
  /** For each of its requests. */
  readonly http: { readonly [oauth.customFetch]: TlsFetch['fetch'] };
}

/** Discovers with oauth4webapi, by the way of RFC 8414. */
export async function withOauth4webapi(
  at: OauthGateway,
  { id, auth = oauth.None(), metadata = {}, fetch = at.fetchAs() }: ClientFacts,
): Promise<LowLevelClient> {
  const http = { [oauth.customFetch]: fetch };
  const issuer = new URL(at.issuer);
  const answer = await oauth.discoveryRequest(issuer, { ...http, algorithm: 'oauth2' });
  const as = await oauth.processDiscoveryResponse(issuer, answer);
  return { as, client: { ...metadata, client_id: id }, auth, http };
}

/** Discovers with openid-client, by the way of OpenID Connect. */
export async function withOpenidClient(
  at: OauthGateway,
  { id, auth = openid.None(), metadata, fetch = at.fetchAs() }: ClientFacts,
): Promise<openid.Configuration> {
  return await openid.discovery(new URL(at.issuer), id, metadata, auth, { [openid.customFetch]: fetch });
}

/** The status of an API for whoever shows this. */
export async function statusAt(
  url: string,
  headers: Readonly<Record<string, string>>,
  fetch: TlsFetch['fetch'],
  method = 'GET',
): Promise<number> {
  const reply = await fetch(url, { method, headers });
  await reply.arrayBuffer();
  return reply.status;
}

export function bearer(token: string): { readonly Authorization: string } {
  return { Authorization: `Bearer ${token}` };
}

/** Resolves once an API that took a token refuses it: every worker has heard of its end within a second. */
export async function refusedSoon(url: string, token: string, fetch: TlsFetch['fetch']) {
  await until(`${url} to refuse a token that was revoked`, async () => {
    // Often enough in a row that both workers were asked.
    for (let round = 0; round < 6; round += 1) {
      const reply = await fetch(url, { headers: { ...bearer(token), Connection: 'close' } });
      await reply.arrayBuffer();
      if (reply.status !== 401) return false;
    }
    return true;
  });
}

/** The public key of a certificate as clients with self_signed_tls_client_auth register it (RFC 8705 §2.2.2). */
export async function certificateJwk({ cert }: PemPair): Promise<JWK> {
  const certificate = new X509Certificate(cert);
  return { ...(await exportJWK(certificate.publicKey)), x5c: [certificate.raw.toString('base64')] };
}
