import type { Route } from '../gateway.ts';
import { order, phases } from '../policies/order.ts';
import type { CompileContext, Fact, Phase, PolicyDefinition, ReplyHook, RequestHook } from '../policies/policy.ts';
import { policies } from '../policies/registry.ts';

/** One line of `explain`: a hook, where it runs and why there. */
export interface PlanStep {
  readonly policy: string;
  readonly phase: Phase;
  readonly on: 'request' | 'reply';
  /** The hook function's name. */
  readonly hook: string;
  readonly reason: string;
}

/** A policy's needs are unmet: no policy of an earlier place provides a fact it relies on. */
export class UnmetNeed extends Error {
  override readonly name = 'UnmetNeed';
  readonly policy: string;
  readonly fact: Fact;

  constructor(policy: string, fact: Fact, where: string) {
    super(`${where}: the policy ${policy} needs the ${fact}, which no policy before it establishes`);
    this.policy = policy;
    this.fact = fact;
  }
}

/** Flattens the policies of one route into the arrays the road runs through. Replies pass them in the opposite order. `customReason` is what `explain` says of the custom ones. */
export function compilePolicies(
  context: CompileContext,
  settings: Readonly<Record<string, unknown>>,
  custom: readonly PolicyDefinition[],
  customReason = 'custom, in the order of the file',
): Pick<Route, 'requestHooks' | 'requestHookPolicies' | 'replyHooks'> & { readonly plan: readonly PlanStep[] } {
  const requests: { hook: RequestHook; step: PlanStep }[] = [];
  const replies: { hook: ReplyHook; step: PlanStep }[] = [];
  const established = new Set<Fact>();

  for (const { policy, reason } of inOrder(custom, customReason)) {
    const setting = settings[policy.name];
    if (setting === false || (setting === undefined && !policy.onByDefault(context))) continue;
    const missing = policy.needs.find((fact) => !established.has(fact));
    if (missing !== undefined) {
      throw new UnmetNeed(policy.name, missing, `${context.api}, route ${context.route}`);
    }
    const compiled = policy.compile(setting ?? policy.config.parse({}), context);
    if (compiled !== undefined) for (const fact of policy.provides) established.add(fact);
    const place = { policy: policy.name, phase: policy.phase, reason };
    if (compiled?.request !== undefined)
      requests.push({
        hook: compiled.request,
        step: { ...place, on: 'request', hook: nameOf(policy, compiled.request) },
      });
    if (compiled?.reply !== undefined)
      replies.push({ hook: compiled.reply, step: { ...place, on: 'reply', hook: nameOf(policy, compiled.reply) } });
  }

  replies.reverse();
  return {
    requestHooks: requests.map(({ hook }) => hook),
    requestHookPolicies: requests.map(({ step }) => step.policy),
    replyHooks: replies.map(({ hook }) => hook),
    plan: [...requests, ...replies].map(({ step }) => step),
  };
}

/** The built-in policies as `order.ts` has them, the custom ones behind them in their phase. */
function inOrder(
  custom: readonly PolicyDefinition[],
  customReason: string,
): { policy: PolicyDefinition; reason: string }[] {
  return phases.flatMap(({ phase }) => [
    ...order
      .filter((place) => place.phase === phase)
      .flatMap(({ policy: name, reason }) =>
        policies.filter((policy) => policy.name === name).map((policy) => ({ policy, reason })),
      ),
    ...custom.filter((policy) => policy.phase === phase).map((policy) => ({ policy, reason: customReason })),
  ]);
}

function nameOf(policy: PolicyDefinition, hook: { readonly name: string }): string {
  if (hook.name === '')
    throw new Error(
      `the policy ${policy.name} has a hook without a name; give the function one, it shows in stack traces and in explain`,
    );
  return hook.name;
}
