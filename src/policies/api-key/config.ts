import { z } from 'zod';
import { isKeyEnvironment } from '../../lib/api-key.ts';
import { forwardingFieldNames, isHopByHop } from '../../lib/http-fields.ts';
import { isReservedHeader } from '../../lib/reserved-headers.ts';
import { fieldNameOption } from '../field-options.ts';

const header = fieldNameOption().superRefine((name, context) => {
  if (!isReservedHeader(name) && !isHopByHop(name) && !TAKEN.has(name)) return;
  const hint = 'choose a field of its own, such as X-API-Key';
  context.addIssue({ code: 'custom', message: 'cannot carry a key: it means something else', params: { hint } });
});

/** Fields that no client's word gets through in, or that mean something to the gateway, to caches or to other methods. */
const TAKEN: ReadonlySet<string> = new Set([
  ...forwardingFieldNames,
  'accept',
  'authorization',
  'content-length',
  'content-type',
  'cookie',
  'dpop',
  'expect',
  'host',
  'origin',
  'referer',
  'user-agent',
]);

const parameter = z
  .string()
  .meta({ examples: ['api_key'] })
  .superRefine((name, context) => {
    if (/^[A-Za-z0-9_.-]{1,64}$/.test(name)) return;
    const hint = 'write 1 to 64 of letters, digits, _ . and -, such as api_key';
    context.addIssue({ code: 'custom', message: 'is not the name of a query parameter', params: { hint } });
  });

const environment = z
  .string()
  .meta({ examples: ['live', 'test'] })
  .superRefine((name, context) => {
    if (isKeyEnvironment(name)) return;
    const hint = 'write 1 to 12 of a-z and 0-9, such as live or test';
    context.addIssue({ code: 'custom', message: 'is not an environment of keys', params: { hint } });
  });

export const apiKeyConfig = z
  .strictObject({
    in: z
      .enum(['header', 'query'])
      .default('header')
      .describe(
        'Where callers put their key. A query ends up in histories and logs of others: only for callers that cannot do better.',
      ),
    header: header.optional().describe('The header field of the key; left out, X-API-Key. Only where `in` is header.'),
    parameter: parameter
      .optional()
      .describe('The query parameter of the key; left out, api_key. Only where `in` is query.'),
    environments: z
      .array(environment)
      .min(1)
      .optional()
      .describe(
        'The environments whose keys are good here; a key says its own. Left out, live; for the admin API, which takes no others, admin.',
      ),
    passKey: z.boolean().default(false).describe('Whether the upstream gets the key too.'),
    whenStoreDown: z
      .enum(['refuse'])
      .default('refuse')
      .describe('What becomes of keys that cannot be checked. There is no other choice than to refuse them.'),
  })
  .superRefine((config, context) => {
    const idle = config.in === 'header' ? 'parameter' : 'header';
    if (config[idle] === undefined) return;
    const hint = `leave it out, or write in: ${config.in === 'header' ? 'query' : 'header'}`;
    const message = `does nothing where \`in\` is ${config.in}`;
    context.addIssue({ code: 'custom', path: [idle], input: config[idle], message, params: { hint } });
  })
  .describe('Callers show an API key.');
