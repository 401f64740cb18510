import { z } from 'zod';
import { policies } from '../policies/registry.ts';
import type { KnownPolicies } from './api-schema.ts';
import { gatewaySchema } from './schema.ts';

/** The JSON Schema (draft 2020-12) of the configuration file, for editors; what `docs/schema/sallyport.schema.json` holds. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...schema } = jsonSchemaOf({ builtIn: policies, custom: undefined });
  return { $schema, title: 'Sallyport configuration', ...schema };
}

/** The same for the policies of one file, custom ones included. */
export function jsonSchemaOf(known: KnownPolicies): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(gatewaySchema(known), { io: 'input', unrepresentable: 'any' });
}
