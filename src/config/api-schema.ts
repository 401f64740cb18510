import { z } from 'zod';
import type { PolicyDefinition } from '../policies/policy.ts';
import { headerFieldsOption, hostOption, nameOption, targetOption, textOption } from './option-types.ts';
import { readMatch, readPath } from './path-syntax.ts';
import { upstreamSchema } from './upstream-schema.ts';

/**
 * What the file says of policies at one place, by policy name: a parsed config, or `false` for "off". A policy the
 * place does not mention is not in it. A route's entry replaces the API's entry of the same name as a whole.
 */
export type PolicySettings = Readonly<Record<string, unknown>>;

/** The policies that can be configured. `custom` ones stand under `policies`, undefined lets any name stand there. */
export interface KnownPolicies {
  readonly builtIn: readonly PolicyDefinition[];
  readonly custom: readonly PolicyDefinition[] | undefined;
}

/** One API of the file, with its routes. Its options are those below and one for each built-in policy. */
export function apiSchema(known: KnownPolicies) {
  const route = withPolicies(routeShape, known);
  const routes = z
    .array(route)
    .default([])
    .describe(
      "Settings for parts of the API. A policy named here replaces the API's settings of it as a whole; the rest under `path` stays published with the API's settings.",
    );
  return withPolicies({ ...apiShape, routes }, known);
}

export type ParsedApi = z.output<ReturnType<typeof apiSchema>>;
export type ParsedRoute = ParsedApi['routes'][number];

const upstreamName = nameOption().transform((name) => ({ named: name }));
const upstreamTarget = targetOption().transform((target) => ({ inline: upstreamSchema.parse({ targets: [target] }) }));

const upstream = z
  .union([
    z.string().transform((text, context) => {
      const outcome = (/[:/]/.test(text) ? upstreamTarget : upstreamName).safeParse(text);
      if (outcome.success) return outcome.data;
      for (const issue of outcome.error.issues) context.issues.push({ ...issue, code: 'custom', input: text });
      return z.NEVER;
    }),
    upstreamSchema.transform((inline) => ({ inline })),
  ])
  .describe('Where requests go: a name from `upstreams`, the URL of one target, or an upstream of its own.');

/** A name from `upstreams`, or an upstream of the API's or route's own. */
export type ParsedUpstream = z.output<typeof upstream>;

const apiShape = {
  name: nameOption().describe('Unique name, used in logs and metrics.'),
  exposure: z
    .enum(['public', 'internal'])
    .default('public')
    .describe('An internal API is reachable through internal listeners only.'),
  listeners: z
    .array(nameOption())
    .min(1)
    .optional()
    .describe('The listeners that carry it; left out, every listener of the same exposure.'),
  hosts: z
    .array(hostOption())
    .min(1)
    .optional()
    .describe('Hosts it answers to, such as api.example.com or *.example.org; left out, any.'),
  path: textOption(readPath, ['/v1/widgets']).prefault('/').describe('Path prefix, matched on segment borders.'),
  rewrite: textOption(readPath, ['/internal', '/'])
    .optional()
    .describe('Replaces the path prefix toward the upstream; / strips it.'),
  upstream,
};

const routeShape = {
  name: nameOption().optional().describe('Name in logs and metrics, unique in the API; left out, the text of `match`.'),
  match: z
    .string()
    .meta({ examples: ['GET /healthz', 'GET,HEAD /items/{id}', '* /files/*'] })
    .transform((text, context) => {
      const outcome = readMatch(text);
      if ('value' in outcome) return outcome.value;
      context.issues.push({ code: 'custom', message: outcome.message, input: text, params: { hint: outcome.hint } });
      return z.NEVER;
    })
    .describe("Methods and a path below the API's: GET /items/{id}, GET,HEAD /items, * /files/* (any rest)."),
  matchHeaders: headerFieldsOption().prefault({}).describe('Header fields a request must have, with these values.'),
  upstream: upstream.optional(),
};

/** What a TypeScript file may write for an API or a route, policies apart. */
export type ApiOptions = z.input<z.ZodObject<typeof apiShape>>;
export type RouteOptions = z.input<z.ZodObject<typeof routeShape>>;

/** A strict object of `shape` and the policies' options; the latter are gathered under `policies` when parsed. */
function withPolicies<Shape extends z.ZodRawShape>(shape: Shape, known: KnownPolicies) {
  const builtIn = Object.fromEntries(known.builtIn.map((policy) => [policy.name, policyOption(policy)]));
  const schema = z
    .strictObject({ ...shape, ...builtIn, policies: customPolicyOptions(known.custom) })
    .transform((parsed: Readonly<Record<string, unknown>>) => {
      const options: Record<string, unknown> = {};
      const settings: Record<string, unknown> = Object.assign({}, parsed['policies']);
      for (const [key, value] of Object.entries(parsed)) {
        if (Object.hasOwn(builtIn, key)) {
          if (value !== undefined) settings[key] = value;
        } else options[key] = value;
      }
      return { ...options, policies: settings };
    });
  // The policies' names are known at run time only, so the types of the fixed options are put back by hand.
  return schema as unknown as z.ZodType<
    z.output<z.ZodObject<Shape>> & { policies: PolicySettings },
    z.input<z.ZodObject<Shape>> & Record<string, unknown>
  >;
}

function policyOption(policy: PolicyDefinition) {
  const described = policy.config.description ?? `Settings of the ${policy.name} policy.`;
  // Opening an API to everyone takes the word `none`, and no accident of a boolean.
  if (policy.name === 'authenticate') return policy.config.optional().describe(described);
  return z
    .union([policy.config, z.literal(false)])
    .optional()
    .describe(`${described} false turns it off.`);
}

function customPolicyOptions(custom: KnownPolicies['custom']) {
  const anyPolicy = z.record(z.string(), z.union([z.record(z.string(), z.unknown()), z.literal(false)]));
  const options =
    custom === undefined
      ? anyPolicy
      : z.strictObject(Object.fromEntries(custom.map((policy) => [policy.name, policyOption(policy)])));
  return options
    .optional()
    .describe('Settings of custom policies, which a sallyport.config.ts defines; false turns one off.');
}
