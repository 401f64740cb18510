import type { GatewayConfig } from './schema.ts';

/**
 * What of a configuration the workers need, and what is left of it once it is in force: all that routes and policies are made of, and
 * none of the secrets. A worker is the part that reads bytes of strangers, so what is not in its memory cannot be read out of it; and
 * a dump of the control plane shows the secrets of what it talks to, in the parts that do so, but no client's and no caller's.
 */
export function configWithoutSecrets(config: GatewayConfig): GatewayConfig {
  const { authorizationServer: server } = config;
  return {
    ...config,
    stores: { records: 'sqlite', counters: 'memory' }, // how to reach the stores a worker is told when it is born
    consumers: [],
    issuers: config.issuers.map(({ introspection: _credentials, ...issuer }) => issuer),
    logins: Object.fromEntries(
      Object.entries(config.logins).map(([name, login]) => [name, { ...login, clientSecret: '' }]),
    ),
    authorizationServer:
      server === undefined ? undefined : { ...server, accounts: 'local', registration: false, clients: [] },
  };
}
