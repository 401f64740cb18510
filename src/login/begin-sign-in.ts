import {
  buildAuthorizationUrl,
  buildAuthorizationUrlWithPAR,
  type Configuration,
  calculatePKCECodeChallenge,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import { localPath } from '../lib/local-path.ts';
import { type Answer, deny, redirect } from './answer.ts';
import type { AppRequest } from './app-request.ts';
import { type LoginSettings, pathOf } from './login-settings.ts';
import type { LoginParts } from './parts.ts';
import type { Provider } from './provider.ts';
import { noteFailure, providerFailure } from './provider-failure.ts';

/** Sends a browser to the provider: authorization code with PKCE, state and nonce; pushed (RFC 9126) where the provider takes that. */
export async function beginSignIn(request: AppRequest, provider: Provider, parts: LoginParts): Promise<Answer> {
  const login = provider.settings;
  if (!request.secure)
    return deny(request, 'https-required', { detail: 'Browsers keep the cookies of a sign-in over HTTPS only.' });
  const configuration = await provider.configuration();
  const transaction = {
    state: randomState(),
    nonce: randomNonce(),
    verifier: randomPKCECodeVerifier(),
    returnTo: pageToReturnTo(new URLSearchParams(request.search), login),
    startedAt: parts.clock(),
  };
  const scopes = scopesOf(login);
  const parameters = new URLSearchParams({
    redirect_uri: `${request.origin}${pathOf(login, 'callback')}`,
    scope: scopes.join(' '),
    state: transaction.state,
    nonce: transaction.nonce,
    code_challenge: await calculatePKCECodeChallenge(transaction.verifier),
    code_challenge_method: 'S256',
  });
  if (login.resource !== undefined) parameters.set('resource', login.resource);
  // OpenID Connect Core §11: a provider passes over offline_access unless the person is asked.
  if (scopes.includes('offline_access')) parameters.set('prompt', 'consent');
  try {
    const location = await providerLocation(configuration, parameters);
    return redirect(location.href, parts.transactions.keep(request.headers, login.name, transaction));
  } catch (error) {
    const failure = providerFailure(error);
    if (failure === undefined) throw error;
    await noteFailure(parts, login, { error, message: 'a sign-in could not be begun at the provider' });
    const action = { kind: 'link', label: 'Try again', href: `${request.path}${request.search}` } as const;
    return deny(request, failure.code, { detail: failure.detail, action });
  }
}

async function providerLocation(configuration: Configuration, parameters: URLSearchParams): Promise<URL> {
  const pushed = configuration.serverMetadata().pushed_authorization_request_endpoint !== undefined;
  return pushed
    ? buildAuthorizationUrlWithPAR(configuration, parameters)
    : buildAuthorizationUrl(configuration, parameters);
}

/** `openid` first: without it the provider says nothing of who signs in. */
export function scopesOf(login: Pick<LoginSettings, 'scopes'>): readonly string[] {
  return [...new Set(['openid', ...login.scopes])];
}

/** A page of this host outside the login itself, whose addresses would begin the same again; `/` for anything else. */
function pageToReturnTo(query: URLSearchParams, login: Pick<LoginSettings, 'path'>): string {
  const [text, ...more] = query.getAll('return_to');
  const page = more.length > 0 ? undefined : localPath(text);
  return page === undefined || page.startsWith(pathOf(login, '')) ? '/' : page;
}
