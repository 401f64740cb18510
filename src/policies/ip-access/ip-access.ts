import { Problem } from '../../errors/problem.ts';
import type { Exchange } from '../../exchange.ts';
import { definePolicy } from '../policy.ts';
import { ipAccessConfig } from './config.ts';
import { accessRule } from './logic.ts';

/** Admits requests by the address of their client. */
export const ipAccessPolicy = definePolicy({
  name: 'ipAccess',
  phase: 'admit',
  config: ipAccessConfig,
  compile(config) {
    if (config.allow === undefined && config.deny.length === 0) return undefined;
    const mayCall = accessRule(config);

    function checkAddress(exchange: Exchange): Problem | undefined {
      return mayCall(exchange.clientAddress) ? undefined : FORBIDDEN;
    }

    return { request: checkAddress };
  },
});

const FORBIDDEN = new Problem('forbidden-address');
