import type { Exchange, Reply } from '../../exchange.ts';
import { definePolicy } from '../policy.ts';
import { securityHeadersConfig } from './config.ts';
import { mayPin, secureHead, securityHeadersPlan } from './logic.ts';

/** Tells browsers to be careful with replies, and takes out what names the software behind. On by default. */
export const securityHeadersPolicy = definePolicy({
  name: 'securityHeaders',
  phase: 'receive',
  config: securityHeadersConfig,
  onByDefault: () => true,
  compile(config) {
    const plan = securityHeadersPlan(config);

    function secureReply(exchange: Exchange, reply: Reply): void {
      secureHead(plan, mayPin(exchange.scheme, exchange.host), reply.headers);
    }

    return { reply: secureReply };
  },
});
