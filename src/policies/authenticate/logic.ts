import { Problem } from '../../errors/problem.ts';

/** A refusal with the challenges of the other alternatives behind its own: a 401 says every way that would do (RFC 9110 §11.6.1). */
export function withChallenges(problem: Problem, others: readonly string[]): Problem {
  if (problem.status !== 401 || others.length === 0) return problem;
  return new Problem(problem.code, {
    ...(problem.detail === undefined ? {} : { detail: problem.detail }),
    ...(problem.internal === undefined ? {} : { internal: problem.internal }),
    headers: [...problem.headers, ...others.flatMap((challenge) => ['WWW-Authenticate', challenge])],
  });
}

/** Each challenge once: several issuers of one API have the same. */
export function distinct(challenges: readonly (string | undefined)[]): readonly string[] {
  return [...new Set(challenges.filter((challenge) => challenge !== undefined))];
}
