/** No access token of the embedded authorization server lives longer: how long a revocation has to be remembered. Milliseconds. */
export const LONGEST_TOKEN_MS = 60 * 60 * 1000;
