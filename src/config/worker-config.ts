import type { GatewayConfig } from './schema.ts';

/**
 * What of a configuration the workers need: all that routes and policies are made of, and none of the secrets that only the control
 * plane uses. A worker is the part that reads bytes of strangers, so what is not in its memory cannot be read out of it.
 */
export function workerConfig(config: GatewayConfig): GatewayConfig {
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
