import type { IncomingMessage } from 'node:http';
import type { SigningAlgorithm } from '../identity/make-signing-key.ts';
import type { AuditEvent } from '../stores/audit.ts';
import type { Counters } from '../stores/counters.ts';
import type { Records } from '../stores/stores.ts';
import type { Accounts, CreateInteractions, Resource, Screens } from './interaction-contract.ts';

/** What an authorization server is made of. Its integrator reads it out of the configuration. */
export interface AuthorizationServerOptions {
  /** An absolute URL without a query; the server lives below its path and writes every URL under it, whatever Host a request has. */
  readonly issuer: string;
  readonly records: Records;
  readonly counters: Counters;
  readonly accounts: Accounts;
  readonly screens: Screens;
  readonly createInteractions: CreateInteractions;
  /** Scope → what it allows, for people. Those of OpenID Connect are there anyhow. */
  readonly scopes: Readonly<Record<string, string>>;
  readonly resources: readonly Resource[];
  readonly lifetimes?: Partial<Lifetimes>;
  readonly signing?: Partial<SigningOptions>;
  readonly features?: Partial<Features>;
  /** At least 32 bytes, the same in every process of the installation: cookies are signed with keys derived from it. */
  readonly cookieSecret: Uint8Array;
  /** Blocks of private addresses that documents of clients (`jwks_uri`, Client ID Metadata Documents, back-channel logout) may be at; none by default (attack 44). */
  readonly privateNetworks?: readonly string[];
  /** Roots to trust for fetching documents of clients, besides the system's; PEM. */
  readonly certificateAuthorities?: string | undefined;
  report(event: AuditEvent): void;
  /** Unexpected errors, for the log; clients are told nothing of them. */
  fault(error: unknown): void;
  /** Milliseconds since the epoch, for the rotation of keys. */
  readonly clock?: (() => number) | undefined;
}

/** Seconds. */
export interface Lifetimes {
  readonly accessToken: number;
  readonly authorizationCode: number;
  readonly clientCredentials: number;
  readonly deviceCode: number;
  readonly grant: number;
  readonly idToken: number;
  readonly interaction: number;
  readonly refreshToken: number;
  readonly session: number;
}

/** Those that a file can set are what they are in a file that says nothing. */
export const defaultLifetimes: Lifetimes = {
  accessToken: 600,
  authorizationCode: 60,
  clientCredentials: 600,
  deviceCode: 600,
  grant: 30 * 86_400,
  idToken: 3600,
  interaction: 1800,
  refreshToken: 30 * 86_400,
  session: 12 * 3600,
};

export interface SigningOptions {
  /** The first signs access tokens and, where a client asks for none, ID tokens. */
  readonly algorithms: readonly [SigningAlgorithm, ...SigningAlgorithm[]];
  /** How long a key signs, in milliseconds. */
  readonly rotateAfter: number;
  /** For how long verifiers keep a key set, in milliseconds; keys overlap by this and the longest life of a token. */
  readonly verifiersKeep: number;
}

export const defaultSigning: SigningOptions = {
  algorithms: ['RS256', 'ES256'],
  rotateAfter: 90 * 86_400_000,
  verifiersKeep: 3_600_000,
};

export interface Features {
  readonly dynamicRegistration: false | RegistrationRules;
  readonly clientIdMetadataDocuments: false | MetadataDocumentRules;
}

export interface RegistrationRules {
  /** base64url of SHA-256 over the token a registration has to bring; `open` lets anybody register. */
  readonly initialAccessToken: { readonly hash: string } | 'open';
  /** Registered clients there may be at a time. */
  readonly maxClients: number;
  /** Registrations from one address in an hour. */
  readonly perAddress: number;
}

export interface MetadataDocumentRules {
  /** Documents fetched for one address in a minute. */
  readonly perAddress: number;
}

export const defaultFeatures: Features = {
  dynamicRegistration: false,
  clientIdMetadataDocuments: false,
};

/** The address of a client as the gateway wrote it: the first of X-Forwarded-For, which no client can set through it. */
export function addressOf(req: IncomingMessage): string {
  const field = req.headers['x-forwarded-for'];
  const chain = Array.isArray(field) ? field[0] : field;
  return chain?.split(',', 1)[0]?.trim() || 'unknown';
}
