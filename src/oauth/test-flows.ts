import * as oauth from 'oauth4webapi';
import { openBrowser, type TestBrowser, type Visit } from './test-browser.ts';
import type { TestServer } from './test-server.ts';

/** oauth4webapi refuses plain http unless told; the servers under test are on loopback. */
export const insecure = { [oauth.allowInsecureRequests]: true } as const;

export const CALLBACK = 'https://app.example.com/callback';

/** What the server says of itself, as a client learns it. */
export async function discover(at: TestServer): Promise<oauth.AuthorizationServer> {
  const url = new URL(at.issuer);
  return await oauth.processDiscoveryResponse(
    url,
    await oauth.discoveryRequest(url, { ...insecure, algorithm: 'oauth2' }),
  );
}

export interface CodeRequest {
  readonly clientId: string;
  readonly redirectUri?: string;
  readonly scope?: string;
  readonly browser?: TestBrowser;
  /** Beyond, or in the place of, the usual parameters; an empty value leaves one out. */
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface Authorized {
  readonly visit: Visit;
  readonly verifier: string;
}

/** Sends a browser to the authorization endpoint and has it come back. */
export async function authorize(at: TestServer, request: CodeRequest): Promise<Authorized> {
  const verifier = oauth.generateRandomCodeVerifier();
  const url = new URL(`${at.issuer}/authorize`);
  const usual: Record<string, string> = {
    client_id: request.clientId,
    redirect_uri: request.redirectUri ?? CALLBACK,
    response_type: 'code',
    scope: request.scope ?? 'widgets:read',
    state: 'the-state',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries({ ...usual, ...request.parameters })) {
    if (value !== '') url.searchParams.set(name, value);
  }
  const browser = request.browser ?? openBrowser(at.issuer);
  return { visit: await browser.visit(url), verifier };
}

export interface CodeExchange extends Authorized {
  readonly metadata: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly auth: oauth.ClientAuth;
  readonly redirectUri?: string;
  readonly options?: oauth.TokenEndpointRequestOptions;
}

/** Turns what the browser came back with into tokens; checks `iss` and `state` on the way. */
export async function exchange(code: CodeExchange): Promise<oauth.TokenEndpointResponse> {
  const { metadata, client, auth, visit, verifier, options } = code;
  if (visit.away === undefined) throw new Error(`not sent back: ${visit.status} ${visit.body}`);
  const parameters = oauth.validateAuthResponse(metadata, client, visit.away, 'the-state');
  const response = await oauth.authorizationCodeGrantRequest(
    metadata,
    client,
    auth,
    parameters,
    code.redirectUri ?? CALLBACK,
    verifier,
    { ...insecure, ...options },
  );
  return await oauth.processAuthorizationCodeResponse(metadata, client, response);
}

/** Posts a form to an endpoint. */
export async function post(
  url: string,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form), headers });
  const text = await response.text();
  // The endpoints answer with JSON objects or with nothing.
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

export function basic({ id, secret }: { readonly id: string; readonly secret: string }): Record<string, string> {
  return {
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
  };
}
