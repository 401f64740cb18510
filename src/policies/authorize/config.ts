import { z } from 'zod';

const scope = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'is not a scope: printable ASCII without blanks, quotes and backslashes');
const scopes = z.array(scope).min(1);
const names = z.array(z.string().min(1)).min(1);
const scalar = z.union([z.string(), z.number(), z.boolean()]);
const method = z.string().regex(/^([A-Z]{1,20}|\*)$/, 'is not a request method in capitals, or *');

export const authorizeConfig = z
  .strictObject({
    scopes: z
      .union([scopes, z.record(method, z.array(scope))])
      .optional()
      .describe(
        'Scopes a caller must have, all of them. By method: `{ GET: [widgets:read], "*": [widgets:write] }`; a method that is not named takes those of `*`, and is refused where there is no `*`.',
      ),
    claims: z
      .record(z.string().min(1), z.array(scalar).min(1))
      .optional()
      .describe(
        'Claims by their dotted path, each with the values that will do: the claim must be one of them, or a list that has one of them.',
      ),
    kinds: z
      .array(z.enum(['user', 'client', 'consumer', 'certificate']))
      .min(1)
      .optional()
      .describe('The kinds of callers that are let in; left out, all.'),
    methods: z
      .array(z.enum(['oauth', 'apiKey', 'login', 'clientCertificate']))
      .min(1)
      .optional()
      .describe('The ways of authenticating that are let in; left out, all.'),
    clients: names.optional().describe('The OAuth clients that are let in; a caller without a client is not.'),
    consumers: names
      .optional()
      .describe('The consumers of API keys that are let in, by name; a caller that is none is not.'),
  })
  .describe('What a caller must have or be, once it is known who it is. Every rule must hold.');

export type AuthorizeConfig = z.output<typeof authorizeConfig>;
