import { z } from 'zod';
import { durationOption } from '../lib/duration.ts';
import { isLoopback } from '../lib/network-address.ts';

/**
 * How an issuer of access tokens is reached: an entry of `issuers` in the configuration. An issuer that is only named by an
 * `oauth` alternative needs none: it is found by discovery, with these defaults.
 */
export const issuerSettings = z
  .strictObject({
    issuer: issuerOption().describe(
      'The `iss` of its tokens, character for character; its metadata is found below it.',
    ),
    jwks: issuerOption()
      .optional()
      .describe('Where its keys are, for an issuer without metadata; left out, they are found by discovery.'),
    ca: z.string().min(1).optional().describe("Roots to trust besides the system's, PEM; `${file:…}` reads them."),
    allowPrivateAddresses: z
      .boolean()
      .default(false)
      .describe('Whether its names may resolve to addresses of a private network; link-local ones never may.'),
    coolDown: durationOption({ min: 1_000, max: 3_600_000 })
      .prefault('30s')
      .describe('The shortest time between two fetches of its keys, however many unknown keys tokens name.'),
    refreshEvery: durationOption({ min: 30_000, max: 86_400_000 })
      .prefault('10m')
      .describe('How often its keys are fetched anew in the background.'),
    introspection: z
      .strictObject({
        endpoint: issuerOption()
          .optional()
          .describe('Where it answers (RFC 7662); left out, it is found by discovery.'),
        clientId: z.string().min(1).describe('The client that asks.'),
        clientSecret: z.string().min(1).describe('Its secret; write a reference, such as `${env:…}`.'),
        remember: durationOption({ min: 0, max: 60_000 })
          .prefault('1s')
          .describe('How long an answer counts; a token revoked meanwhile is accepted for so long.'),
      })
      .optional()
      .describe('How it is asked about tokens that are no JWT.'),
  })
  .describe('How an issuer of access tokens is reached.');

export type IssuerSettings = z.output<typeof issuerSettings>;

/** The settings of an issuer the file only names. */
export function defaultIssuerSettings(issuer: string): IssuerSettings {
  return issuerSettings.parse({ issuer });
}

/** A configuration option that holds an https URL, or an http one of this machine. It is kept as written: issuers are compared character for character. */
export function issuerOption() {
  return z
    .string()
    .meta({ examples: ['https://id.example.com', 'https://example.com/realms/main'] })
    .superRefine((text, context) => {
      const fault = issuerFault(text);
      if (fault !== undefined)
        context.addIssue({ code: 'custom', message: fault.message, params: { hint: fault.hint } });
    });
}

function issuerFault(text: string): { readonly message: string; readonly hint: string } | undefined {
  const hint = 'write a URL such as https://id.example.com, as the issuer itself writes it';
  if (!URL.canParse(text)) return { message: 'is not a URL', hint };
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  if (username !== '' || password !== '') return { message: 'holds credentials', hint };
  if (search !== '' || hash !== '' || text.includes('?') || text.includes('#'))
    return { message: 'has a query or a fragment (RFC 8414 §2)', hint };
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  if (protocol === 'https:' || (protocol === 'http:' && isLoopback(host))) return undefined;
  return { message: 'is not an https URL', hint: 'write https://…; plain http is for issuers on this machine' };
}
