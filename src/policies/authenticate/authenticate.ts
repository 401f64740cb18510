import type { ProblemCode } from '../../errors/catalogue.ts';
import { Problem } from '../../errors/problem.ts';
import { type Exchange, Reply } from '../../exchange.ts';
import type { AuthenticationMethod, AuthenticationOutcome, CompiledMethod } from '../authentication-method.ts';
import { type CompileContext, definePolicy, type PolicyDefinition } from '../policy.ts';
import { type Alternative, type AuthenticateConfig, authenticateConfigOf } from './config.ts';
import { distinct, withChallenges } from './logic.ts';

/**
 * Finds out who is calling, by any one of the ways an API allows. The first alternative whose credential is in the request
 * decides: a bad credential is refused whatever else the request carries. Credentials of the others are not looked at, and not
 * passed on, so that none of them can count for anything.
 */
export function authenticatePolicy(methods: readonly AuthenticationMethod[]): PolicyDefinition<AuthenticateConfig> {
  return definePolicy({
    name: 'authenticate',
    phase: 'identify',
    provides: ['principal'],
    config: authenticateConfigOf(methods),
    compile(config, context) {
      if (config === 'none') return undefined;
      const alternatives = config.map((alternative) => compileAlternative(methods, alternative, context));
      return { request: identifyBy(alternatives, context) };
    },
  });
}

function identifyBy(alternatives: readonly CompiledMethod[], context: CompileContext) {
  const { api, route } = context;
  const { reports } = context.identity;

  function identifyCaller(exchange: Exchange): Problem | Reply | undefined | Promise<Problem | Reply | undefined> {
    for (const [at, alternative] of alternatives.entries()) {
      const outcome = alternative.authenticate(exchange);
      if (outcome instanceof Promise) return awaitFrom(exchange, at, outcome);
      if (outcome !== undefined) return settle(exchange, at, outcome);
    }
    return turnAway(exchange);
  }

  async function awaitFrom(
    exchange: Exchange,
    first: number,
    pending: Promise<AuthenticationOutcome>,
  ): Promise<Problem | Reply | undefined> {
    let outcome = await pending;
    for (let at = first; ; outcome = await alternatives[at]?.authenticate(exchange)) {
      if (outcome !== undefined) return settle(exchange, at, outcome);
      at += 1;
      if (at >= alternatives.length) return turnAway(exchange);
    }
  }

  function settle(
    exchange: Exchange,
    at: number,
    outcome: NonNullable<AuthenticationOutcome>,
  ): Problem | Reply | undefined {
    if (outcome instanceof Reply) return outcome;
    if (outcome instanceof Problem) return refuse(exchange, outcome, at);
    exchange.principal = outcome;
    for (const [index, other] of alternatives.entries()) if (index !== at) other.conceal?.(exchange);
    return undefined;
  }

  /** Nobody's credential: an invitation to sign in where there is one, else what would be right. */
  function turnAway(exchange: Exchange): Problem | Reply {
    for (const [at, alternative] of alternatives.entries()) {
      const unclaimed = alternative.unclaimed?.(exchange);
      if (unclaimed !== undefined) return refuse(exchange, unclaimed, at);
    }
    for (const alternative of alternatives) {
      const invitation = alternative.invite?.(exchange);
      if (invitation !== undefined) return invitation;
    }
    return isChallenged(exchange) ? refuse(exchange, UNAUTHENTICATED, -1) : forbid(exchange);
  }

  function isChallenged(exchange: Exchange): boolean {
    return alternatives.some((alternative) => alternative.challenge(exchange) !== undefined);
  }

  function forbid(exchange: Exchange): Problem {
    for (const [at, alternative] of alternatives.entries()) {
      const problem = alternative.forbid?.(exchange);
      if (problem !== undefined) return refuse(exchange, problem, at);
    }
    throw new Error('a method of authenticate has neither a challenge nor a refusal');
  }

  function refuse(exchange: Exchange, problem: Problem, at: number): Problem {
    const own = problem.headers.filter((_, index) => index % 2 === 1);
    const others = distinct(alternatives.map((other, index) => (index === at ? undefined : other.challenge(exchange))));
    // Who sends no credential at all is nothing out of the ordinary: the access log has it.
    if (!WITHOUT_CREDENTIAL.has(problem.code))
      reports.audit({
        type: 'request.refused',
        actor: 'anonymous',
        subject: '',
        address: exchange.clientAddress,
        detail: { api, route, code: problem.code, reason: problem.internal ?? problem.code },
      });
    return withChallenges(
      problem,
      others.filter((challenge) => !own.includes(challenge)),
    );
  }

  return identifyCaller;
}

function compileAlternative(
  methods: readonly AuthenticationMethod[],
  alternative: Alternative,
  context: CompileContext,
): CompiledMethod {
  const method = methods.find(({ name }) => alternative[name] !== undefined);
  if (method === undefined) throw new Error('an alternative of authenticate names no method'); // its schema has looked
  return method.compile(alternative[method.name], context);
}

const UNAUTHENTICATED = new Problem('unauthenticated');
const WITHOUT_CREDENTIAL: ReadonlySet<string> = new Set<ProblemCode>(['unauthenticated', 'certificate-required']);
