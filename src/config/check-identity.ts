import { readClientRequest } from '../identity/client-keeper.ts';
import { ADMIN_API, ADMIN_ENVIRONMENT } from '../lib/admin-place.ts';
import { parseApiKey } from '../lib/api-key.ts';
import { suggest } from '../lib/suggest.ts';
import { alternativeFaults } from './check-alternatives.ts';
import { clientRequestOf, optionOfField } from './declared-clients.ts';
import type { Path, RawFault } from './faults.ts';
import { type Alternative, OWN_API } from './own-routes.ts';
import type { AuthorizationServerConfig, GatewayConfig } from './schema.ts';

/** What a file says of callers and no part of it can show alone: names that lead nowhere, secrets that are missing, declared clients and keys that cannot be. */
export function identityFaults(config: GatewayConfig): RawFault[] {
  const names = config.apis.map(({ name }) => name);
  return [
    ...apiFaults(config),
    ...alternativeFaults(config),
    ...issuerFaults(config),
    ...serverFaults(config),
    ...loginFaults(config),
    ...consumerFaults(config, new Set([...names, ADMIN_API])),
    ...adminFaults(config),
  ];
}

function apiFaults(config: GatewayConfig): RawFault[] {
  return config.apis.flatMap((api, index): RawFault[] =>
    api.name === OWN_API || api.name === ADMIN_API
      ? [
          {
            path: ['apis', index, 'name'],
            subject: api.name,
            message: 'is what the gateway calls its own pages',
            hint: 'choose another name',
          },
        ]
      : [],
  );
}

/** Tokens name their issuer, so there can be one way only to reach it. */
function issuerFaults(config: GatewayConfig): RawFault[] {
  const seen = new Set<string>();
  return config.issuers.flatMap(({ issuer }, index): RawFault[] => {
    const path = ['issuers', index, 'issuer'];
    if (issuer === config.authorizationServer?.issuer)
      return [
        {
          path,
          subject: issuer,
          message: 'is the authorization server of the gateway itself, which needs no entry',
          hint: 'take it out of `issuers`',
        },
      ];
    const repeated = seen.has(issuer);
    seen.add(issuer);
    return repeated
      ? [{ path, subject: issuer, message: 'is described already', hint: 'give each issuer one entry' }]
      : [];
  });
}

function serverFaults(config: GatewayConfig): RawFault[] {
  const server = config.authorizationServer;
  if (server === undefined) return [];
  const at: Path = ['authorizationServer'];
  const publicListeners = config.listeners.filter(({ exposure }) => exposure === 'public').map(({ name }) => name);
  const faults: RawFault[] = [];
  if (publicListeners.length === 0)
    faults.push({
      path: [...at, 'issuer'],
      message: 'no public listener carries the authorization server',
      hint: 'add a listener with exposure: public',
    });
  for (const [index, name] of (server.listeners ?? []).entries())
    if (!publicListeners.includes(name))
      faults.push({
        path: [...at, 'listeners', index],
        subject: name,
        message: 'is not the name of a public listener',
        hint: `name one of: ${publicListeners.join(', ')}`,
      });
  if (
    server.registration !== false &&
    server.registration.access === 'token' &&
    server.registration.initialAccessToken === undefined
  )
    faults.push({
      path: [...at, 'registration', 'initialAccessToken'],
      message: 'is missing, so nobody could register',
      hint: 'give a token by reference, or write access: open',
    });
  return [...faults, ...clientFaults(server.clients, [...at, 'clients']), ...scopeFaults(server, [...at, 'clients'])];
}

function clientFaults(clients: NonNullable<GatewayConfig['authorizationServer']>['clients'], at: Path): RawFault[] {
  const seen = new Set<string>();
  return clients.flatMap((client, index) => {
    const path = [...at, index];
    const faults: RawFault[] = [];
    if (seen.has(client.id))
      faults.push({
        path: [...path, 'id'],
        subject: client.id,
        message: 'names another client already',
        hint: 'choose another id',
      });
    seen.add(client.id);
    if (client.secret === undefined && client.authentication?.startsWith('client_secret_') === true)
      faults.push({
        path: [...path, 'secret'],
        message: `is missing, and ${client.authentication} takes one`,
        hint: 'write a reference, such as ${env:CLIENT_SECRET}, or choose another authentication',
      });
    const read = readClientRequest(clientRequestOf(client));
    if ('faults' in read)
      for (const { path: where, message } of read.faults) {
        const [field, ...rest] = where;
        faults.push({
          path: [...path, ...(field === undefined ? [] : [optionOfField(String(field))]), ...rest],
          message,
          hint: 'docs/configuration.md has every option of a client',
        });
      }
    return faults;
  });
}

/** A scope that there is not can be asked for by nobody: it is misspelt, or was forgotten above. */
function scopeFaults({ scopes, clients }: AuthorizationServerConfig, at: Path): RawFault[] {
  const known = new Set([...Object.keys(scopes), 'openid', 'offline_access', 'profile', 'email']);
  return clients.flatMap((client, index) =>
    client.scopes.flatMap((scope, place): RawFault[] =>
      known.has(scope)
        ? []
        : [
            {
              path: [...at, index, 'scopes', place],
              subject: scope,
              message: 'is not a scope of this authorization server',
              hint: `define it under authorizationServer.scopes${suggestion(scope, known)}`,
            },
          ],
    ),
  );
}

function loginFaults(config: GatewayConfig): RawFault[] {
  return Object.entries(config.logins).flatMap(([name, login]): RawFault[] =>
    login.issuer !== undefined || config.authorizationServer !== undefined
      ? []
      : [
          {
            path: ['logins', name, 'issuer'],
            message: 'is missing, and there is no authorization server of the gateway itself',
            hint: 'name the OpenID provider people sign in at, or add authorizationServer',
          },
        ],
  );
}

function consumerFaults(config: GatewayConfig, apis: ReadonlySet<string>): RawFault[] {
  const faults: RawFault[] = [];
  const names = new Set<string>();
  const keys = new Set<string>();
  for (const [index, consumer] of config.consumers.entries()) {
    const at: Path = ['consumers', index];
    if (names.has(consumer.name))
      faults.push({
        path: [...at, 'name'],
        subject: consumer.name,
        message: 'names another consumer already',
        hint: 'choose another name',
      });
    names.add(consumer.name);
    const keyNames = new Set<string>();
    for (const [keyIndex, key] of consumer.keys.entries()) {
      const keyAt: Path = [...at, 'keys', keyIndex];
      if (keyNames.has(key.name))
        faults.push({
          path: [...keyAt, 'name'],
          subject: key.name,
          message: `names another key of ${consumer.name} already`,
          hint: 'choose another name',
        });
      keyNames.add(key.name);
      const parsed = parseApiKey(key.key);
      // The text is a secret, typo or not: it is not shown.
      if (parsed === undefined)
        faults.push({
          path: [...keyAt, 'key'],
          message: 'this is no API key, or has a typo',
          hint: 'make one with: sallyport keys generate',
        });
      else if (keys.has(parsed.id))
        faults.push({
          path: [...keyAt, 'key'],
          message: 'this key is declared twice',
          hint: 'make another with: sallyport keys generate',
        });
      if (parsed !== undefined) keys.add(parsed.id);
      for (const [apiIndex, api] of (key.apis ?? []).entries())
        if (!apis.has(api))
          faults.push({
            path: [...keyAt, 'apis', apiIndex],
            subject: api,
            message: 'is not the name of an API',
            hint: `name an API of the file${suggestion(api, apis)}`,
          });
    }
  }
  return faults;
}

function suggestion(name: string, known: ReadonlySet<string>): string {
  const near = suggest(name, known);
  return near === undefined ? '' : `, or write ${near}`;
}

function adminFaults(config: GatewayConfig): RawFault[] {
  if (config.admin === false) return [];
  if (config.admin.authenticate !== 'none') return adminKeyFaults(config.admin.authenticate);
  return [
    {
      path: ['admin', 'authenticate'],
      subject: 'none',
      message: 'would let everyone on the internal listener administer the gateway',
      hint: 'leave it out for API keys, or give a list such as [{ clientCertificate: {} }]',
    },
  ];
}

function adminKeyFaults(authenticate: unknown): RawFault[] {
  if (!Array.isArray(authenticate)) return [];
  return authenticate.flatMap((alternative: Alternative, at): RawFault[] => {
    const environments: unknown = Object(alternative['apiKey']).environments;
    if (!Array.isArray(environments)) return [];
    const others = environments.filter((environment) => environment !== ADMIN_ENVIRONMENT);
    if (others.length === 0) return [];
    return [
      {
        path: ['admin', 'authenticate', at, 'apiKey', 'environments'],
        subject: others.join(', '),
        message: 'would let keys of other APIs administer the gateway',
        hint: `leave it out: the admin API takes keys of the environment ${ADMIN_ENVIRONMENT}`,
      },
    ];
  });
}
