import { ADMIN_API, ADMIN_ENVIRONMENT, ADMIN_PATH } from '../lib/admin-place.ts';
import type { OauthConfig } from '../policies/oauth/config.ts';
import { resourceMetadataPath, resourceMetadataPolicy } from '../policies/oauth/resource-metadata.ts';
import type { PolicyDefinition } from '../policies/policy.ts';
import { policies } from '../policies/registry.ts';
import { INTERNAL_PAGES } from './internal-pages.ts';
import { nameLoginPolicy } from './name-login.ts';
import { allowClientsPolicy, nameActorPolicy, presentCertificatePolicy } from './own-policies.ts';
import type { ApiConfig, GatewayConfig } from './schema.ts';

/** The gateway's own apps, each behind a socket of its own on the control plane. */
export const OWN_APPS = ['pages', 'authorizationServer', 'login', 'admin'] as const;
export type OwnApp = (typeof OWN_APPS)[number];

/** A place the gateway publishes by itself. It stands in the same table as those of the file, and is guarded by the same policies. */
export interface OwnRoute {
  readonly api: string;
  readonly name: string;
  readonly exposure: ApiConfig['exposure'];
  readonly listeners: readonly string[];
  /** Empty means any. */
  readonly hosts: readonly string[];
  readonly methods: readonly string[] | undefined;
  readonly path: string;
  readonly prefix: boolean;
  /** Undefined where a policy gives the answer. */
  readonly app: OwnApp | undefined;
  readonly settings: ApiConfig['policies'];
  /** Policies that only this place has. */
  readonly own: readonly PolicyDefinition[];
}

/** The API name of everything the gateway publishes by itself, in logs and metrics. */
export const OWN_API = 'sallyport';

export function ownRoutes(config: GatewayConfig): readonly OwnRoute[] {
  return [
    ...pages(config),
    ...adminApi(config),
    ...authorizationServer(config),
    ...logins(config),
    ...metadata(config),
  ];
}

/** Where a login of the file is used: its name, by API. */
export function loginsOf(api: ApiConfig): readonly string[] {
  return alternativesOf(api).flatMap((alternative) => {
    const use: unknown = Object(alternative['login']).use;
    return typeof use === 'string' ? [use] : [];
  });
}

export function loginRouteName(login: string): string {
  return `login-${login}`;
}

/** A way to authenticate as its schema left it: an object with one member, named after the method. */
export type Alternative = Readonly<Record<string, unknown>>;

/** The alternatives of `authenticate` of an API and its routes; none for `none`. */
export function alternativesOf(api: ApiConfig): readonly Alternative[] {
  return [api, ...api.routes].flatMap(({ policies: settings }) => {
    const authenticate = settings['authenticate'];
    // The policy's schema has made it a list of objects.
    return Array.isArray(authenticate) ? (authenticate as readonly Alternative[]) : [];
  });
}

export function oauthOf(alternative: Alternative): OauthConfig | undefined {
  return alternative['oauth'] as OauthConfig | undefined; // its schema has parsed it
}

function pages(config: GatewayConfig): OwnRoute[] {
  const listeners = listenersOf(config, 'internal');
  return INTERNAL_PAGES.map((path) => ({
    ...base('internal', listeners),
    name: path.slice(1),
    methods: ['GET'],
    path,
    app: 'pages',
  }));
}

function adminApi(config: GatewayConfig): OwnRoute[] {
  if (config.admin === false) return [];
  return [
    {
      ...base('internal', listenersOf(config, 'internal')),
      api: ADMIN_API,
      name: ADMIN_API,
      path: ADMIN_PATH,
      prefix: true,
      app: 'admin',
      settings: {
        // Each endpoint asks for its own scope, in the app.
        authenticate: withAdminKeys(config.admin.authenticate ?? parsed('authenticate', [{ apiKey: {} }])),
        requestLimits: parsed('requestLimits', { bodyBytes: '1GiB' }), // an import streams; the app bounds all else
      },
      own: [
        ...(config.admin.allowedClients === undefined ? [] : [allowClientsPolicy(config.admin.allowedClients)]),
        nameActorPolicy,
      ],
    },
  ];
}

/** Keys that were made for other APIs administer nothing, whatever their scopes are called there. */
function withAdminKeys(authenticate: unknown): unknown {
  if (!Array.isArray(authenticate)) return authenticate;
  return authenticate.map((alternative: Alternative) => {
    const { apiKey } = alternative;
    return apiKey === undefined ? alternative : { apiKey: { ...Object(apiKey), environments: [ADMIN_ENVIRONMENT] } };
  });
}

function authorizationServer(config: GatewayConfig): OwnRoute[] {
  const server = config.authorizationServer;
  if (server === undefined) return [];
  const issuer = new URL(server.issuer);
  const path = issuer.pathname.replace(/\/$/, '');
  const place = {
    ...base('public', server.listeners ?? listenersOf(config, 'public')),
    hosts: [issuer.hostname],
    app: 'authorizationServer' as const,
    settings: { requestLimits: parsed('requestLimits', { bodyBytes: '64KiB' }) },
    own: [presentCertificatePolicy],
  };
  // RFC 8414 §3.1 puts the well-known part before the issuer's path, OpenID Connect Discovery §4 behind it.
  const wellKnown = [`/.well-known/oauth-authorization-server${path}`, `/.well-known/openid-configuration${path}`];
  return [
    { ...place, name: 'authorization-server', path: path === '' ? '/' : path, prefix: true },
    ...wellKnown.map((metadataPath, at) => ({
      ...place,
      name: `authorization-server-metadata-${at + 1}`,
      methods: ['GET'],
      path: metadataPath,
      prefix: false,
    })),
  ];
}

function logins(config: GatewayConfig): OwnRoute[] {
  return config.apis.flatMap((api) =>
    [...new Set(loginsOf(api))].flatMap((name) => {
      const login = config.logins[name];
      if (login === undefined) return [];
      return [
        {
          ...base(api.exposure, api.listeners),
          name: loginRouteName(name),
          hosts: api.hosts,
          path: login.path,
          prefix: true,
          app: 'login' as const,
          own: [nameLoginPolicy(name)], // one app answers for all logins
          settings: { requestLimits: parsed('requestLimits', { bodyBytes: '64KiB' }) },
        },
      ];
    }),
  );
}

/** RFC 9728: where clients learn which authorization server to ask for a token. */
function metadata(config: GatewayConfig): OwnRoute[] {
  return config.apis.flatMap((api) => {
    const alternatives = alternativesOf(api).flatMap((alternative) => oauthOf(alternative) ?? []);
    if (alternatives.length === 0) return [];
    const ownIssuer = config.authorizationServer?.issuer;
    const certificates = config.listeners.some(
      ({ name, tls }) => api.listeners.includes(name) && asksForCertificates(tls),
    );
    const resource = { name: api.name, path: api.path, alternatives, ownIssuer, scopes: scopesOf(api), certificates };
    return [
      {
        ...base(api.exposure, api.listeners),
        api: api.name,
        name: 'resource-metadata',
        hosts: api.hosts,
        methods: ['GET'],
        path: resourceMetadataPath(api.path),
        own: [resourceMetadataPolicy(resource)],
      },
    ];
  });
}

function asksForCertificates(tls: GatewayConfig['listeners'][number]['tls']): boolean {
  return tls !== 'none' && (tls.clientCa !== undefined || tls.clientCertificates !== undefined);
}

/** Every scope that an API or one of its routes asks for. */
function scopesOf(api: ApiConfig): readonly string[] {
  const asked = [api, ...api.routes].flatMap(({ policies: settings }) => {
    const scopes: unknown = Object(settings['authorize']).scopes;
    return Array.isArray(scopes) ? scopes : Object.values(Object(scopes)).flat();
  });
  return [...new Set(asked.filter((scope): scope is string => typeof scope === 'string'))];
}

function base(exposure: ApiConfig['exposure'], listeners: readonly string[]): Omit<OwnRoute, 'name' | 'path'> {
  return {
    api: OWN_API,
    exposure,
    listeners,
    hosts: [],
    methods: undefined,
    prefix: false,
    app: undefined,
    settings: {},
    own: [],
  };
}

function listenersOf(config: GatewayConfig, exposure: ApiConfig['exposure']): readonly string[] {
  return config.listeners.filter((listener) => listener.exposure === exposure).map(({ name }) => name);
}

/** Options of a built-in policy as the file would write them. */
function parsed(policy: string, options: unknown): unknown {
  const definition = policies.find(({ name }) => name === policy);
  if (definition === undefined) throw new Error(`there is no policy ${policy}`);
  return definition.config.parse(options);
}
