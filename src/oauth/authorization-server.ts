import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JSONWebKeySet } from 'jose';
import { createSigningKeys, type SigningKeys } from '../identity/signing-keys.ts';
import { createGrants } from './grants.ts';
import type { Grants } from './interaction-contract.ts';
import { createJwtTokens } from './jwt-tokens.ts';
import {
  type AuthorizationServerOptions,
  defaultFeatures,
  defaultLifetimes,
  defaultSigning,
  type Lifetimes,
} from './options.ts';
import { createOutbound } from './outbound.ts';
import { createProtocol, type Protocol } from './protocol.ts';
import { createRequestHandler } from './request-handler.ts';
import { createRevocation, type Revocation } from './revocation.ts';

export interface AuthorizationServer {
  /** Answers what the gateway passes on: paths below the issuer's, and the metadata of RFC 8414 with the path inserted. */
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
  /** The public keys its tokens are signed with, for the gateway's own checks. */
  jwks(): JSONWebKeySet;
  /** For administrators, and people about themselves. */
  readonly grants: Grants;
  readonly revocation: Revocation;
  /** Has the next signing keys made now. */
  rotateKeys(by: Parameters<SigningKeys['rotateNow']>[0]): ReturnType<SigningKeys['rotateNow']>;
  /** Reads the signing keys again: another process changed them. */
  refreshKeys(): Promise<void>;
  close(): Promise<void>;
}

/** How often what has expired is taken out of the store, in milliseconds. */
const SWEEP_EVERY = 300_000;

/**
 * The authorization server (OAuth 2.1, OpenID Connect) as an app behind the gateway. It is stateless over the records, so any
 * number of processes can run it. Rejects with StoreUnavailable where the store cannot be reached for the first keys.
 */
export async function createAuthorizationServer(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  const { records, fault, clock } = options;
  const lifetimes = { ...defaultLifetimes, ...options.lifetimes };
  const signing = { ...defaultSigning, ...options.signing };
  const features = { ...defaultFeatures, ...options.features };
  const keys = createSigningKeys({
    records,
    use: 'oauth',
    algorithms: signing.algorithms,
    rotateAfter: signing.rotateAfter,
    overlap: signing.verifiersKeep + longestToken(lifetimes) * 1000,
    clock,
    onChange: rebuild,
    onFault: fault,
  });
  const jwtTokens = createJwtTokens({ issuer: options.issuer, keys, artifacts: records.artifacts });
  const outbound = createOutbound(options);
  const grants = createGrants(records);

  // oidc-provider takes its keys when it is made. It keeps nothing but them, so a new one takes its place; requests that the old
  // one is answering end there.
  let protocol: Protocol | undefined;
  function rebuild(): void {
    protocol = createProtocol({ ...options, lifetimes, signing, features, keys, jwtTokens, grants, outbound });
  }

  try {
    await keys.start();
  } catch (error) {
    await outbound.close();
    throw error;
  }
  const sweeper = setInterval(() => records.artifacts.sweep(Date.now()).catch(fault), SWEEP_EVERY);
  sweeper.unref();

  return {
    handler: createRequestHandler({ issuer: options.issuer, fault, protocol: () => protocol }),
    jwks: () => keys.published(),
    grants,
    revocation: createRevocation({ records, jwtTokens }),
    rotateKeys: (by) => keys.rotateNow(by),
    refreshKeys: () => keys.refresh(),
    async close() {
      clearInterval(sweeper);
      keys.close();
      await outbound.close();
    },
  };
}

/** The longest life of anything that is signed, in seconds. */
function longestToken({ accessToken, clientCredentials, idToken }: Lifetimes): number {
  return Math.max(accessToken, clientCredentials, idToken);
}
