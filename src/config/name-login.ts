import { z } from 'zod';
import type { Exchange } from '../exchange.ts';
import { definePolicy, type PolicyDefinition } from '../policies/policy.ts';

/**
 * Tells the app of the logins which of them a route belongs to. Two may stand at one path and host, on listeners apart: only the
 * route knows which was asked. Clients cannot send the field, since its name is a reserved one.
 */
export function nameLoginPolicy(login: string): PolicyDefinition<object> {
  return definePolicy({
    name: 'nameLogin',
    phase: 'prepare',
    config: z.strictObject({}).describe('No options: only the gateway itself uses it.'),
    onByDefault: () => true,
    compile() {
      function nameLogin(exchange: Exchange): undefined {
        exchange.upstreamHeaders.set.append('X-Sallyport-Login', login);
      }
      return { request: nameLogin };
    },
  });
}
