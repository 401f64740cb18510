import { suggest } from '../lib/suggest.ts';
import { audiencesOf, isResource, type OauthConfig } from '../policies/oauth/config.ts';
import type { Path, RawFault } from './faults.ts';
import { type Alternative, oauthOf } from './own-routes.ts';
import type { GatewayConfig } from './schema.ts';

/** Ways to authenticate that could let nobody in, or would never be asked: found when the file loads, and not by the callers. */
export function alternativeFaults(config: GatewayConfig): RawFault[] {
  return placesOf(config).flatMap(({ path, alternatives, listeners }) => [
    ...alternatives.flatMap((alternative, at) => [
      ...certificateFaults(config, alternative, listeners, [...path, at]),
      ...loginFaults(config, alternative, [...path, at]),
      ...oauthFaults(config, oauthOf(alternative), [...path, at, 'oauth']),
    ]),
    ...idleFaults(config, alternatives, path),
  ]);
}

interface Place {
  readonly path: Path;
  readonly alternatives: readonly Alternative[];
  /** Those that carry it. */
  readonly listeners: readonly string[];
}

function placesOf(config: GatewayConfig): readonly Place[] {
  const admin = config.admin === false ? undefined : config.admin.authenticate;
  const internal = config.listeners.filter(({ exposure }) => exposure === 'internal').map(({ name }) => name);
  return [
    ...config.apis.flatMap(({ policies, routes, listeners }, index) => [
      placeOf(policies['authenticate'], ['apis', index], listeners),
      ...routes.map((route, at) => placeOf(route.policies['authenticate'], ['apis', index, 'routes', at], listeners)),
    ]),
    placeOf(admin, ['admin'], internal),
  ];
}

/** What the policy's schema left of `authenticate`: `none`, nothing, or a list of objects with one member. */
function placeOf(authenticate: unknown, path: Path, listeners: readonly string[]): Place {
  const alternatives = Array.isArray(authenticate) ? (authenticate as readonly Alternative[]) : [];
  return { path: [...path, 'authenticate'], alternatives, listeners };
}

function certificateFaults(
  config: GatewayConfig,
  { clientCertificate }: Alternative,
  listeners: readonly string[],
  path: Path,
): RawFault[] {
  if (clientCertificate === undefined) return [];
  const verifying = config.listeners.some(
    ({ name, tls }) => listeners.includes(name) && tls !== 'none' && tls.clientCa !== undefined,
  );
  if (verifying) return [];
  return [
    {
      path: [...path, 'clientCertificate'],
      message: 'lets nobody in: no listener that carries this verifies client certificates',
      hint: 'set tls.clientCa of a listener to the authority of those certificates',
    },
  ];
}

function loginFaults(config: GatewayConfig, { login }: Alternative, path: Path): RawFault[] {
  const use: unknown = Object(login).use;
  const known = Object.keys(config.logins);
  if (typeof use !== 'string' || known.includes(use)) return [];
  const near = suggest(use, known);
  return [
    {
      path: [...path, 'login', 'use'],
      subject: use,
      message: 'is not the name of a login',
      hint: near === undefined ? 'define it under `logins`' : `did you mean ${near}?`,
    },
  ];
}

function oauthFaults(config: GatewayConfig, oauth: OauthConfig | undefined, path: Path): RawFault[] {
  if (oauth === undefined) return [];
  const own = config.authorizationServer?.issuer;
  const issuer = oauth.issuer ?? own;
  if (issuer === undefined)
    return [
      {
        path: [...path, 'issuer'],
        message: 'is missing, and there is no authorization server of the gateway itself',
        hint: 'name the issuer whose tokens are good here, or add authorizationServer',
      },
    ];
  const faults: RawFault[] = [];
  if (issuer === own && !audiencesOf(oauth).some(isResource))
    faults.push({
      path: [...path, 'audience'],
      subject: oauth.audience,
      message: 'is no absolute URI, so no client could ask the authorization server for a token of it (RFC 8707)',
      hint: 'write a URI such as https://api.example.com/widgets',
    });
  if (oauth.opaque === 'introspect' && issuer === own)
    faults.push({
      path: [...path, 'opaque'],
      subject: oauth.opaque,
      message: 'finds nothing to ask about: every token of the embedded authorization server is a JWT',
      hint: 'leave it out',
    });
  else if (oauth.opaque === 'introspect' && introspectionOf(config, issuer) === undefined)
    faults.push({
      path: [...path, 'opaque'],
      subject: oauth.opaque,
      message: `takes credentials to ask ${issuer} with`,
      hint: 'add them under `issuers`: { issuer: …, introspection: { clientId: …, clientSecret: … } }',
    });
  return faults;
}

function introspectionOf(config: GatewayConfig, issuer: string): unknown {
  return config.issuers.find((settings) => settings.issuer === issuer)?.introspection;
}

/** An alternative decides over each credential it finds, so a later one for the same credential is never asked. */
function idleFaults(config: GatewayConfig, alternatives: readonly Alternative[], path: Path): RawFault[] {
  const first = new Map<string, number>();
  return alternatives.flatMap((alternative, at): RawFault[] => {
    const credentials = credentialsOf(config, alternative);
    const before = credentials.flatMap((credential) => first.get(credential) ?? [])[0];
    if (!isListOfCertificates(alternative))
      for (const credential of credentials) if (!first.has(credential)) first.set(credential, at);
    if (before === undefined) return [];
    return [
      {
        path: [...path, at],
        message: `alternative ${at + 1} is never asked: alternative ${before + 1} decides over the same credentials`,
        hint: 'make one of the two, with what both take in its lists',
      },
    ];
  });
}

/** It decides over those it lists alone; the others are as if there were none. */
function isListOfCertificates({ clientCertificate }: Alternative): boolean {
  const { subjects, fingerprints } = Object(clientCertificate);
  return subjects !== undefined || fingerprints !== undefined;
}

/** What an alternative decides over, in words that are the same for the same. An opaque token does not say whose it is. */
function credentialsOf(config: GatewayConfig, alternative: Alternative): readonly string[] {
  const oauth = oauthOf(alternative);
  if (oauth !== undefined) {
    const issuer = oauth.issuer ?? config.authorizationServer?.issuer;
    return [`token of ${issuer}`, ...(oauth.opaque === 'introspect' ? ['opaque token'] : [])];
  }
  const { apiKey, login } = alternative;
  if (login !== undefined) return [`session of ${Object(login).use}`];
  if (apiKey === undefined) return ['certificate'];
  const { in: where, header = 'x-api-key', parameter = 'api_key' } = Object(apiKey);
  return [where === 'query' ? `parameter ${parameter}` : `field ${String(header).toLowerCase()}`];
}
