import type { Exchange, Reply } from '../../exchange.ts';
import { type CompiledPolicy, definePolicy } from '../policy.ts';
import { type HeadersConfig, headersConfig } from './config.ts';
import { fieldEditor, hasEdits } from './logic.ts';

/** Sets and removes header fields, toward the upstream and toward the client. */
export const headersPolicy = definePolicy({
  name: 'headers',
  phase: 'prepare',
  config: headersConfig,
  compile(config) {
    if (!hasEdits(config.request) && !hasEdits(config.reply)) return undefined;
    return {
      ...(hasEdits(config.request) && { request: requestHook(config.request) }),
      ...(hasEdits(config.reply) && { reply: replyHook(config.reply) }),
    } satisfies CompiledPolicy;
  },
});

function requestHook(edits: HeadersConfig['request']) {
  return function editRequest(exchange: Exchange): undefined {
    exchange.upstreamHeaders.remove.push(...edits.remove);
    for (const { name, value } of edits.set) exchange.upstreamHeaders.set.set(name, value);
  };
}

function replyHook(edits: HeadersConfig['reply']) {
  const editFields = fieldEditor(edits);
  return function editReply(_exchange: Exchange, reply: Reply): void {
    editFields(reply.headers);
  };
}
