import { z } from 'zod';
import { isLoopback } from '../lib/network-address.ts';
import { isNativeRedirectUri, redirectUriFault } from './redirect-uri.ts';

/** The grants a client may be registered for. */
export const grantTypes = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
] as const;

/** How a client may prove who it is. `none` is for clients that can keep no secret; they prove possession by PKCE alone. */
export const clientAuthMethods = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
] as const;

const SUBJECT_FIELDS = [
  'tls_client_auth_subject_dn',
  'tls_client_auth_san_dns',
  'tls_client_auth_san_uri',
  'tls_client_auth_san_ip',
  'tls_client_auth_san_email',
] as const;

const text = (max: number) => z.string().min(1).max(max);

const webUri = z
  .string()
  .max(2048)
  .refine(isWebUri, { error: 'must be an https URL (or http on a loopback address), without user name and fragment' });

const redirectUri = z.string().superRefine((uri, context) => {
  const fault = redirectUriFault(uri);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

/** Parameters that only private or symmetric keys have (RFC 7518 §6). */
const PRIVATE_PARAMETERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

const publicJwk = z
  .record(z.string(), z.json())
  .refine((key) => typeof key['kty'] === 'string' && key['kty'] !== 'oct', {
    error: 'is not a public key: kty must be RSA, EC or OKP',
  })
  .refine((key) => !PRIVATE_PARAMETERS.some((name) => name in key), {
    error: 'holds the private part of the key: register the public part only',
  });

const described = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9._~-]{1,100}$/, { error: 'must be 1 to 100 letters, digits, `.`, `_`, `~` or `-`' })
    .optional()
    .describe('The client_id; made up where it is left out.'),
  name: text(100).describe('Shown to people who are asked to consent.'),
  secret: text(512)
    .min(32)
    .optional()
    .describe('A secret of your own, of at least 128 random bits; made up and shown once where it is left out.'),
  grant_types: z.array(z.enum(grantTypes)).min(1).max(grantTypes.length).optional(),
  redirect_uris: z.array(redirectUri).max(50).default([]),
  post_logout_redirect_uris: z.array(redirectUri).max(50).default([]),
  application_type: z.enum(['web', 'native']).optional(),
  token_endpoint_auth_method: z.enum(clientAuthMethods).optional(),
  token_endpoint_auth_signing_alg: z.enum(['ES256', 'RS256', 'PS256', 'EdDSA']).optional(),
  scope: z
    .string()
    .max(4096)
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/, {
      error: 'must be scopes separated by single spaces',
    })
    .optional()
    .describe('The scopes it may ask for; left out, none but openid and offline_access where its grants need them.'),
  jwks: z.strictObject({ keys: z.array(publicJwk).min(1).max(20) }).optional(),
  jwks_uri: webUri.optional(),
  tls_client_auth_subject_dn: text(1024).optional(),
  tls_client_auth_san_dns: text(255).optional(),
  tls_client_auth_san_uri: text(2048).optional(),
  tls_client_auth_san_ip: text(45).optional(),
  tls_client_auth_san_email: text(320).optional(),
  tls_client_certificate_bound_access_tokens: z.boolean().optional(),
  dpop_bound_access_tokens: z.boolean().optional(),
  require_pushed_authorization_requests: z.boolean().optional(),
  backchannel_logout_uri: webUri.optional(),
  backchannel_logout_session_required: z.boolean().optional(),
  client_uri: webUri.optional(),
  logo_uri: webUri.optional(),
  policy_uri: webUri.optional(),
  tos_uri: webUri.optional(),
  contacts: z.array(z.email()).max(10).optional(),
});

/**
 * A client as an administrator, the configuration file or the command line describes it, by the names of RFC 7591, RFC 8705,
 * RFC 9449 and OpenID Connect. What is left out has the safe default.
 */
export const clientRequest = described.transform(withDefaults).superRefine(agree);

export type ClientRequest = z.input<typeof clientRequest>;
export type CheckedClientRequest = z.output<typeof clientRequest>;

function withDefaults(request: z.output<typeof described>) {
  const { redirect_uris: uris } = request;
  const native = uris.length > 0 && uris.every(isNativeRedirectUri);
  const fallback: (typeof grantTypes)[number][] =
    uris.length > 0 ? ['authorization_code', 'refresh_token'] : ['client_credentials'];
  const grants = request.grant_types ?? fallback;
  return {
    ...request,
    grant_types: grants,
    // To a client without the field every scope is open; `openid` alone opens no API.
    scope: request.scope ?? (impliedScopes(grants).join(' ') || 'openid'),
    token_endpoint_auth_method: request.token_endpoint_auth_method ?? (native ? 'none' : 'client_secret_basic'),
  } as const;
}

/** Signing people in takes openid, and staying signed in takes offline_access: a client with these grants may ask for them. */
export function impliedScopes(grants: readonly string[]): readonly string[] {
  return [
    ...(grants.includes('authorization_code') ? ['openid'] : []),
    ...(grants.includes('refresh_token') ? ['offline_access'] : []),
  ];
}

interface Rule {
  readonly path: string;
  readonly broken: boolean;
  readonly message: string;
}

function agree(request: ReturnType<typeof withDefaults>, context: z.RefinementCtx): void {
  for (const { path, broken, message } of rulesFor(request)) {
    if (broken) context.addIssue({ code: 'custom', path: [path], message });
  }
}

// biome-ignore format: aligned on purpose, one rule a row
function rulesFor(request: ReturnType<typeof withDefaults>): readonly Rule[] {
  const { grant_types: grants, token_endpoint_auth_method: method, jwks, jwks_uri: jwksUri } = request;
  const interactive = grants.includes('authorization_code') || grants.includes(grantTypes[3]);
  const subjects = SUBJECT_FIELDS.filter((field) => request[field] !== undefined);
  const hasKeys = jwks !== undefined || jwksUri !== undefined;
  const needsKeys = method === 'private_key_jwt' || method === 'self_signed_tls_client_auth';
  const keepsSecret = method === 'client_secret_basic' || method === 'client_secret_post';
  return [
    { path: 'redirect_uris',    broken: grants.includes('authorization_code') && request.redirect_uris.length === 0, message: 'is needed for the grant authorization_code' },
    { path: 'redirect_uris',    broken: !grants.includes('authorization_code') && request.redirect_uris.length > 0,  message: 'is for the grant authorization_code only: add it to grant_types' },
    { path: 'grant_types',      broken: grants.includes('refresh_token') && !interactive,                           message: 'has refresh_token without authorization_code or device_code, which alone give refresh tokens' },
    { path: 'grant_types',      broken: grants.includes('client_credentials') && method === 'none',                 message: 'has client_credentials, which a client without authentication cannot use: choose a token_endpoint_auth_method' },
    { path: 'jwks',             broken: needsKeys && !hasKeys,                                                      message: `or jwks_uri is needed for ${method}` },
    { path: 'jwks_uri',         broken: jwks !== undefined && jwksUri !== undefined,                                message: 'cannot stand beside jwks: keep one' },
    { path: SUBJECT_FIELDS[0],  broken: method === 'tls_client_auth' && subjects.length !== 1,                      message: `or exactly one other tls_client_auth_* field is needed for tls_client_auth, not ${subjects.length}` },
    { path: SUBJECT_FIELDS[0],  broken: method !== 'tls_client_auth' && subjects.length > 0,                        message: 'and the other tls_client_auth_* fields are for tls_client_auth only' },
    { path: 'secret',           broken: request.secret !== undefined && !keepsSecret,                               message: `is not used by ${method}: leave it out` },
    { path: 'dpop_bound_access_tokens', broken: request.dpop_bound_access_tokens === true && request.tls_client_certificate_bound_access_tokens === true, message: 'cannot stand beside tls_client_certificate_bound_access_tokens: a token is bound to one key' },
  ];
}

function isWebUri(uri: string): boolean {
  const url = URL.parse(uri);
  if (url === null || url.username !== '' || url.password !== '' || uri.includes('#')) return false;
  if (url.protocol === 'https:') return true;
  return url.protocol === 'http:' && isLoopback(url.hostname.replace(/^\[|\]$/g, ''));
}
