import { isLoopback } from '../lib/network-address.ts';
import type { Finding } from './finding.ts';
import type { GatewayConfig } from './schema.ts';

/** What a security review would ask about callers: who is let in by less than they could be asked for, and for how long. */
export function identityFindings(config: GatewayConfig): Finding[] {
  return [
    ...storeFindings(config),
    ...serverFindings(config),
    ...Object.entries(config.logins).flatMap(([name, login]) => loginFindings(name, login)),
    ...adminFindings(config),
    ...config.apis.flatMap((api, index) => [
      ...alternativeFindings(api.policies['authenticate'], `apis[${index}]`),
      ...api.routes.flatMap((route, at) =>
        alternativeFindings(route.policies['authenticate'], `apis[${index}].routes[${at}]`),
      ),
    ]),
  ];
}

function storeFindings({ stores }: GatewayConfig): Finding[] {
  const findings: Finding[] = [];
  if (stores.records !== 'sqlite' && stores.encryptionKeys === undefined)
    findings.push({
      code: 'encryption-key-of-one-machine',
      severity: 'medium',
      path: 'stores.encryptionKeys',
      message: 'what is sealed in the database can be opened on this machine only, with a key in a file of it',
      remedy: 'set stores.encryptionKeys by reference, the same for every gateway that shares the database',
    });
  if (stores.counters !== 'memory') {
    const { protocol, hostname } = new URL(stores.counters.valkey.url); // the schema has checked it
    const plain = protocol === 'redis:' || protocol === 'valkey:';
    if (plain && hostname !== 'localhost' && !isLoopback(hostname.replace(/^\[|\]$/g, '')))
      findings.push({
        code: 'plain-text-store',
        severity: 'medium',
        path: 'stores.counters.valkey.url',
        message: 'the counters, and the password for them, cross the network in plain text',
        remedy: 'write rediss://',
      });
  }
  return findings;
}

function serverFindings({ authorizationServer: server }: GatewayConfig): Finding[] {
  const findings: Finding[] = [];
  if (server !== undefined && server.registration !== false && server.registration.access === 'open')
    findings.push({
      code: 'open-registration',
      severity: 'medium',
      path: 'authorizationServer.registration.access',
      message: 'anybody may register a client, under any name people are asked to trust',
      remedy: 'write access: token, with an initialAccessToken by reference',
    });
  for (const [at, cidr] of (server?.privateNetworks ?? []).entries())
    if (cidr.endsWith('/0'))
      findings.push({
        code: 'clients-look-inside',
        severity: 'high',
        path: `authorizationServer.privateNetworks[${at}]`,
        message: 'a client can have the gateway fetch from any address of your networks',
        remedy: 'list the addresses that documents of your clients are at',
      });
  return findings;
}

function loginFindings(name: string, { lifetime }: GatewayConfig['logins'][string]): Finding[] {
  if (lifetime <= LONG_SESSION) return [];
  return [
    {
      code: 'long-session',
      severity: 'low',
      path: `logins.${name}.lifetime`,
      message: 'whoever gets hold of a browser stays signed in for more than a week',
      remedy: 'shorten lifetime; people who come back are signed in again by their provider without a password',
    },
  ];
}

function adminFindings({ admin }: GatewayConfig): Finding[] {
  if (admin === false || !Array.isArray(admin.authenticate)) return [];
  return admin.authenticate.flatMap((alternative: Alternative, at): Finding[] => {
    const path = `admin.authenticate[${at}]`;
    if (alternative['oauth'] !== undefined && admin.allowedClients === undefined)
      return [
        {
          code: 'any-client-administers',
          severity: 'medium',
          path,
          message: 'every client that can get a token with the scope admin may administer the gateway',
          remedy: 'list those that should under admin.allowedClients',
        },
      ];
    if (alternative['login'] !== undefined)
      return [
        {
          code: 'any-session-administers',
          severity: 'medium',
          path,
          message: 'everybody whose session has the scope admin may administer the gateway, from a browser',
          remedy: 'see that the provider gives the scope to administrators alone, or take certificates or tokens here',
        },
      ];
    const { clientCertificate } = alternative;
    if (clientCertificate === undefined || namesSomebody(clientCertificate)) return [];
    return [
      {
        code: 'any-certificate-administers',
        severity: 'high',
        path,
        message: 'every certificate of the authorities of the internal listener may administer the gateway',
        remedy: 'name subjects or fingerprints',
      },
    ];
  });
}

function alternativeFindings(authenticate: unknown, place: string): Finding[] {
  if (!Array.isArray(authenticate)) return [];
  return authenticate.flatMap(({ apiKey, oauth }: Alternative, at): Finding[] => {
    const path = `${place}.authenticate[${at}]`;
    if (Object(apiKey).in === 'query')
      return [
        {
          code: 'key-in-query',
          severity: 'medium',
          path: `${path}.apiKey.in`,
          message: 'keys in a query end up in histories, bookmarks and logs of others',
          remedy: 'write in: header, unless these callers cannot send one',
        },
      ];
    if (Object(oauth).acceptPlainJwt === true)
      return [
        {
          code: 'untyped-tokens',
          severity: 'low',
          path: `${path}.oauth.acceptPlainJwt`,
          message: 'what the issuer signs for other purposes is told from access tokens by its claims alone',
          remedy: 'have the issuer write typ: at+jwt (RFC 9068), and leave this out',
        },
      ];
    return [];
  });
}

type Alternative = Readonly<Record<string, unknown>>;

function namesSomebody(clientCertificate: unknown): boolean {
  const { subjects, fingerprints } = Object(clientCertificate);
  return subjects !== undefined || fingerprints !== undefined;
}

/** A week, in milliseconds. */
const LONG_SESSION = 7 * 86_400_000;
