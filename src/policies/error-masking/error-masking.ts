import { Problem } from '../../errors/problem.ts';
import type { Exchange, Reply } from '../../exchange.ts';
import { definePolicy } from '../policy.ts';
import { errorMaskingConfig } from './config.ts';
import { describeMasked, hideFields, keepFields, maskingPlan } from './logic.ts';

/** Keeps the stack traces, queries and host names of failing upstreams from clients. On by default for public APIs. */
export const errorMaskingPolicy = definePolicy({
  name: 'errorMasking',
  phase: 'prepare',
  config: errorMaskingConfig,
  onByDefault: ({ exposure }) => exposure === 'public',
  compile(config) {
    const plan = maskingPlan(config);

    function maskError(exchange: Exchange, reply: Reply): void {
      if (reply.source !== 'upstream') return; // our own problems tell nothing
      if (!plan.isMasked(reply.status)) {
        hideFields(plan, reply.headers);
        return;
      }
      const facts = describeMasked(reply.status, reply.headers);
      keepFields(plan, reply.headers);
      replaceBody(reply);
      exchange.internalDetail = facts;
    }

    return { reply: maskError };
  },
});

/** The status stays the upstream's; the body becomes that of the problem when the reply is written. */
function replaceBody(reply: Reply): void {
  const { body } = reply;
  if (typeof body === 'object' && 'cancel' in body) body.cancel(); // nobody will read it: its connection is freed
  reply.body = undefined;
  reply.problem = UPSTREAM_ERROR;
  reply.source = 'gateway';
}

const UPSTREAM_ERROR = new Problem('upstream-error');
