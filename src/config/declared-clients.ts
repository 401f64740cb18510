import { type ClientRequest, impliedScopes } from '../identity/client-request.ts';
import type { ClientConfig } from './authorization-server-schema.ts';

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

/** A client of the file in the terms of RFC 7591, which the rooms below speak. Undefined options fall away. */
export function clientRequestOf(client: ClientConfig): ClientRequest {
  const authentication = client.authentication ?? (client.secret === undefined ? 'none' : 'client_secret_basic');
  const request = {
    id: client.id,
    name: client.name ?? client.id,
    secret: client.secret,
    grant_types: client.grants.map((grant) => (grant === 'device_code' ? DEVICE_CODE : grant)),
    redirect_uris: client.redirectUris,
    post_logout_redirect_uris: client.postLogoutRedirectUris,
    backchannel_logout_uri: client.backchannelLogoutUri,
    token_endpoint_auth_method: authentication,
    scope: scopesOf(client),
    jwks: client.jwks,
    jwks_uri: client.jwksUri,
    tls_client_auth_subject_dn: client.certificateSubject,
    dpop_bound_access_tokens: client.requireDpop || undefined,
    tls_client_certificate_bound_access_tokens: client.requireCertificate || undefined,
  };
  // What it holds is held against the schema of `ClientRequest` by whoever uses it.
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as ClientRequest;
}

/** The option of the file that a field of the request came from, for telling what is wrong with it. */
export function optionOfField(field: string): string {
  return OPTIONS[field] ?? field;
}

const OPTIONS: Readonly<Record<string, string>> = {
  grant_types: 'grants',
  redirect_uris: 'redirectUris',
  post_logout_redirect_uris: 'postLogoutRedirectUris',
  backchannel_logout_uri: 'backchannelLogoutUri',
  token_endpoint_auth_method: 'authentication',
  scope: 'scopes',
  jwks_uri: 'jwksUri',
  tls_client_auth_subject_dn: 'certificateSubject',
  dpop_bound_access_tokens: 'requireDpop',
  tls_client_certificate_bound_access_tokens: 'requireCertificate',
};

function scopesOf({ grants, scopes }: ClientConfig): string | undefined {
  return scopes.length === 0 ? undefined : [...new Set([...impliedScopes(grants), ...scopes])].join(' ');
}
