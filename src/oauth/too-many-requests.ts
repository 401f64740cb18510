import { errors } from 'oidc-provider';

/** What somebody is told who has used up what one address may do. */
export function tooManyRequests(description: string): errors.OIDCProviderError {
  return Object.assign(new errors.OIDCProviderError(429, 'temporarily_unavailable'), {
    error_description: description,
  });
}
