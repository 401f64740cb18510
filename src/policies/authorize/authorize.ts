import { Problem } from '../../errors/problem.ts';
import type { Exchange, Principal } from '../../exchange.ts';
import { actorNameOf } from '../../identity/actor-name.ts';
import { challengeField, resourceMetadataUrl, schemeOf } from '../../identity/token-challenge.ts';
import { definePolicy } from '../policy.ts';
import { authorizeConfig } from './config.ts';
import { judge, type Verdict } from './logic.ts';

/** Decides whether a caller that is known may do this. */
export const authorizePolicy = definePolicy({
  name: 'authorize',
  phase: 'authorize',
  needs: ['principal'],
  config: authorizeConfig,
  compile(config, context) {
    const { api, route } = context;
    const { reports } = context.identity;

    function authorizeCaller(exchange: Exchange): Problem | undefined {
      const { principal } = exchange;
      if (principal === undefined) throw new Error('authorize was reached without a principal'); // the load has seen to it
      const verdict = judge(principal, exchange.method, config);
      if (verdict === undefined) return undefined;
      const problem = refusal(exchange, principal, verdict);
      reports.audit({
        type: 'request.refused',
        actor: actorNameOf(principal),
        subject: '',
        address: exchange.clientAddress,
        detail: { api, route, code: problem.code, reason: problem.internal ?? problem.code },
      });
      return problem;
    }

    /** RFC 6750 §3.1: a token without the scope is told which one it takes. Whoever has none of OAuth gets no challenge of it. */
    function refusal(exchange: Exchange, principal: Principal, verdict: Verdict): Problem {
      if (verdict.lacks === 'rule')
        return new Problem('forbidden', { internal: `authorize: the rule ${verdict.rule} does not hold` });
      const scope = verdict.needed.join(' ');
      const internal = `authorize: it takes the scopes ${scope}`;
      const detail = `This needs the scope ${scope}.`;
      if (principal.method !== 'oauth') return new Problem('insufficient-scope', { detail, internal });
      const scheme = schemeOf(exchange.headers.get('authorization')) === 'dpop' ? 'DPoP' : 'Bearer';
      const parameters = {
        error: 'insufficient_scope',
        scope,
        resource_metadata: resourceMetadataUrl(exchange, context.path),
      };
      return new Problem('insufficient-scope', {
        detail,
        internal,
        headers: ['WWW-Authenticate', challengeField([{ scheme, parameters }])],
      });
    }

    return { request: authorizeCaller };
  },
});
