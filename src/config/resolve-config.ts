import { resolve } from 'node:path';
import type { ParsedApi, ParsedUpstream } from './api-schema.ts';
import type { ListenerConfig } from './listener-schema.ts';
import { routeName } from './route-name.ts';
import type { ApiConfig, GatewayConfig, ParsedConfig } from './schema.ts';
import type { UpstreamConfig } from './upstream-schema.ts';

/** Makes names and file paths of a configuration without faults definite: nothing after this needs the directory or the defaults. */
export function resolveConfig(parsed: ParsedConfig, directory: string): GatewayConfig {
  const listeners = parsed.listeners.map((listener) => withListenerFiles(listener, directory));
  const upstreams: Record<string, UpstreamConfig> = {};
  const register = (name: string, upstream: UpstreamConfig): string => {
    upstreams[name] = withUpstreamFiles(upstream, directory);
    return name;
  };
  for (const [name, upstream] of Object.entries(parsed.upstreams)) register(name, upstream);
  const apis = parsed.apis.map((api) => resolveApi(api, listeners, register));
  return {
    listeners,
    workers: parsed.workers,
    log: parsed.log,
    tracing: parsed.tracing,
    drain: parsed.drain,
    dataDir: resolve(directory, parsed.dataDir),
    upstreams,
    stores: parsed.stores,
    authorizationServer: parsed.authorizationServer,
    issuers: parsed.issuers,
    logins: parsed.logins,
    consumers: parsed.consumers,
    admin: parsed.admin,
    apis,
  };
}

type Register = (name: string, upstream: UpstreamConfig) => string;

function resolveApi(api: ParsedApi, listeners: readonly ListenerConfig[], register: Register): ApiConfig {
  // A slash is in no name of the file, so these names clash with none.
  const upstreamName = (upstream: ParsedUpstream, place: string) =>
    'named' in upstream ? upstream.named : register(place, upstream.inline);
  const upstream = upstreamName(api.upstream, `${api.name}/`);
  return {
    ...api,
    listeners: api.listeners ?? listeners.filter(({ exposure }) => exposure === api.exposure).map(({ name }) => name),
    hosts: api.hosts ?? [],
    upstream,
    routes: api.routes.map((route, index) => {
      const own = route.upstream === undefined ? upstream : upstreamName(route.upstream, `${api.name}/${index}`);
      return { ...route, name: routeName(route), upstream: own };
    }),
  };
}

function withListenerFiles(listener: ListenerConfig, directory: string): ListenerConfig {
  if (listener.tls === 'none') return listener;
  const { certificates, clientCa, acme } = listener.tls;
  return {
    ...listener,
    tls: {
      ...listener.tls,
      certificates: certificates.map(({ cert, key }) => ({
        cert: resolve(directory, cert),
        key: resolve(directory, key),
      })),
      ...(clientCa === undefined ? {} : { clientCa: resolve(directory, clientCa) }),
      ...(acme?.ca === undefined ? {} : { acme: { ...acme, ca: resolve(directory, acme.ca) } }),
    },
  };
}

function withUpstreamFiles(upstream: UpstreamConfig, directory: string): UpstreamConfig {
  if (upstream.tls === undefined) return upstream;
  const { ca, cert, key, servername } = upstream.tls;
  const absolute = (file: string | undefined) => (file === undefined ? undefined : resolve(directory, file));
  return { ...upstream, tls: { ca: absolute(ca), cert: absolute(cert), key: absolute(key), servername } };
}
