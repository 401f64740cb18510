import type { AuthorizationServerConfig, GatewayConfig } from '../config/schema.ts';
import { hashClientSecret } from '../identity/client-keeper.ts';
import { createAccounts } from '../oauth/accounts/accounts.ts';
import { createInteractions } from '../oauth/accounts/interactions.ts';
import { createUpstreamProvider } from '../oauth/accounts/upstream-provider.ts';
import { type AuthorizationServer, createAuthorizationServer } from '../oauth/authorization-server.ts';
import type { Features } from '../oauth/options.ts';
import { createLook } from '../oauth/screens/page.ts';
import { createScreens } from '../oauth/screens/screens.ts';
import type { AuditEvent } from '../stores/audit.ts';
import type { Foundations } from './identity-plane.ts';
import { resourcesOf } from './identity-settings.ts';

export interface OwnServerParts extends Foundations {
  readonly config: GatewayConfig;
  readonly settings: AuthorizationServerConfig;
  report(event: AuditEvent): void;
  fault(error: unknown): void;
  /** The certificate of the development CA, where listeners serve certificates of it: our own clients are behind them. */
  readonly devCa: string | undefined;
}

/** Makes the embedded authorization server that a configuration asks for. Rejects with StoreUnavailable. */
export async function openOwnServer(parts: OwnServerParts): Promise<AuthorizationServer> {
  const { config, settings, records, counters, sealer, report, fault } = parts;
  const roots = [settings.ca, parts.devCa].filter((pem) => pem !== undefined);
  const provider =
    settings.accounts === 'local'
      ? undefined
      : createUpstreamProvider({ ...settings.accounts.upstream, ca: settings.accounts.upstream.ca });
  const server = await createAuthorizationServer({
    issuer: settings.issuer,
    records,
    counters,
    accounts: createAccounts(records),
    screens: createScreens(createLook({ title: settings.title, issuer: settings.issuer })),
    createInteractions: createInteractions({ title: settings.title, upstream: provider }),
    scopes: settings.scopes,
    resources: resourcesOf(config),
    lifetimes: {
      accessToken: seconds(settings.lifetimes.accessToken),
      clientCredentials: seconds(settings.lifetimes.accessToken),
      refreshToken: seconds(settings.lifetimes.refreshToken),
      grant: seconds(settings.lifetimes.refreshToken),
      session: seconds(settings.lifetimes.session),
    },
    signing: { rotateAfter: settings.lifetimes.signingKey },
    features: featuresOf(settings),
    cookieSecret: sealer.derive('authorization server cookies', 32),
    privateNetworks: settings.privateNetworks,
    certificateAuthorities: roots.length === 0 ? undefined : roots.join('\n'),
    report,
    fault,
  });
  return {
    ...server,
    async close() {
      await server.close();
      await provider?.close();
    },
  };
}

function featuresOf({ registration, clientIdMetadata }: AuthorizationServerConfig): Partial<Features> {
  return {
    dynamicRegistration:
      registration === false
        ? false
        : {
            initialAccessToken:
              registration.access === 'open'
                ? 'open'
                : { hash: hashClientSecret(registration.initialAccessToken ?? '') },
            maxClients: registration.maxClients,
            perAddress: registration.perAddress,
          },
    clientIdMetadataDocuments: clientIdMetadata ? { perAddress: METADATA_PER_ADDRESS } : false,
  };
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

/** Documents of clients that are fetched for one address in a minute. */
const METADATA_PER_ADDRESS = 10;
