import { z } from 'zod';
import { durationOption } from '../../lib/duration.ts';
import { fieldNameOption, fieldValueOption } from '../field-options.ts';

const DAY = 86_400_000;

const strictTransportSecurity = z
  .strictObject({
    maxAge: durationOption({ min: 0, max: 3_650 * DAY })
      .prefault('365d')
      .describe('How long browsers use HTTPS only for this host; 0s makes them forget it.'),
    includeSubDomains: z
      .boolean()
      .default(false)
      .describe('Whether that holds for every host below this one, those the gateway does not serve included.'),
    preload: z
      .boolean()
      .default(false)
      .describe('Whether browser makers may build the host into their lists; leaving those takes months.'),
  })
  .superRefine((config, context) => {
    if (!config.preload || (config.includeSubDomains && config.maxAge >= 365 * DAY)) return;
    const hint = 'set includeSubDomains: true and a maxAge of 365d or more, or leave `preload` out';
    const message = 'is not accepted by the lists without includeSubDomains and a maxAge of a year';
    context.addIssue({ code: 'custom', path: ['preload'], input: true, message, params: { hint } });
  });

export const securityHeadersConfig = z
  .strictObject({
    strictTransportSecurity: z
      .union([strictTransportSecurity, z.literal(false)])
      .prefault({})
      .describe('Strict-Transport-Security, set on replies over HTTPS; false passes on what the upstream says.'),
    noSniff: z
      .boolean()
      .default(true)
      .describe('X-Content-Type-Options: nosniff, so that browsers take the Content-Type at its word.'),
    frameAncestors: z
      .enum(['none', 'self'])
      .or(z.literal(false))
      .default('none')
      .describe('Who may show replies in a frame, where the upstream does not say; false says nothing.'),
    contentSecurityPolicy: fieldValueOption(["default-src 'none'"])
      .or(z.literal(false))
      .default(false)
      .describe('Content-Security-Policy, where the upstream does not set one.'),
    referrerPolicy: z
      .enum([
        'no-referrer',
        'same-origin',
        'origin',
        'strict-origin',
        'origin-when-cross-origin',
        'strict-origin-when-cross-origin',
        'no-referrer-when-downgrade',
        'unsafe-url',
      ])
      .or(z.literal(false))
      .default('no-referrer')
      .describe('Referrer-Policy, where the upstream does not set one.'),
    crossOriginResourcePolicy: z
      .enum(['same-origin', 'same-site', 'cross-origin'])
      .or(z.literal(false))
      .default('same-origin')
      .describe(
        'Cross-Origin-Resource-Policy, where the upstream does not set one: who may embed replies without CORS.',
      ),
    permissionsPolicy: fieldValueOption(['camera=(), microphone=()'])
      .or(z.literal(false))
      .default(false)
      .describe('Permissions-Policy, where the upstream does not set one.'),
    hideHeaders: z
      .array(fieldNameOption())
      .prefault(['Server', 'X-Powered-By', 'X-AspNet-Version', 'X-AspNetMvc-Version', 'X-Runtime', 'X-Generator'])
      .describe('Reply header fields of the upstream that clients do not see.'),
  })
  .describe('Reply header fields that keep browsers careful, and none that name the software behind.');

export type SecurityHeadersConfig = z.output<typeof securityHeadersConfig>;
