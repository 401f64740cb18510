import { type Alternative, alternativesOf, loginsOf, oauthOf } from '../config/own-routes.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { DirectorySettings } from '../identity/issuer-directory.ts';
import { defaultIssuerSettings } from '../identity/issuer-settings.ts';
import type { LoginSettings } from '../login/login-settings.ts';
import type { Resource } from '../oauth/interaction-contract.ts';
import { audiencesOf, isResource } from '../policies/oauth/config.ts';

/** Every issuer that APIs and the admin API accept tokens of: those of `issuers`, and with their defaults those that are only named. */
export function issuerSettingsOf(config: GatewayConfig): DirectorySettings['issuers'] {
  const settings = new Map(config.issuers.map((issuer) => [issuer.issuer, issuer]));
  for (const { issuer } of oauthAlternatives(config)) {
    if (issuer !== undefined && !settings.has(issuer)) settings.set(issuer, defaultIssuerSettings(issuer));
  }
  if (config.authorizationServer !== undefined) settings.delete(config.authorizationServer.issuer);
  return [...settings.values()];
}

/** The APIs that the embedded authorization server issues tokens for: the audiences under which they accept its tokens. */
export function resourcesOf(config: GatewayConfig): readonly Resource[] {
  const own = config.authorizationServer;
  if (own === undefined) return [];
  const resources = new Map<string, Resource>();
  for (const { api, issuer, audiences } of [...oauthAlternatives(config), ...loginResources(config)]) {
    if (issuer !== undefined && issuer !== own.issuer) continue;
    for (const audience of audiences) {
      if (resources.has(audience) || !isResource(audience)) continue;
      resources.set(audience, {
        audience,
        name: api,
        scopes: Object.keys(own.scopes),
      });
    }
  }
  return [...resources.values()];
}

export function loginSettingsOf(config: GatewayConfig): readonly LoginSettings[] {
  return Object.entries(config.logins).map(([name, login]) => ({
    ...login,
    name,
    issuer: login.issuer ?? config.authorizationServer?.issuer ?? '',
    resource: login.resource,
    ca: login.ca,
  }));
}

/** What logins ask tokens for: an API that only browsers call has no oauth alternative that would name it. */
function loginResources(config: GatewayConfig): readonly OauthAlternative[] {
  return Object.entries(config.logins).flatMap(([name, { issuer, resource }]) => {
    const using = config.apis.find((api) => loginsOf(api).includes(name));
    return resource === undefined ? [] : [{ api: using?.name ?? name, issuer, audiences: [resource] }];
  });
}

interface OauthAlternative {
  readonly api: string;
  readonly issuer: string | undefined;
  readonly audiences: readonly string[];
}

function oauthAlternatives(config: GatewayConfig): readonly OauthAlternative[] {
  const admin = config.admin === false ? undefined : config.admin.authenticate;
  const places = [
    ...config.apis.map((api) => ({ api: api.name, alternatives: alternativesOf(api) })),
    { api: 'the admin API', alternatives: Array.isArray(admin) ? admin : [] },
  ];
  return places.flatMap(({ api, alternatives }) =>
    alternatives.flatMap((alternative: Alternative) => {
      const oauth = oauthOf(alternative);
      return oauth === undefined ? [] : [{ api, issuer: oauth.issuer, audiences: audiencesOf(oauth) }];
    }),
  );
}
