import { inertServices } from '../identity/inert-services.ts';
import type { CompileContext, PolicyDefinition } from '../policies/policy.ts';
import { policies } from '../policies/registry.ts';
import { callerFacts } from './caller-facts.ts';
import { compilePolicies, UnmetNeed } from './compile-policies.ts';
import type { Path, RawFault } from './faults.ts';
import { routeSettings } from './route-settings.ts';
import type { GatewayConfig } from './schema.ts';

/**
 * Compiles the policies of every API and route once, to see that they can be: a need that no policy before meets, or a policy
 * whose compile throws, is a fault of the file like any other and not for the workers to find.
 */
export function planFaults(config: GatewayConfig, customPolicies: readonly PolicyDefinition[]): RawFault[] {
  if (customPolicies.length === 0 && !hasNeeds(config)) return [];
  const faults: RawFault[] = [];
  const plainText = new Set(config.listeners.filter((listener) => listener.tls === 'none').map(({ name }) => name));

  function tryAt(path: Path, context: CompileContext, settings: Readonly<Record<string, unknown>>): void {
    try {
      compilePolicies(context, settings, customPolicies);
    } catch (error) {
      faults.push(isOfNobody(error, settings) ? nobodyToJudge(path, error.policy) : unplanned(path, error));
    }
  }

  for (const [index, api] of config.apis.entries()) {
    const secure = !api.listeners.some((name) => plainText.has(name));
    const context: CompileContext = {
      api: api.name,
      route: api.name,
      exposure: api.exposure,
      secure,
      path: api.path,
      ...callerFacts(config, inertServices),
    };
    tryAt(['apis', index], context, api.policies);
    for (const [at, route] of api.routes.entries()) {
      tryAt(
        ['apis', index, 'routes', at],
        { ...context, route: route.name },
        routeSettings(api, route, customPolicies),
      );
    }
  }
  return faults;
}

function unplanned(path: Path, error: unknown): RawFault {
  const message = error instanceof Error ? error.message : String(error);
  return { path, message, hint: 'put what it needs into an earlier phase, or take the policy out here' };
}

/** Of a custom policy it cannot be said: another custom one may have been meant to name the caller. */
function isOfNobody(error: unknown, settings: Readonly<Record<string, unknown>>): error is UnmetNeed {
  if (!(error instanceof UnmetNeed) || error.fact !== 'principal') return false;
  return settings['authenticate'] === 'none' && MINDFUL.includes(error.policy);
}

function nobodyToJudge(path: Path, policy: string): RawFault {
  return {
    path: [...path, policy],
    message: 'is about who is calling, and with `authenticate: none` nobody is asked',
    hint: 'write a way to authenticate here, or take this out',
  };
}

/** Planning thousands of routes twice takes time; policies without needs can be compiled wherever their options parse. */
function hasNeeds(config: GatewayConfig): boolean {
  return config.apis.some((api) =>
    [api, ...api.routes].some(({ policies: settings }) => MINDFUL.some((name) => settings[name] !== undefined)),
  );
}

/** Built-in policies that rely on another, or on more of the file than their own options. */
const MINDFUL = policies
  .filter(({ needs, provides }) => needs.length > 0 || provides.length > 0)
  .map(({ name }) => name);
