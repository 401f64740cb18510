import { type Client, type Configuration, errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider';
import type { SigningKeys } from '../identity/signing-keys.ts';
import type { Counters } from '../stores/counters.ts';
import { createAddressBudget } from './address-budget.ts';
import { clientCertificateOf, isVerified, matchesSubject } from './client-certificate.ts';
import type { Resource, Screens } from './interaction-contract.ts';
import type { Features, MetadataDocumentRules, SigningOptions } from './options.ts';
import { pageHooks } from './page-hooks.ts';
import { impliedResource, isAmbiguous } from './resource-choice.ts';
import type { TokenPolicy } from './token-policy.ts';

export interface FeatureParts {
  readonly features: Features;
  readonly resources: readonly Resource[];
  readonly screens: Screens;
  readonly counters: Counters;
  readonly keys: SigningKeys;
  readonly signing: SigningOptions;
  readonly tokenPolicy: TokenPolicy;
}

/** Which extensions of the protocol are on. What is not here is off. */
export function protocolFeatures(parts: FeatureParts): NonNullable<Configuration['features']> {
  const { features, tokenPolicy } = parts;
  const pages = pageHooks(parts);
  const { dynamicRegistration: registration, clientIdMetadataDocuments: documents } = features;
  return {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    userinfo: { enabled: true },
    backchannelLogout: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    dPoP: { enabled: true, allowReplay: false },
    deviceFlow: { enabled: true, ...pages.deviceFlow },
    rpInitiatedLogout: { enabled: true, ...pages.logout },
    introspection: { enabled: true, allowedPolicy: tokenPolicy.mayIntrospect },
    revocation: { enabled: true, allowedPolicy: tokenPolicy.revoke },
    resourceIndicators: { enabled: true, ...resourceHooks(parts) },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      selfSignedTlsClientAuth: true,
      tlsClientAuth: true,
      getCertificate: (ctx) => clientCertificateOf(ctx.req),
      certificateAuthorized: (ctx) => isVerified(ctx.req),
      certificateSubjectMatches(ctx, property, expected) {
        const certificate = clientCertificateOf(ctx.req);
        return certificate !== undefined && matchesSubject(certificate, property, expected);
      },
    },
    ...(registration === false
      ? {}
      : {
          registration: { enabled: true, initialAccessToken: registration.initialAccessToken !== 'open' },
          registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
        }),
    ...(documents === false
      ? {}
      : {
          clientIdMetadataDocument: {
            enabled: true,
            ack: 'draft-02',
            allowFetch: async (ctx) => tokenPolicy.isLookingUp(ctx) || (await mayFetch(documents, parts.counters)),
            cacheDuration: { min: 60, max: 86_400 },
          },
        }),
  };
}

/** Attack 44: each address may make us fetch only so much. Servers of APIs may: what they ask about is tokens of ours. */
async function mayFetch(rules: MetadataDocumentRules, counters: Counters): Promise<boolean> {
  return await createAddressBudget(counters, {
    name: 'metadata-document',
    limit: rules.perAddress,
    window: 60_000,
  }).spend();
}

function resourceHooks({ resources, keys, signing }: FeatureParts) {
  return {
    defaultResource(ctx: KoaContextWithOIDC, _client: Client, oneOf?: readonly string[]): string | undefined {
      if (oneOf !== undefined)
        return oneOf.length === 1 ? oneOf[0] : refuse('name one resource: the grant is for several');
      const scopes = new Set([...ctx.oidc.requestParamScopes].filter((scope) => scope !== ''));
      if (isAmbiguous(resources, scopes)) return refuse('several resources know these scopes: name one as `resource`');
      const implied = impliedResource(resources, scopes);
      if (implied === undefined && ctx.oidc.route === 'token')
        return refuse('name the API the token is for as `resource`');
      return implied?.audience;
    },
    /** A token request without `resource` is for what was granted, and not for the userinfo endpoint instead. */
    useGrantedResource: () => true,
    getResourceServerInfo(_ctx: KoaContextWithOIDC, indicator: string, client: Client): ResourceServer {
      const resource = resources.find(({ audience }) => audience === indicator);
      if (resource === undefined) return refuse('there is no such resource here');
      const allowed = typeof client.scope === 'string' ? new Set(client.scope.split(' ')) : undefined;
      const scopes = resource.scopes.filter((scope) => allowed === undefined || allowed.has(scope));
      const alg = signing.algorithms[0];
      return {
        scope: scopes.join(' '),
        audience: resource.audience,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg, kid: keys.active(alg).kid } },
      };
    },
  };
}

function refuse(description: string): never {
  throw new errors.InvalidTarget(description);
}
