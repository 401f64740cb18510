import { z } from 'zod';
import { durationOption } from '../../lib/duration.ts';
import { forwardingFieldNames, isHopByHop, isToken } from '../../lib/http-fields.ts';

const TAKEN: ReadonlySet<string> = new Set([
  ...forwardingFieldNames,
  'host',
  'content-length',
  'content-type',
  'cookie',
  'expect',
]);

const fieldName = z.string().transform((name, context) => {
  const lower = name.toLowerCase();
  if (isToken(name) && /^[A-Za-z0-9-]+$/.test(name) && !isHopByHop(lower) && !TAKEN.has(lower)) return name;
  context.issues.push({
    code: 'custom',
    message: 'cannot carry an identity',
    input: name,
    params: { hint: 'write a header field of its own, of letters, digits and -, such as X-User-Id' },
  });
  return z.NEVER;
});

export const upstreamIdentityConfig = z
  .strictObject({
    jwt: z
      .strictObject({
        header: fieldName.prefault('X-Sallyport-Identity').describe('The header field that carries it.'),
        audience: z
          .string()
          .min(1)
          .max(512)
          .optional()
          .describe('Its `aud`, which the upstream has to check; left out, the name of the API.'),
        ttl: durationOption({ min: 5_000, max: 600_000 }).prefault('60s').describe('How long it is valid.'),
        claims: z
          .array(z.string().min(1))
          .default([])
          .describe('Claims of the caller to copy into it, by their names.'),
      })
      .optional()
      .describe(
        'A short-lived JWT that the gateway signs. Its keys are at /.well-known/jwks.json of internal listeners.',
      ),
    headers: z
      .record(fieldName, z.string().min(1).max(256))
      .default({})
      .describe(
        'Header fields by name, each with what it says: id, subject, issuer, client, consumer, kind, method, credential or scope, or the dotted path of a claim. A client’s own field of this name never gets through.',
      ),
  })
  .superRefine(({ jwt, headers }, context) => {
    const taken = new Set(jwt === undefined ? [] : [jwt.header.toLowerCase()]);
    for (const name of Object.keys(headers)) {
      const lower = name.toLowerCase();
      const hint = 'give each fact a header field of its own';
      if (taken.has(lower))
        context.addIssue({
          code: 'custom',
          path: ['headers', name],
          input: headers[name],
          message: 'would stand in a field that carries something else already',
          params: { hint },
        });
      taken.add(lower);
    }
  })
  .describe('What the upstream is told of the caller.');

export type UpstreamIdentityConfig = z.output<typeof upstreamIdentityConfig>;
