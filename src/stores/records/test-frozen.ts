import {
  artifactNamed,
  clientNamed,
  consumerNamed,
  keyOf,
  sessionNamed,
  signingKeyNamed,
  userNamed,
} from '../test-records.ts';

/** What the frozen databases were sealed with. It protects nothing else. */
export const frozenKey = new Uint8Array(32).fill(0x5a);

/** The end of everything in the frozen databases that has one: long after us. */
const FAR = 32_503_680_000_000;

/** What the frozen databases hold, as every later version has to read it. */
export const frozen = {
  consumer: consumerNamed('frozen-consumer', { metadata: { plan: 'gold' } }),
  key: keyOf('frozen-consumer', { id: 'frozen-key', expiresAt: FAR, uses: 7 }),
  client: clientNamed('frozen-client'),
  user: userNamed('frozen', {
    id: 'frozen-user',
    totpSecret: 'JBSWY3DPEHPK3PXP',
    upstream: 'https://idp.example.com|frozen',
    passkeys: [
      { id: 'frozen-passkey', publicKey: 'cHVi', counter: 3, transports: ['usb'], name: 'key ring', createdAt: 1 },
    ],
  }),
  artifact: artifactNamed('frozen-artifact', { expiresAt: FAR, grantId: 'frozen-grant', uid: 'frozen-uid' }),
  // It is of a version that did not note the client.
  session: sessionNamed('frozen-session', {
    clientId: undefined,
    tokenExpiresAt: FAR,
    expiresAt: FAR,
    idleUntil: FAR,
    createdAt: 1,
  }),
  signingKey: signingKeyNamed('frozen-kid'),
} as const;
