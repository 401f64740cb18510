import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import type { Passkey, User } from '../../stores/stores.ts';

type AuthenticationResponse = Parameters<typeof verifyAuthenticationResponse>[0]['response'];
type RegistrationResponse = Parameters<typeof verifyRegistrationResponse>[0]['response'];

/** Whom passkeys are made for: the origin of the issuer and its host. */
export interface RelyingParty {
  readonly origin: string;
  readonly rpId: string;
}

/** What navigator.credentials is called with, as JSON, and the challenge in it. */
export interface PasskeyRequest {
  readonly options: string;
  readonly challenge: string;
}

/** Asks for a passkey: of one account as a second factor, or for whichever the person has here. */
export async function askForPasskey(party: RelyingParty, owner?: User): Promise<PasskeyRequest> {
  const options = await generateAuthenticationOptions({
    rpID: party.rpId,
    userVerification: 'required',
    timeout: CHALLENGE_MS,
    ...(owner === undefined ? {} : { allowCredentials: owner.passkeys.map(descriptor) }),
  });
  return { options: JSON.stringify(options), challenge: options.challenge };
}

/** Asks for a new passkey that the device can find by itself and opens by PIN, finger or face. */
export async function askForNewPasskey(party: RelyingParty, owner: User, title: string): Promise<PasskeyRequest> {
  const options = await generateRegistrationOptions({
    rpName: title,
    rpID: party.rpId,
    userName: owner.username,
    userID: new Uint8Array(Buffer.from(owner.id)),
    timeout: CHALLENGE_MS,
    attestationType: 'none',
    supportedAlgorithmIDs: ALGORITHMS,
    excludeCredentials: owner.passkeys.map(descriptor),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  });
  return { options: JSON.stringify(options), challenge: options.challenge };
}

/** The id of the passkey an answer claims to come from; undefined where it is no answer at all. */
export function passkeyIdOf(answer: string): string | undefined {
  const response = parseAnswer(answer);
  return response === undefined ? undefined : response.id;
}

/** The new use count of the passkey where the answer proves possession and the person was verified; undefined otherwise. */
export async function provePasskey(
  proof: { readonly answer: string; readonly challenge: string; readonly owner: User },
  party: RelyingParty,
): Promise<{ readonly passkey: Passkey; readonly counter: number } | undefined> {
  const response = parseAnswer(proof.answer);
  const passkey = proof.owner.passkeys.find((one) => one.id === response?.id);
  if (response === undefined || passkey === undefined) return undefined;
  const handle = response.response.userHandle;
  if (handle !== undefined && Buffer.from(handle, 'base64url').toString() !== proof.owner.id) return undefined;
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: proof.challenge,
      expectedOrigin: party.origin,
      expectedRPID: party.rpId,
      requireUserVerification: true,
      credential: {
        id: passkey.id,
        publicKey: new Uint8Array(Buffer.from(passkey.publicKey, 'base64url')),
        counter: passkey.counter,
      },
    });
    return verified ? { passkey, counter: authenticationInfo.newCounter } : undefined;
  } catch {
    // The library throws where the answer is malformed, made elsewhere, or from a copied authenticator.
    return undefined;
  }
}

/** The record of a new passkey; undefined where the answer does not belong to the challenge. */
export async function acceptPasskey(
  answer: { readonly text: string; readonly challenge: string; readonly name: string },
  party: RelyingParty,
): Promise<Passkey | undefined> {
  try {
    // Whatever it is, the library checks it or throws.
    const response = JSON.parse(answer.text) as RegistrationResponse;
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge: answer.challenge,
      expectedOrigin: party.origin,
      expectedRPID: party.rpId,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    if (!verified) return undefined;
    const { id, publicKey, counter, transports } = registrationInfo.credential;
    return {
      id,
      publicKey: Buffer.from(publicKey).toString('base64url'),
      counter,
      transports: (transports ?? []).filter((name) => /^[a-z-]{1,20}$/.test(name)).slice(0, 8),
      name: answer.name,
      createdAt: Date.now(),
    };
  } catch {
    return undefined;
  }
}

/** EdDSA, ES256 and RS256 (COSE), which together every authenticator has one of. */
const ALGORITHMS: number[] = [-8, -7, -257];

/** How long a challenge stands, in milliseconds: as long as a page may lie open before somebody takes their key out. */
export const CHALLENGE_MS = 600_000;

function parseAnswer(answer: string): AuthenticationResponse | undefined {
  try {
    const value: unknown = JSON.parse(answer);
    if (typeof value !== 'object' || value === null || !('id' in value) || typeof value.id !== 'string')
      return undefined;
    if (!('response' in value) || typeof value.response !== 'object' || value.response === null) return undefined;
    // The library checks every member it reads.
    return value as AuthenticationResponse;
  } catch {
    return undefined;
  }
}

function descriptor(passkey: Passkey): { id: string; transports: string[] } {
  return { id: passkey.id, transports: [...passkey.transports] };
}
