import { LRUCache } from 'lru-cache';
import type { Problem } from '../../errors/problem.ts';
import type { Exchange, Principal } from '../../exchange.ts';
import { identityUnavailable } from '../identity-unavailable.ts';
import { type CompileContext, definePolicy } from '../policy.ts';
import { type UpstreamIdentityConfig, upstreamIdentityConfig } from './config.ts';
import { factOf, identityClaims } from './logic.ts';

/** Tells the upstream who is calling: by a JWT that it can check, by header fields, or both. */
export const upstreamIdentityPolicy = definePolicy({
  name: 'upstreamIdentity',
  phase: 'prepare',
  needs: ['principal'],
  config: upstreamIdentityConfig,
  compile(config, context) {
    const fields = Object.entries(config.headers).map(([name, source]) => ({
      name,
      lower: name.toLowerCase(),
      source,
    }));
    if (config.jwt === undefined && fields.length === 0) return undefined;
    const jwtOf = config.jwt === undefined ? undefined : identityJwts(config.jwt, context);
    const jwtHeader = config.jwt?.header ?? '';

    function tellUpstream(exchange: Exchange): Problem | undefined | Promise<Problem | undefined> {
      const { principal, upstreamHeaders } = exchange;
      if (principal === undefined) throw new Error('upstreamIdentity was reached without a principal'); // the load has seen to it
      for (const { name, lower, source } of fields) {
        upstreamHeaders.remove.push(lower);
        const fact = factOf(principal, source);
        if (fact !== undefined) upstreamHeaders.set.set(name, fact);
      }
      if (jwtOf === undefined) return undefined;
      const jwt = jwtOf(principal);
      if (typeof jwt === 'string') return send(exchange, jwt);
      return jwt.then((signed) => send(exchange, signed), identityUnavailable);
    }

    function send(exchange: Exchange, jwt: string): undefined {
      exchange.upstreamHeaders.set.set(jwtHeader, jwt);
    }

    return { request: tellUpstream };
  },
});

/** Signed once for a caller and used until half its life is over, so that the upstream always gets one with some life left. */
function identityJwts(config: NonNullable<UpstreamIdentityConfig['jwt']>, context: CompileContext) {
  const { signer } = context.identity;
  const audience = config.audience ?? context.api;
  const ttlSeconds = Math.floor(config.ttl / 1000);
  const claims = config.claims;
  // By the principal itself: it is the same object for every request with the same token, key or session, and no other's.
  const signed = new LRUCache<Principal, string>({ max: MOST_JWTS, ttl: config.ttl / 2 });

  return function jwtOf(principal: Principal): string | Promise<string> {
    return signed.get(principal) ?? sign(principal);
  };

  async function sign(principal: Principal): Promise<string> {
    const jwt = await signer.sign(identityClaims(principal, claims), { audience, ttlSeconds });
    signed.set(principal, jwt);
    return jwt;
  }
}

const MOST_JWTS = 10_000;
