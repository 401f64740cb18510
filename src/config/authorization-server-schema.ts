import { z } from 'zod';
import { issuerOption } from '../identity/issuer-settings.ts';
import { LONGEST_TOKEN_MS } from '../identity/token-lifetime.ts';
import { durationOption, YEAR } from '../lib/duration.ts';
import { cidrOption } from '../lib/network-address.ts';
import { nameOption, scopeOption } from './option-types.ts';
import { certificatesOption, secretOption } from './secret-options.ts';

const lifetimes = z.strictObject({
  accessToken: durationOption({ max: LONGEST_TOKEN_MS })
    .prefault('10m')
    .describe('Of an access token. Short, since resource servers elsewhere do not hear of a revocation.'),
  refreshToken: durationOption({ max: YEAR })
    .prefault('30d')
    .describe('Of a refresh token; each use makes a new one with the rest of this time.'),
  session: durationOption().prefault('12h').describe('Of a signed-in browser.'),
  signingKey: durationOption({ min: 86_400_000, max: YEAR })
    .prefault('90d')
    .describe('After this time a new signing key takes over.'),
});

const upstreamProvider = z.strictObject({
  issuer: issuerOption().describe('The OpenID provider people sign in at.'),
  clientId: z.string().min(1).max(255).describe('The client this authorization server is there.'),
  clientSecret: secretOption().describe('Its secret.'),
  scopes: z.array(scopeOption()).default(['openid', 'profile', 'email']).describe('Scopes to ask for.'),
  createUsers: z
    .boolean()
    .default(true)
    .describe('Whether an account is made for everyone the provider lets in; else it must exist.'),
  title: z.string().min(1).max(64).default('your organisation').describe('What the sign-in page calls it.'),
  ca: certificatesOption().optional().describe('Roots to verify it against, instead of the public ones.'),
});

const registration = z.strictObject({
  access: z
    .enum(['token', 'open'])
    .default('token')
    .describe('`token` asks for the initial access token below; `open` takes everyone.'),
  initialAccessToken: secretOption().optional().describe('What a registering client must show (RFC 7591 §3).'),
  maxClients: z.int().min(1).max(100_000).default(100).describe('Most clients that may be registered at a time.'),
  perAddress: z.int().min(1).max(10_000).default(10).describe('Most registrations from one address in an hour.'),
});

/** A client declared in the file, by the terms of RFC 7591. */
export const clientSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/)
    .describe('The client_id.'),
  name: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('What people see when they are asked for consent; left out, the id.'),
  secret: secretOption(32)
    .optional()
    .describe('Its secret; left out for a public client or one that proves itself by key or certificate.'),
  grants: z
    .array(z.enum(['authorization_code', 'refresh_token', 'client_credentials', 'device_code']))
    .min(1)
    .default(['authorization_code', 'refresh_token'])
    .describe('The grants it may use.'),
  redirectUris: z
    .array(z.string().min(1).max(2048))
    .default([])
    .describe('Where it may have people sent back to; compared as a whole.'),
  postLogoutRedirectUris: z
    .array(z.string().min(1).max(2048))
    .default([])
    .describe('Where people may be sent after signing out.'),
  backchannelLogoutUri: z.string().max(2048).optional().describe('Where it is told that somebody has signed out.'),
  scopes: z
    .array(scopeOption())
    .default([])
    .describe('The scopes it may ask for; openid and offline_access are there where its grants need them.'),
  authentication: z
    .enum([
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'tls_client_auth',
      'self_signed_tls_client_auth',
      'none',
    ])
    .optional()
    .describe('How it proves who it is; left out, client_secret_basic with a secret and none without.'),
  jwksUri: z
    .url()
    .optional()
    .describe('Where its public keys are, for private_key_jwt and self_signed_tls_client_auth.'),
  jwks: z
    .strictObject({
      keys: z.array(z.record(z.string(), z.json())).min(1).describe('JSON Web Keys, public parts only.'),
    })
    .optional()
    .describe('Its public keys themselves.'),
  certificateSubject: z.string().max(512).optional().describe('The subject of its certificate, for tls_client_auth.'),
  requireDpop: z
    .boolean()
    .default(false)
    .describe('Whether its tokens are bound to a DPoP key (RFC 9449) without exception.'),
  requireCertificate: z
    .boolean()
    .default(false)
    .describe('Whether its tokens are bound to its TLS certificate (RFC 8705).'),
});

export type ClientConfig = Readonly<z.output<typeof clientSchema>>;

/** The embedded authorization server. */
export const authorizationServerSchema = z.strictObject({
  issuer: issuerOption().describe(
    'Its issuer identifier. It is served on the public listeners under the host and path of this URL.',
  ),
  listeners: z.array(nameOption()).min(1).optional().describe('The public listeners that carry it; left out, all.'),
  title: z.string().min(1).max(64).default('Sallyport').describe('What its pages are headed with.'),
  scopes: z
    .record(scopeOption(), z.string().min(1).max(200))
    .default({})
    .describe('The scopes there are, each with the sentence people are asked to consent to.'),
  lifetimes: lifetimes.prefault({}).describe('How long things last.'),
  accounts: z
    .union([
      z.literal('local'),
      z.strictObject({ upstream: upstreamProvider.describe('People sign in at another OpenID provider.') }),
    ])
    .default('local')
    .describe('Where people sign in: with accounts of this server, or at another OpenID provider.'),
  registration: z
    .union([z.literal(false), registration])
    .default(false)
    .describe('Dynamic client registration (RFC 7591); off unless it is set.'),
  privateNetworks: z
    .array(cidrOption())
    .default([])
    .describe(
      'Private addresses that documents and logout addresses of clients may be at; none by default, so that no client can have the gateway look around inside.',
    ),
  ca: certificatesOption()
    .optional()
    .describe(
      'Roots to trust, besides the public ones, when documents of clients are fetched or their logout addresses called.',
    ),
  clientIdMetadata: z
    .boolean()
    .default(false)
    .describe('Whether a client may be an https URL of its metadata (Client ID Metadata Documents).'),
  clients: z.array(clientSchema).default([]).describe('Clients declared here. Others are made through the admin API.'),
});

export type AuthorizationServerConfig = Readonly<z.output<typeof authorizationServerSchema>>;
