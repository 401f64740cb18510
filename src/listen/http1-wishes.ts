import { type Http1Request, NO_BODY } from './http1-request.ts';
import type { ReplyWay } from './http1-wire.ts';

/** How the reply to a request is to be sent. What follows a request for another protocol may be in that protocol. */
export function replyWay(request: Http1Request, upgrade: ReplyWay['upgrade']): Omit<ReplyWay, 'body'> {
  return {
    toHead: request.method === 'HEAD',
    httpVersion: request.httpVersion,
    persistent: staysOpen(request) && !asksForOtherProtocol(request),
    upgrade,
    bodyLength: request.length,
  };
}

/** Whether the client wants to go on with the connection (RFC 9112 §9.3). */
function staysOpen({ httpVersion, fields }: Http1Request): boolean {
  const { connection } = fields;
  if (connection === undefined) return httpVersion === '1.1';
  if (lists(connection, 'close')) return false;
  return httpVersion === '1.1' || lists(connection, 'keep-alive');
}

/** Whether the client would like to speak something else from here on (RFC 9110 §7.8). */
function asksForOtherProtocol({ fields }: Http1Request): boolean {
  const { connection, upgrade } = fields;
  return upgrade !== undefined && connection !== undefined && lists(connection, 'upgrade');
}

/** Any other protocol in Upgrade is ignored, as RFC 9110 §7.8 allows; and a body would come between the request and the new protocol (attack 21). */
export function webSocketAsked(request: Http1Request): 'websocket' | undefined {
  const { method, httpVersion, length, fields } = request;
  if (fields.upgrade === undefined || method !== 'GET' || httpVersion !== '1.1' || length !== NO_BODY) return undefined;
  return fields.upgrade.toLowerCase() === 'websocket' && asksForOtherProtocol(request) ? 'websocket' : undefined;
}

/** Whether a list of options has this one, whatever its case. */
function lists(value: string, option: string): boolean {
  if (value.toLowerCase() === option) return true;
  return value.split(',').some((part) => part.trim().toLowerCase() === option);
}
