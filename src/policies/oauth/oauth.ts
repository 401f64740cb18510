import { Problem } from '../../errors/problem.ts';
import type { Exchange } from '../../exchange.ts';
import { refuseProof } from '../../identity/dpop-proof.ts';
import { challengeField, resourceMetadataUrl } from '../../identity/token-challenge.ts';
import { readClaims, type TokenClaims } from '../../identity/token-claims.ts';
import { refuseClaims, refuseUnverified, refuseVerified, type TokenRules } from '../../identity/token-rules.ts';
import { isTokenText, readToken, type UnverifiedToken } from '../../identity/token-syntax.ts';
import { verifierOf } from '../../identity/token-verifier.ts';
import { type AuthenticationOutcome, type CompiledMethod, defineMethod } from '../authentication-method.ts';
import { identityUnavailable } from '../identity-unavailable.ts';
import type { CompileContext } from '../policy.ts';
import { audiencesOf, type OauthConfig, oauthConfig } from './config.ts';
import { describeRefusal, type Refusal, readCredential, type TokenCredential, thumbprintOf } from './logic.ts';

/** Clients with an access token of one issuer (RFC 6750, 9068, 9449, 8705). */
export const oauthMethod = defineMethod({
  name: 'oauth',
  config: oauthConfig,
  compile(config, context): CompiledMethod {
    const rules = rulesOf(config, context);
    const { issuers, replay } = context.identity;
    const verifier = verifierOf(context.identity);
    const proofRules = { algorithms: rules.algorithms, lifetime: PROOF_LIFETIME, clockLeeway: PROOF_LEEWAY };
    const proofAlgorithms = config.algorithms.join(' ');

    /** A token that was proved before is answered without a promise: the road's commonest case (bench: the secured job). */
    function authenticate(exchange: Exchange): AuthenticationOutcome | Promise<AuthenticationOutcome> {
      const credential = readCredential(exchange.headers.get('authorization'));
      if (credential === undefined) return undefined;
      const { token } = credential;
      const now = Date.now() / 1000;
      const known = verifier.remembered(token, now);
      if (known !== undefined) {
        if (known.issuer !== rules.issuer) return undefined;
        const fault = refuseVerified(known, rules, verifier, now);
        return fault === undefined ? admit(exchange, credential, known, now) : refuse(exchange, credential, fault);
      }
      if (!isTokenText(token)) return refuse(exchange, credential, 'malformed');
      const read = readToken(token);
      if (read === 'opaque' && config.opaque === 'introspect') return introspect(exchange, credential);
      if (read === 'opaque') return undefined;
      if (typeof read === 'string') return refuse(exchange, credential, read);
      // Another alternative may take it; where none does, `unclaimed` refuses it.
      if (read.issuer !== rules.issuer) return undefined;
      return prove(exchange, credential, read);
    }

    async function prove(
      exchange: Exchange,
      credential: TokenCredential,
      read: UnverifiedToken,
    ): Promise<AuthenticationOutcome> {
      const unfit = refuseUnverified(read, rules);
      if (unfit !== undefined) return refuse(exchange, credential, unfit);
      try {
        const verified = await verifier.verify(read);
        if (typeof verified === 'string') return refuse(exchange, credential, verified);
        const now = Date.now() / 1000;
        const fault = refuseVerified(verified, rules, verifier, now);
        return fault === undefined
          ? await admit(exchange, credential, verified, now)
          : refuse(exchange, credential, fault);
      } catch (error) {
        return identityUnavailable(error);
      }
    }

    /** RFC 7662. The answer is the issuer's word on its own token, so only what it leaves out is filled in. */
    async function introspect(exchange: Exchange, credential: TokenCredential): Promise<AuthenticationOutcome> {
      try {
        const answer = await issuers.introspect(rules.issuer, credential.token);
        if (answer['active'] !== true) return refuse(exchange, credential, 'inactive');
        const now = Date.now() / 1000;
        const claims = readClaims({ ...answer, iss: answer['iss'] ?? rules.issuer, exp: answer['exp'] ?? now + 1 });
        if (typeof claims === 'string') return refuse(exchange, credential, claims);
        if (claims.principal.issuer !== rules.issuer) return refuse(exchange, credential, 'unknown-issuer');
        // Asked about a refresh or an ID token, some issuers answer that it is active.
        const fault = claims.foreignPurpose ? 'not-an-access-token' : refuseClaims(claims, rules, now);
        return fault === undefined
          ? await admit(exchange, credential, claims, now)
          : refuse(exchange, credential, fault);
      } catch (error) {
        return identityUnavailable(error);
      }
    }

    /** The token is good; is it in the hands of who it was given to? */
    function admit(
      exchange: Exchange,
      credential: TokenCredential,
      { confirmation, principal }: Pick<TokenClaims, 'confirmation' | 'principal'>,
      now: number,
    ): AuthenticationOutcome | Promise<AuthenticationOutcome> {
      if (confirmation === undefined) {
        if (config.senderConstrained === 'require') return refuse(exchange, credential, 'not-bound');
        if (credential.scheme === 'dpop') return refuse(exchange, credential, 'not-bound-to-a-key');
        hideToken(exchange);
        return principal;
      }
      const { jkt, x5tS256 } = confirmation;
      if (x5tS256 !== undefined && thumbprintOf(exchange.tls?.clientCertificate) !== x5tS256)
        return refuse(exchange, credential, 'bound-to-a-certificate');
      if (jkt === undefined) {
        if (credential.scheme === 'dpop') return refuse(exchange, credential, 'not-bound-to-a-key');
        hideToken(exchange);
        return principal;
      }
      // A bound token that is sent as a bearer token was copied, or is about to be (RFC 9449 §7.2).
      if (credential.scheme !== 'dpop') return refuse(exchange, credential, 'bound-to-a-key');
      return proveHolder(exchange, credential, { jkt, principal, now });
    }

    async function proveHolder(
      exchange: Exchange,
      credential: TokenCredential,
      {
        jkt,
        principal,
        now,
      }: { readonly jkt: string; readonly principal: TokenClaims['principal']; readonly now: number },
    ): Promise<AuthenticationOutcome> {
      const { method, scheme, authority, target } = exchange;
      const request = { method, scheme, authority, path: target.path, accessToken: credential.token, jkt };
      try {
        const fault = await refuseProof(exchange.headers.all('dpop'), request, proofRules, replay, now);
        if (fault !== undefined) return refuse(exchange, credential, fault);
      } catch (error) {
        return identityUnavailable(error);
      }
      hideToken(exchange);
      return principal;
    }

    function hideToken(exchange: Exchange): void {
      if (!config.passToken) exchange.upstreamHeaders.remove.push('authorization', 'dpop');
    }

    function refuse(exchange: Exchange, { scheme }: TokenCredential, refusal: Refusal): Problem {
      const { error, description } = describeRefusal(refusal);
      const parameters = { error, error_description: description, resource_metadata: metadataUrl(exchange) };
      const challenge =
        scheme === 'dpop' || error === 'invalid_dpop_proof' || refusal === 'bound-to-a-key'
          ? { scheme: 'DPoP', parameters: { ...parameters, algs: proofAlgorithms } }
          : { scheme: 'Bearer', parameters };
      return new Problem('invalid-token', {
        detail: `${description.charAt(0).toUpperCase()}${description.slice(1)}.`,
        headers: ['WWW-Authenticate', challengeField([challenge])],
        internal: `access token: ${refusal}`,
      });
    }

    function metadataUrl(exchange: Exchange): string {
      return resourceMetadataUrl(exchange, context.path);
    }

    /** A token nobody looked at, `passToken` or not; one that another issuer's alternative took is that one's to pass on. */
    function conceal(exchange: Exchange): void {
      if (exchange.principal?.method !== 'oauth') exchange.upstreamHeaders.remove.push('authorization', 'dpop');
    }

    return {
      authenticate,
      conceal,
      challenge(exchange) {
        const parameters = { resource_metadata: metadataUrl(exchange) };
        const bearer = { scheme: 'Bearer', parameters };
        const dpop = { scheme: 'DPoP', parameters: { ...parameters, algs: proofAlgorithms } };
        return challengeField(config.senderConstrained === 'require' ? [dpop] : [bearer, dpop]);
      },
      unclaimed(exchange) {
        const credential = readCredential(exchange.headers.get('authorization'));
        return credential === undefined ? undefined : refuse(exchange, credential, 'unknown-issuer');
      },
    };
  },
});

function rulesOf(config: OauthConfig, context: CompileContext): TokenRules {
  const issuer = config.issuer ?? context.ownIssuer;
  if (issuer === undefined)
    throw new Error(
      'an oauth alternative without an issuer takes tokens of the embedded authorization server, and there is none',
    );
  return {
    issuer,
    own: issuer === context.ownIssuer,
    audiences: new Set(audiencesOf(config)),
    algorithms: new Set(config.algorithms),
    types: new Set(config.types),
    acceptPlainJwt: config.acceptPlainJwt,
    clockLeeway: config.clockLeeway / 1000,
  };
}

/** Seconds. A proof is made for one request, so it need not live long; the leeway is for clocks of clients (RFC 9449 §11.1). */
const PROOF_LIFETIME = 60;
const PROOF_LEEWAY = 10;
