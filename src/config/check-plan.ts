import { inertServices } from '../identity/inert-services.ts';
import type { CompileContext, PolicyDefinition } from '../policies/policy.ts';
import { compilePolicies } from './compile-policies.ts';
import type { Path, RawFault } from './faults.ts';
import type { GatewayConfig } from './schema.ts';

/**
 * Compiles the policies of every API and route once, to see that they can be: a need that no policy before meets, or a policy
 * whose compile throws, is a fault of the file like any other and not for the workers to find.
 */
export function planFaults(config: GatewayConfig, customPolicies: readonly PolicyDefinition[]): RawFault[] {
  if (customPolicies.length === 0) return []; // what is built in has no needs, and its tests see to the rest
  const faults: RawFault[] = [];
  const plainText = new Set(config.listeners.filter((listener) => listener.tls === 'none').map(({ name }) => name));

  function tryAt(path: Path, context: CompileContext, settings: Readonly<Record<string, unknown>>): void {
    try {
      compilePolicies(context, settings, customPolicies);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      faults.push({ path, message, hint: 'put what it needs into an earlier phase, or take the policy out here' });
    }
  }

  for (const [index, api] of config.apis.entries()) {
    const secure = !api.listeners.some((name) => plainText.has(name));
    const context = {
      api: api.name,
      route: api.name,
      exposure: api.exposure,
      secure,
      path: api.path,
      ownIssuer: undefined,
      identity: inertServices,
    };
    tryAt(['apis', index], context, api.policies);
    for (const [at, route] of api.routes.entries()) {
      tryAt(['apis', index, 'routes', at], { ...context, route: route.name }, { ...api.policies, ...route.policies });
    }
  }
  return faults;
}
