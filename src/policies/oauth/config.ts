import { z } from 'zod';
import { issuerOption } from '../../identity/issuer-settings.ts';
import { tokenAlgorithms } from '../../identity/token-keys.ts';
import { durationOption } from '../../lib/duration.ts';

const audience = z
  .string()
  .min(1)
  .max(1024)
  .meta({ examples: ['https://api.example.com/widgets'] });

export const oauthConfig = z
  .strictObject({
    issuer: issuerOption()
      .optional()
      .describe('Whose tokens are good here; left out, the embedded authorization server’s.'),
    audience: z
      .union([audience, z.array(audience).min(1)])
      .describe(
        'What this API is called in the `aud` of a token: one of these must be in it. Clients ask for it as `resource` (RFC 8707).',
      ),
    algorithms: z
      .array(z.enum(tokenAlgorithms))
      .min(1)
      .default(['ES256', 'RS256', 'PS256', 'EdDSA'])
      .describe('The signature algorithms that count, all of them asymmetric.'),
    types: z
      .array(z.string().regex(/^[a-z0-9.+-]{1,64}$/, 'is not a media type without application/, such as at+jwt'))
      .min(1)
      .default(['at+jwt'])
      .describe('The values of `typ` that mark an access token (RFC 9068 §2.1), without `application/`.'),
    acceptPlainJwt: z
      .boolean()
      .default(false)
      .describe(
        'Whether tokens of type JWT or of none are taken as well, for issuers older than RFC 9068. ID tokens never are.',
      ),
    clockLeeway: durationOption({ min: 0, max: 300_000 })
      .prefault('30s')
      .describe('How far ahead the issuer’s clock may be. It never makes a token live longer.'),
    opaque: z
      .enum(['refuse', 'introspect'])
      .default('refuse')
      .describe(
        'What becomes of tokens that are no JWT. `introspect` asks the issuer (RFC 7662) and needs its credentials under `issuers`.',
      ),
    senderConstrained: z
      .enum(['accept', 'require'])
      .default('accept')
      .describe(
        'Whether a token must be bound to a key of its holder, by DPoP or a client certificate. One that is bound is held to it anyway.',
      ),
    passToken: z.boolean().default(false).describe('Whether the upstream gets the token too.'),
  })
  .describe('Callers show an OAuth 2.0 access token.');

export type OauthConfig = z.output<typeof oauthConfig>;

export function audiencesOf(config: Pick<OauthConfig, 'audience'>): readonly string[] {
  return typeof config.audience === 'string' ? [config.audience] : config.audience;
}

/** Whether clients can ask for a token of this audience as `resource`: an absolute URI without a fragment (RFC 8707 §2). */
export function isResource(audience: string): boolean {
  return URL.canParse(audience) && !audience.includes('#');
}
