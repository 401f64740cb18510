import type { z } from 'zod';
import type { Problem } from '../errors/problem.ts';
import type { Exchange, Exposure, Reply } from '../exchange.ts';
import type { IdentityServices } from '../identity/services.ts';

/** The phases of the road before the upstream, in their order; `order.ts` says why. */
export type Phase = 'receive' | 'admit' | 'identify' | 'authorize' | 'limit' | 'validate' | 'serve' | 'prepare';

/** What one policy may establish on an Exchange and another rely on. */
export type Fact = 'principal';

/**
 * Looks at a request on its way in. Returning nothing lets it pass; a Problem denies it; a Reply answers it.
 * It must be a named function: its name stands in stack traces and in `explain`.
 */
export type RequestHook = (exchange: Exchange) => Problem | Reply | undefined | Promise<Problem | Reply | undefined>;

/** Edits the head of a reply on its way out, the gateway's own problems included. */
export type ReplyHook = (exchange: Exchange, reply: Reply) => void | Promise<void>;

export interface CompiledPolicy {
  readonly request?: RequestHook;
  readonly reply?: ReplyHook;
}

/** What a policy may know of its place when it is compiled. */
export interface CompileContext {
  readonly api: string;
  readonly route: string;
  readonly exposure: Exposure;
  /** True when every listener that carries this route speaks TLS. */
  readonly secure: boolean;
  /** The path prefix of the API. */
  readonly path: string;
  /** The issuer of the embedded authorization server; undefined where there is none. */
  readonly ownIssuer: string | undefined;
  /** The logins of the configuration by name; left out where there are none. */
  readonly logins?: Readonly<Record<string, LoginFacts>> | undefined;
  /** What policies that identify callers need of the process. A compile that no traffic follows (`check`, `explain`) is given inert ones. */
  readonly identity: IdentityServices;
}

/** What a route that browsers sign in to must know of the login it uses. */
export interface LoginFacts {
  /** Below it the gateway answers login, callback, logout and session. */
  readonly path: string;
  readonly issuer: string;
  readonly clientId: string;
}

export interface PolicyDefinition<Config = unknown> {
  /** The key in the configuration file, camelCase. */
  readonly name: string;
  readonly phase: Phase;
  readonly needs: readonly Fact[];
  readonly provides: readonly Fact[];
  /** Strict, with a default and a description on every option. */
  readonly config: z.ZodType<Config>;
  /** Whether the policy is on where the file does not mention it (then with an empty config). */
  readonly onByDefault: (context: CompileContext) => boolean;
  /**
   * Does all that needs no request. Undefined: this config asks for nothing.
   * A method on purpose: methods compare their parameters both ways, so that every definition fits the erased
   * `PolicyDefinition` of a list. That is sound here, since a policy is only ever given what its own schema parsed.
   */
  compile(config: Config, context: CompileContext): CompiledPolicy | undefined;
}

/** Declares a policy; it exists to give the definition its types. */
export function definePolicy<Config>(
  definition: Pick<PolicyDefinition<Config>, 'name' | 'phase' | 'config' | 'compile'> &
    Partial<Pick<PolicyDefinition<Config>, 'needs' | 'provides' | 'onByDefault'>>,
): PolicyDefinition<Config> {
  return { needs: [], provides: [], onByDefault: never, ...definition };
}

function never(): boolean {
  return false;
}
