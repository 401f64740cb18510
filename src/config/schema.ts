import { z } from 'zod';
import { type IssuerSettings, issuerSettings } from '../identity/issuer-settings.ts';
import { durationOption } from '../lib/duration.ts';
import { apiSchema, type KnownPolicies, type ParsedApi, type ParsedRoute } from './api-schema.ts';
import { type AuthorizationServerConfig, authorizationServerSchema } from './authorization-server-schema.ts';
import { type ConsumerConfig, consumerSchema, type LoginConfig, loginSchema } from './identity-schema.ts';
import { type ListenerConfig, listenerSchema } from './listener-schema.ts';
import { filePathOption, nameOption } from './option-types.ts';
import { type StoresConfig, storesSchema } from './stores-schema.ts';
import { type LogConfig, logSchema, type TracingConfig, tracingSchema } from './telemetry-schema.ts';
import { type UpstreamConfig, upstreamSchema } from './upstream-schema.ts';

export type { AuthorizationServerConfig, ClientConfig } from './authorization-server-schema.ts';
export type { ConsumerConfig, LoginConfig } from './identity-schema.ts';
export type { ListenerConfig } from './listener-schema.ts';
export type { StoresConfig } from './stores-schema.ts';
export type { LogConfig, TracingConfig } from './telemetry-schema.ts';
export type { UpstreamConfig } from './upstream-schema.ts';

/** The whole configuration file. Every object in it is strict, every option has a description. */
export function gatewaySchema(known: KnownPolicies) {
  return z.strictObject({
    listeners: z.array(listenerSchema).min(1).describe('Where the gateway listens.'),
    workers: z
      .union([z.literal('auto'), z.int().min(1).max(64)])
      .default('auto')
      .describe('Worker threads; auto means one for each core.'),
    log: logSchema.prefault({}).describe('The log, on standard output.'),
    tracing: tracingSchema.optional().describe('OpenTelemetry traces; left out, none are sent.'),
    drain: durationOption()
      .prefault('30s')
      .describe('How long requests in flight may finish after a stop or a reload.'),
    dataDir: filePathOption()
      .prefault('./.sallyport')
      .describe('Directory for the development CA, ACME account and certificates, pid file and control socket.'),
    upstreams: z.record(z.string(), upstreamSchema).default({}).describe('Upstreams by name, for APIs that share one.'),
    stores: storesSchema.prefault({}).describe('Where records and counters are kept.'),
    authorizationServer: authorizationServerSchema
      .optional()
      .describe('The embedded OAuth 2.0 authorization server; left out, there is none.'),
    issuers: z
      .array(issuerSettings)
      .default([])
      .describe('Other authorities whose tokens are accepted, where their defaults do not fit.'),
    logins: z
      .record(nameOption(), loginSchema)
      .default({})
      .describe('Sign-in for browsers, by name; APIs refer to one with `authenticate: [{ login: { use: name } }]`.'),
    consumers: z.array(consumerSchema).default([]).describe('Holders of API keys that are declared here.'),
    admin: adminSchema(known)
      .prefault({})
      .describe('The admin API, on internal listeners under /admin/v1; false turns it off.'),
    apis: z.array(apiSchema(known)).min(1).describe('What the gateway publishes.'),
  });
}

/** Who may use the admin API. What an alternative must look like is the `authenticate` policy's business. */
function adminSchema(known: KnownPolicies) {
  const authenticate = known.builtIn.find(({ name }) => name === 'authenticate')?.config ?? z.never();
  const options = z.strictObject({
    authenticate: authenticate
      .optional()
      .describe(
        'How administrators authenticate, with the scope `admin`; left out, by API key: one is made and printed at the first start.',
      ),
    allowedClients: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe(
        'OAuth clients that may call it, with a token or as the client of a login; left out, any with the scope. API keys and client certificates belong to no client: the list does not concern them.',
      ),
  });
  return z.union([z.literal(false), options]);
}

/** The file as the schema leaves it: durations in milliseconds, sizes in bytes, names not yet resolved. */
export type ParsedConfig = z.output<ReturnType<typeof gatewaySchema>>;

/** A configuration that loaded: every name resolved, every file path absolute. It is plain data, but for what custom policies' schemas make. */
export interface GatewayConfig {
  readonly listeners: readonly ListenerConfig[];
  readonly workers: number | 'auto';
  readonly log: LogConfig;
  readonly tracing: TracingConfig | undefined;
  /** Milliseconds. */
  readonly drain: number;
  readonly dataDir: string;
  /** Every upstream by its name; those written inside an API or route are named `api` or `api/route`. */
  readonly upstreams: Readonly<Record<string, UpstreamConfig>>;
  readonly stores: StoresConfig;
  readonly authorizationServer: AuthorizationServerConfig | undefined;
  readonly issuers: readonly IssuerSettings[];
  readonly logins: Readonly<Record<string, LoginConfig>>;
  readonly consumers: readonly ConsumerConfig[];
  readonly admin: AdminConfig;
  readonly apis: readonly ApiConfig[];
}

/** `authenticate` is a parsed config of the policy of that name. */
export type AdminConfig = ParsedConfig['admin'];

export interface ApiConfig extends Omit<ParsedApi, 'listeners' | 'hosts' | 'upstream' | 'routes'> {
  /** Names of the listeners that carry it, the default already worked out. */
  readonly listeners: readonly string[];
  /** Lower case; empty means any host. */
  readonly hosts: readonly string[];
  /** A key of `GatewayConfig.upstreams`. */
  readonly upstream: string;
  readonly routes: readonly RouteConfig[];
}

export interface RouteConfig extends Omit<ParsedRoute, 'name' | 'upstream'> {
  readonly name: string;
  /** A key of `GatewayConfig.upstreams`; the API's where the route names none. */
  readonly upstream: string;
}
