import { createHash, randomBytes } from 'node:crypto';
import { openVisitor } from '../../src/oauth/accounts/test-visitor.ts';
import { AUDIENCE, CALLBACK } from './identity-gateway.ts';

export interface ClientCredentials {
  readonly id: string;
  readonly secret: string;
}

export interface TokenAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects by asserting on it
  readonly body: any;
}

/** Posts a form to an endpoint of an authorization server, as a client with a secret. */
export async function postAs(
  client: ClientCredentials,
  url: string,
  form: Readonly<Record<string, string>>,
): Promise<TokenAnswer> {
  const pair = `${encodeURIComponent(client.id)}:${encodeURIComponent(client.secret)}`;
  const response = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers: { Authorization: `Basic ${Buffer.from(pair).toString('base64')}` },
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

/** An access token of the client's own. */
export async function tokenOf(client: ClientCredentials, issuer: string): Promise<string> {
  const form = { grant_type: 'client_credentials', scope: 'widgets:read', resource: AUDIENCE };
  return accessTokenOf(await postAs(client, `${issuer}/token`, form));
}

export interface UserTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** Signs somebody in with the pages of the authorization server, consents, and exchanges the code. */
export async function signIn(
  issuer: string,
  client: ClientCredentials,
  user: { readonly username: string; readonly password: string },
): Promise<UserTokens> {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: client.id,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid offline_access widgets:read',
    prompt: 'consent',
    state: 'the-state',
    resource: AUDIENCE,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const visitor = openVisitor({ issuer });
  const page = await visitor.get(`${issuer}/authorize?${query}`);
  const consent = await visitor.submit(page, 'password', user);
  const done = await visitor.submit(consent, 'allow');
  const code = done.away?.searchParams.get('code');
  if (code === undefined || code === null) throw new Error(`no code: ${done.status} ${done.away ?? done.body}`);
  const answer = await postAs(client, `${issuer}/token`, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: CALLBACK,
    code_verifier: verifier,
    resource: AUDIENCE,
  });
  return { accessToken: accessTokenOf(answer), refreshToken: String(answer.body.refresh_token) };
}

export function refresh(issuer: string, client: ClientCredentials, refreshToken: string): Promise<TokenAnswer> {
  return postAs(client, `${issuer}/token`, { grant_type: 'refresh_token', refresh_token: refreshToken });
}

function accessTokenOf({ status, body }: TokenAnswer): string {
  if (status !== 200) throw new Error(`no token: ${status} ${JSON.stringify(body)}`);
  return String(body.access_token);
}
