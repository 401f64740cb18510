import type { z } from 'zod';
import type { issuerSettings } from '../identity/issuer-settings.ts';
import type { CompileContext, CompiledPolicy, PolicyDefinition } from '../policies/policy.ts';
import type { ApiOptions, RouteOptions } from './api-schema.ts';
import type { authorizationServerSchema } from './authorization-server-schema.ts';
import type { consumerSchema, loginSchema } from './identity-schema.ts';
import type { listenerSchema } from './listener-schema.ts';
import type { PolicyOptions } from './policy-options.ts';
import type { storesSchema } from './stores-schema.ts';
import type { logSchema, tracingSchema } from './telemetry-schema.ts';
import type { upstreamSchema } from './upstream-schema.ts';

/** What a `sallyport.config.ts` exports: the same options as in YAML, and policies of your own. */
export interface ConfigInput {
  readonly listeners: readonly z.input<typeof listenerSchema>[];
  readonly workers?: number | 'auto';
  readonly log?: z.input<typeof logSchema>;
  readonly tracing?: z.input<typeof tracingSchema>;
  readonly drain?: string;
  readonly dataDir?: string;
  readonly upstreams?: Readonly<Record<string, z.input<typeof upstreamSchema>>>;
  readonly stores?: z.input<typeof storesSchema>;
  readonly authorizationServer?: z.input<typeof authorizationServerSchema>;
  readonly issuers?: readonly z.input<typeof issuerSettings>[];
  readonly logins?: Readonly<Record<string, z.input<typeof loginSchema>>>;
  readonly consumers?: readonly z.input<typeof consumerSchema>[];
  readonly admin?:
    | false
    | { readonly authenticate?: PolicyOptions['authenticate']; readonly allowedClients?: readonly string[] };
  readonly apis: readonly ApiInput[];
  /** Made with `definePolicy`; APIs and routes set them up under their own `policies`, by name. */
  readonly policies?: readonly CustomPolicy[];
}

export type ApiInput = Omit<ApiOptions, 'routes'> &
  PolicyInput & { readonly routes?: readonly (RouteOptions & PolicyInput)[] };

/** The built-in policies' options, and those of custom policies under `policies`. */
export type PolicyInput = PolicyOptions & { readonly policies?: Readonly<Record<string, unknown>> };

/** A PolicyDefinition of any config. */
export interface CustomPolicy extends Omit<PolicyDefinition, 'compile'> {
  readonly compile: (config: never, context: CompileContext) => CompiledPolicy | undefined;
}

/** Declares a configuration; it exists to give the file its types. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config;
}
