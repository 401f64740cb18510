import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import type { LoginSettings } from './login-settings.ts';
import type { LoginParts } from './parts.ts';
import { NoAnswer } from './provider-fetch.ts';

/** What failed at a provider, or on the way to it, and what a person is told of it. */
export interface ProviderFailure {
  readonly kind: 'cancelled' | 'not-completed' | 'grant-refused' | 'gateway-refused' | 'no-answer' | 'wrong-answer';
  readonly code: 'bad-request' | 'forbidden' | 'bad-gateway' | 'identity-unavailable';
  /** Our words; those of the provider stay in the log. */
  readonly detail: string;
}

/** Undefined for faults of our own, and of the stores. */
export function providerFailure(error: unknown): ProviderFailure | undefined {
  if (error instanceof AuthorizationResponseError)
    return error.error === 'access_denied' ? FAILURES.cancelled : FAILURES.notCompleted;
  if (error instanceof ResponseBodyError)
    return error.error === 'invalid_grant' ? FAILURES.grantRefused : FAILURES.gatewayRefused;
  // RFC 6749 §5.2: a client that is refused after it has shown its secret in Authorization gets a challenge.
  if (error instanceof WWWAuthenticateChallengeError) return FAILURES.gatewayRefused;
  if (error instanceof ClientError) return isSilence(error.cause) ? FAILURES.noAnswer : FAILURES.wrongAnswer;
  return undefined;
}

/** Logs a failure, in the provider's own words where it said any. */
export async function noteFailure(
  parts: LoginParts,
  login: LoginSettings,
  { error, message }: { readonly error: unknown; readonly message: string },
): Promise<void> {
  const { name, issuer } = login;
  const provider = await wordsOf(error);
  parts.log.warn({ login: name, issuer, err: error, ...(provider === undefined ? {} : { provider }) }, message);
}

/** A provider that answers with a status of a server in trouble may be better in a moment, like one that does not answer. */
function isSilence(cause: unknown): boolean {
  return cause instanceof NoAnswer || (cause instanceof Response && (cause.status >= 500 || cause.status === 429));
}

async function wordsOf(error: unknown): Promise<object | undefined> {
  if (error instanceof ResponseBodyError || error instanceof AuthorizationResponseError)
    return { error: error.error, description: error.error_description };
  if (!(error instanceof WWWAuthenticateChallengeError)) return undefined;
  // The library has read no further than the challenge.
  const body: unknown = await error.response.json().catch(() => undefined);
  const { error: code, error_description: description } = Object(body);
  return { status: error.status, error: code, description };
}

// biome-ignore format: aligned on purpose, one failure a row
const FAILURES = {
  cancelled:      { kind: 'cancelled',       code: 'forbidden',            detail: 'The sign-in was cancelled or refused at the provider.' },
  notCompleted:   { kind: 'not-completed',   code: 'bad-gateway',          detail: 'The provider could not complete the sign-in.' },
  grantRefused:   { kind: 'grant-refused',   code: 'bad-request',          detail: 'The provider does not accept this sign-in any more.' },
  gatewayRefused: { kind: 'gateway-refused', code: 'bad-gateway',          detail: 'The provider did not accept the gateway.' },
  noAnswer:       { kind: 'no-answer',       code: 'identity-unavailable', detail: 'The provider gives no answer. Try again.' },
  wrongAnswer:    { kind: 'wrong-answer',    code: 'bad-gateway',          detail: 'The answer of the provider could not be accepted.' },
} as const satisfies Readonly<Record<string, ProviderFailure>>;
