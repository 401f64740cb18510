import { z } from 'zod';
import { durationOption } from '../lib/duration.ts';
import { nameOption, serviceUrlOption, textOption } from './option-types.ts';
import { readPath } from './path-syntax.ts';
import { certificatesOption, issuerOption, secretOption } from './secret-options.ts';

const introspection = z.strictObject({
  clientId: z.string().min(1).max(255).describe('The client the gateway is at this issuer.'),
  clientSecret: secretOption().describe('Its secret.'),
  endpoint: serviceUrlOption().optional().describe('The introspection endpoint; left out, the one its metadata names.'),
});

/** An authority whose tokens APIs accept. One that is used with its defaults need not be listed. */
export const issuerSchema = z.strictObject({
  issuer: issuerOption().describe(
    'The issuer identifier; its metadata is found below it (RFC 8414, OpenID Connect Discovery).',
  ),
  jwksUri: serviceUrlOption().optional().describe('Where its keys are; left out, where its metadata says.'),
  ca: certificatesOption().optional().describe('Roots to verify it against, instead of the public ones.'),
  introspection: introspection
    .optional()
    .describe('Credentials for asking it about opaque tokens (RFC 7662); left out, opaque tokens are refused.'),
  cooldown: durationOption()
    .prefault('30s')
    .describe('Shortest time between two fetches of its keys, however many tokens name unknown ones.'),
  refresh: durationOption().prefault('10m').describe('After this time its keys are fetched again in the background.'),
});

export type IssuerConfig = Readonly<z.output<typeof issuerSchema>>;

/** How browsers sign in to web applications behind the gateway. */
export const loginSchema = z.strictObject({
  issuer: issuerOption().optional().describe('The OpenID provider; left out, the embedded authorization server.'),
  clientId: z.string().min(1).max(255).describe('The client the gateway is at the provider.'),
  clientSecret: secretOption().describe('Its secret.'),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/))
    .default(['openid'])
    .describe('Scopes to ask for; openid is always among them.'),
  resource: z.url().optional().describe('The API the access token is for (RFC 8707).'),
  path: textOption(readPath, ['/.auth'])
    .prefault('/.auth')
    .describe(
      'Below it: login, callback, logout, session and backchannel-logout, on every host of the APIs that use it.',
    ),
  idle: durationOption().prefault('30m').describe('A session ends when it was not used for so long.'),
  lifetime: durationOption().prefault('12h').describe('A session ends after this time, whatever its use.'),
  ca: certificatesOption().optional().describe('Roots to verify the provider against, instead of the public ones.'),
});

export type LoginConfig = Readonly<z.output<typeof loginSchema>>;

const declaredKey = z.strictObject({
  name: nameOption().describe('Unique within the consumer.'),
  key: secretOption().describe('The whole key, as sallyport keys generate prints it.'),
  scopes: z.array(z.string().min(1)).default([]).describe('What it may do.'),
  apis: z.array(nameOption()).min(1).optional().describe('The APIs it opens; left out, all that take keys.'),
  cidrs: z.array(z.string()).min(1).optional().describe('Addresses it may be used from; left out, any.'),
});

/** A holder of API keys that is declared in the file. Others are made through the admin API. */
export const consumerSchema = z.strictObject({
  name: nameOption().describe('Unique name.'),
  metadata: z.record(z.string(), z.json()).default({}).describe('Facts about it, which rules and upstreams may use.'),
  keys: z.array(declaredKey).default([]).describe('Its keys. To rotate one, list old and new for a while.'),
});

export type ConsumerConfig = Readonly<z.output<typeof consumerSchema>>;
