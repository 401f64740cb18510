import type { z } from 'zod';
import type { Problem } from '../errors/problem.ts';
import type { Exchange, Principal, Reply } from '../exchange.ts';
import type { CompileContext } from './policy.ts';

/** One way in which callers may authenticate: an alternative of the `authenticate` policy, with a folder of its own. */
export interface AuthenticationMethod<Config = unknown> {
  /** Its key in an entry of `authenticate`. */
  readonly name: Principal['method'];
  readonly config: z.ZodType<Config>;
  /** A method on purpose, as in PolicyDefinition. */
  compile(config: Config, context: CompileContext): CompiledMethod;
}

/**
 * `Principal`: the credential is good. `Problem`: there is a credential of this kind, and it is not; no other alternative is
 * asked then. `Reply`: the request is answered here. Undefined: the request has no credential of this kind.
 */
export type AuthenticationOutcome = Principal | Problem | Reply | undefined;

export interface CompiledMethod {
  /** Called with every request; answers without a promise where it can. It takes its credential out of what the upstream gets (`exchange.upstreamHeaders`), unless its config says otherwise. */
  authenticate(exchange: Exchange): AuthenticationOutcome | Promise<AuthenticationOutcome>;
  /** The value of WWW-Authenticate for a request without any credential; undefined for a method that has no scheme. */
  challenge(exchange: Exchange): string | undefined;
  /** Takes its credential out of what the upstream gets without looking at it: called where an alternative before it has identified the caller. Undefined where nothing would be left over. */
  conceal?(exchange: Exchange): void;
  /** Refuses a credential of its kind that no alternative took; undefined where there is none. */
  unclaimed?(exchange: Exchange): Problem | undefined;
  /** Refuses where no alternative has a challenge, without which there is no 401 (RFC 9110 §15.5.2); undefined for a method that has one. */
  forbid?(exchange: Exchange): Problem;
  /** Answers a request without any credential instead of a 401, such as by sending a browser to a sign-in page; undefined where it does not. */
  invite?(exchange: Exchange): Reply | undefined;
}

export function defineMethod<Config>(method: AuthenticationMethod<Config>): AuthenticationMethod<Config> {
  return method;
}
