/** What the clients of a peer show. */
export type CredentialKind = 'token' | 'api key';

/** The header field that carries it. */
export const CREDENTIAL_FIELDS = { token: 'Authorization', 'api key': 'X-API-Key' } as const;

/** The value of that field. */
export function writtenCredential(kind: CredentialKind, credential: string): string {
  return kind === 'token' ? `Bearer ${credential}` : credential;
}

/** The field and its value, for a request. */
export function credentialFields(kind: CredentialKind, credential: string): Readonly<Record<string, string>> {
  return { [CREDENTIAL_FIELDS[kind]]: writtenCredential(kind, credential) };
}
