import { z } from 'zod';
import { issuerOption } from '../identity/issuer-settings.ts';
import { durationOption } from '../lib/duration.ts';
import { localPath } from '../lib/local-path.ts';
import { cidrOption } from '../lib/network-address.ts';
import { nameOption, type Refusal, scopeOption, textOption } from './option-types.ts';
import { readPath } from './path-syntax.ts';
import { certificatesOption, secretOption } from './secret-options.ts';

/** How browsers sign in to web applications behind the gateway. */
export const loginSchema = z.strictObject({
  issuer: issuerOption().optional().describe('The OpenID provider; left out, the embedded authorization server.'),
  clientId: z.string().min(1).max(255).describe('The client the gateway is at the provider.'),
  clientSecret: secretOption().describe('Its secret.'),
  clientAuthentication: z
    .enum(['client_secret_basic', 'client_secret_post'])
    .default('client_secret_basic')
    .describe('How the gateway shows its secret to the provider: in Authorization, or in the body of its requests.'),
  scopes: z.array(scopeOption()).default(['openid']).describe('Scopes to ask for; openid is always among them.'),
  resource: z.url().optional().describe('The API the access token is for (RFC 8707).'),
  path: textOption(readLoginPath, ['/.auth'])
    .prefault('/.auth')
    .describe(
      'Below it: login, callback, logout, session and backchannel-logout, on every host of the APIs that use it.',
    ),
  afterLogout: textOption(readPage, ['/', '/goodbye'])
    .prefault('/')
    .describe('Where people are after signing out: a page of the same host.'),
  idle: durationOption({ min: 300_000 }).prefault('30m').describe('A session ends when it was not used for so long.'),
  lifetime: durationOption().prefault('12h').describe('A session ends after this time, whatever its use.'),
  ca: certificatesOption().optional().describe('Roots to verify the provider against, instead of the public ones.'),
});

export type LoginConfig = Readonly<z.output<typeof loginSchema>>;

/** It becomes the Location of a redirect. */
function readPage(text: string): { readonly value: string } | Refusal {
  const value = localPath(text);
  return value === undefined
    ? { message: 'is no page of the same host', hint: 'write a path, such as /goodbye' }
    : { value };
}

/** A login at the root would take every page of its host for one of its own. */
function readLoginPath(text: string): { readonly value: string } | Refusal {
  return text === '/'
    ? { message: 'is the whole host', hint: 'write a path below it, such as /.auth' }
    : readPath(text);
}

const declaredKey = z.strictObject({
  name: nameOption().describe('Unique within the consumer.'),
  key: secretOption().describe('The whole key, as sallyport keys generate prints it.'),
  scopes: z.array(scopeOption()).default([]).describe('What it may do.'),
  apis: z.array(nameOption()).min(1).optional().describe('The APIs it opens; left out, all that take keys.'),
  cidrs: z.array(cidrOption()).min(1).optional().describe('Addresses it may be used from; left out, any.'),
});

/** A holder of API keys that is declared in the file. Others are made through the admin API. */
export const consumerSchema = z.strictObject({
  name: nameOption().describe('Unique name.'),
  metadata: z.record(z.string(), z.json()).default({}).describe('Facts about it, which rules and upstreams may use.'),
  keys: z.array(declaredKey).default([]).describe('Its keys. To rotate one, list old and new for a while.'),
});

export type ConsumerConfig = Readonly<z.output<typeof consumerSchema>>;
