import { z } from 'zod';
import { headerFieldsOption, serviceUrlOption } from './option-types.ts';

/** The log, which goes to standard output as one JSON line an event. */
export const logSchema = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('The least severe events to log.'),
  access: z.boolean().default(true).describe('Log a line for each request.'),
  format: z
    .enum(['json', 'ecs'])
    .default('json')
    .describe('Field names: our own, or those of the Elastic Common Schema.'),
  sample: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('Share of successful requests to log; errors are always logged.'),
  redactQuery: z
    .array(z.string().min(1))
    .default([
      'access_token',
      'api_key',
      'apikey',
      'client_secret',
      'code',
      'code_verifier',
      'device_code',
      'id_token_hint',
      'key',
      'password',
      'refresh_token',
      'secret',
      'sig',
      'signature',
      'state',
      'token',
      'user_code',
    ])
    .describe('Query parameters whose values are not logged; a list here replaces the default one.'),
});

/** OpenTelemetry traces over OTLP/HTTP. */
export const tracingSchema = z.strictObject({
  otlp: z
    .strictObject({
      endpoint: serviceUrlOption().describe('Where spans are sent, path included.'),
      headers: headerFieldsOption()
        .prefault({})
        .describe(`Fields sent along, such as an API key; take secrets from \${env:NAME} or \${file:path}.`),
    })
    .describe('The collector.'),
  sample: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe("Share of requests traced where the client's traceparent does not decide."),
});

export type LogConfig = Readonly<z.output<typeof logSchema>>;
export type TracingConfig = Readonly<z.output<typeof tracingSchema>>;
