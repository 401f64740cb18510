import { hash } from 'node:crypto';
import { type Client, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import { FetchFailed } from '../identity/bounded-fetch.ts';
import { matchesClientSecret } from '../identity/client-keeper.ts';
import type { SigningKeys } from '../identity/signing-keys.ts';
import type { Counters } from '../stores/counters.ts';
import { createAdapterFactory } from './adapter.ts';
import { createAddressBudget } from './address-budget.ts';
import { createClientAdapter, SOURCE } from './client-adapter.ts';
import type { Grants, InteractionHandler } from './interaction-contract.ts';
import type { JwtTokens } from './jwt-tokens.ts';
import {
  type AuthorizationServerOptions,
  addressOf,
  type Features,
  type Lifetimes,
  type SigningOptions,
} from './options.ts';
import type { Outbound } from './outbound.ts';
import { describeClient } from './page-hooks.ts';
import { reportProtocolEvents } from './protocol-events.ts';
import { providerConfiguration } from './provider-configuration.ts';
import { createTokenPolicy, type TokenPolicy } from './token-policy.ts';

export interface ProtocolParts extends Omit<AuthorizationServerOptions, 'lifetimes' | 'signing' | 'features'> {
  readonly lifetimes: Lifetimes;
  readonly signing: SigningOptions;
  readonly features: Features;
  readonly keys: SigningKeys;
  readonly jwtTokens: JwtTokens;
  readonly grants: Grants;
  readonly outbound: Outbound;
}

/** oidc-provider under one set of keys, and the pages that belong to it. */
export interface Protocol {
  readonly answer: ReturnType<Provider['callback']>;
  readonly interactions: InteractionHandler;
}

export function createProtocol(parts: ProtocolParts): Protocol {
  const { issuer, records, counters, accounts, resources, features, jwtTokens, screens } = parts;
  const { dynamicRegistration: registration } = features;
  const scopes = allScopes(parts);
  const opener =
    registration === false || registration.initialAccessToken === 'open' ? undefined : registration.initialAccessToken;
  const tokenPolicy = createTokenPolicy({ accounts, jwtTokens });
  const provider = new Provider(
    issuer,
    providerConfiguration({
      ...parts,
      scopes: [...scopes],
      adapter: createAdapterFactory({
        records,
        counters,
        clients: createClientAdapter({ records, counters, registration, scopes, algorithms: parts.signing.algorithms }),
        jwtTokens,
        opensRegistration: opener === undefined ? undefined : (token) => matchesClientSecret(token, opener.hash),
      }),
      tokenPolicy,
      fetch: rationed(parts, tokenPolicy),
    }),
  );
  // The gateway alone can open the socket, and it writes the fields that say how the request came.
  provider.proxy = true;
  compareSecretsHashed(provider);
  refuseReplays(provider, counters);
  provider.use(hideStoredSecret);
  reportProtocolEvents(provider, parts);

  const interactions = parts.createInteractions({
    provider,
    issuer,
    records,
    counters,
    accounts,
    screens,
    grants: parts.grants,
    scopes: parts.scopes,
    resources,
    cookieSecret: parts.cookieSecret,
    describeClient,
    addressOf,
    report: parts.report,
    fault: parts.fault,
  });
  return { answer: provider.callback(), interactions };
}

function allScopes({ scopes, resources }: ProtocolParts): ReadonlySet<string> {
  const ofResources = resources.flatMap((resource) => resource.scopes);
  return new Set(['openid', 'offline_access', 'profile', 'email', ...Object.keys(scopes), ...ofResources]);
}

/** Keys of clients are fetched for whoever names the client, so each address may have only so many fetched (attack 44). */
function rationed({ outbound, counters }: ProtocolParts, tokenPolicy: TokenPolicy): Outbound['fetch'] {
  const budget = createAddressBudget(counters, { name: 'fetch', limit: 60, window: 60_000 });
  return async function fetchRationed(url, init) {
    if (!tokenPolicy.isLookingUp(Provider.ctx) && !(await budget.spend()))
      throw new FetchFailed('unreachable', 'too much was fetched for one address');
    return await outbound.fetch(url, init);
  };
}

/** What oidc-provider holds as a client's secret is its SHA-256, so the one that is presented is hashed before it is compared. */
function compareSecretsHashed({ Client }: Provider): void {
  Object.assign(Client.prototype, {
    compareClientSecret(this: Client, presented: string): boolean {
      return this.clientSecret !== undefined && matchesClientSecret(presented, this.clientSecret);
    },
  });
}

/** DPoP proofs and client assertions count once over all processes: oidc-provider would look, then write, and two could look at once (attack 41). */
function refuseReplays({ ReplayDetection }: Provider, counters: Counters): void {
  Object.assign(ReplayDetection, {
    async unique(issuer: string, jti: string, exp: number): Promise<boolean> {
      const ttl = (Math.max(0, exp - Math.floor(Date.now() / 1000)) + DATED_AHEAD) * 1000;
      return await counters.once(`oauth:replay:${hash('sha256', JSON.stringify([issuer, jti]), 'base64url')}`, ttl);
    },
  });
}

/**
 * Seconds. For a proof of possession, oidc-provider names the end of its window as counted from now and takes an `iat` that is
 * as far ahead, so one that is dated ahead is good for this much longer (RFC 9449 §11.1).
 */
const DATED_AHEAD = 300;

/** A client reads and changes its own registration (RFC 7592); the hash of its secret, and who made it, are not part of that. */
async function hideStoredSecret(ctx: KoaContextWithOIDC, next: () => Promise<unknown>): Promise<void> {
  await next();
  if (!REGISTRATION_ROUTES.has(ctx.oidc?.route) || typeof ctx.body !== 'object' || ctx.body === null) return;
  const stored = ctx.oidc.route === 'registration' ? undefined : ctx.oidc.client?.clientSecret;
  const { [SOURCE]: _, ...body } = ctx.body as Record<string, unknown>; // oidc-provider answers these routes with metadata
  if (stored !== undefined && body['client_secret'] === stored) {
    delete body['client_secret'];
    delete body['client_secret_expires_at'];
  }
  ctx.body = body;
}

const REGISTRATION_ROUTES: ReadonlySet<string | undefined> = new Set(['registration', 'client', 'client_update']);
