import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { ADMIN_PATH } from '../lib/admin-place.ts';
import { Conflict, NotFound, StoreUnavailable } from '../stores/stores.ts';
import type { Action, Call } from './action.ts';
import { type AdminReply, refuse } from './admin-reply.ts';
import type { AdminServices, Caller } from './admin-services.ts';
import { isCrossSite } from './cross-site.ts';
import { compileEndpoints, type Endpoint } from './endpoint-table.ts';
import { endpoints } from './endpoints.ts';
import { readJsonBody } from './read-body.ts';
import { createRefusalLog, type RefusalLog } from './refusal-log.ts';

export interface AdminApp {
  /** Answers one request, whose path begins with `ADMIN_PATH`. It never throws. */
  handle(request: IncomingMessage, response: ServerResponse, caller: Caller): void;
}

/**
 * The admin API. It trusts its caller to have found out who asks; that web pages elsewhere cannot use it, what each may do
 * and what a request must look like it checks itself.
 */
export function createAdminApp(services: AdminServices): AdminApp {
  const match = compileEndpoints(endpoints);
  const refusals = createRefusalLog(services);

  async function answer(request: IncomingMessage, caller: Caller): Promise<AdminReply> {
    const target = request.url ?? '/';
    const [path = '', search = ''] = splitOnce(target, '?');
    if (isCrossSite(request.headers)) {
      await refusals.note(caller, 'cross-site');
      return refuse('cross-site', 'The admin API takes no requests from web pages of another site.');
    }
    const found = path.startsWith(`${ADMIN_PATH}/`)
      ? match(request.method ?? '', path.slice(ADMIN_PATH.length))
      : undefined;
    if (found === undefined) return refuse('not-found', 'Nothing of the admin API has this path.');
    if ('allowed' in found) {
      const allowed = found.allowed.join(', ');
      return refuse('method-not-allowed', `Here it is ${allowed}.`, { headers: { Allow: allowed } });
    }
    const { endpoint, params } = found;
    if (!mayUse(caller, endpoint)) return await refuseScope(refusals, caller, endpoint);
    const key = request.headers['idempotency-key'];
    const call: Call = {
      services,
      caller,
      params,
      idempotencyKey: Array.isArray(key) ? key.join() : key,
      target: `${request.method} ${path}`,
      request,
    };
    return await run(endpoint.action, call, search);
  }

  return {
    handle(request, response, caller) {
      answer(request, caller)
        .catch((error: unknown) => {
          if (hasLeft(request, error)) throw error;
          return explainError(error, caller, services);
        })
        .then((reply) => write(request, response, reply))
        .catch((error: unknown) => {
          // The head has gone: only a broken connection tells the client that the rest is missing.
          if (!hasLeft(request, error)) services.reportFault(error, caller.requestId);
          response.destroy();
        });
    },
  };
}

async function run(action: Action, call: Call, search: string): Promise<AdminReply> {
  const query = readQuery(search);
  if (query === undefined) return refuse('malformed', 'A parameter of the query is given twice.');
  if (action.reads === 'nothing') return action.run(call, { query, body: undefined });
  const wanted = action.reads === 'json' ? 'application/json' : 'application/jsonl';
  if (mediaType(call.request) !== wanted)
    return refuse('unsupported-media-type', `Send the body with Content-Type: ${wanted}.`, {
      headers: { Accept: wanted },
    });
  if (call.request.headers['content-encoding'] !== undefined)
    return refuse('unsupported-media-type', 'Send the body without a Content-Encoding.');
  if (action.reads === 'jsonl') return action.run(call, { query, body: undefined });
  const body = await readJsonBody(call.request);
  if ('value' in body) return action.run(call, { query, body: body.value });
  return refuse(body.fault === 'too-large' ? 'body-too-large' : 'malformed', body.detail);
}

function mayUse({ scopes }: Caller, { scope }: Endpoint): boolean {
  return scopes === 'all' || scopes.includes('admin') || scopes.includes(scope);
}

async function refuseScope(refusals: RefusalLog, caller: Caller, { scope }: Endpoint): Promise<AdminReply> {
  await refusals.note(caller, scope);
  return refuse('insufficient-scope', `This needs the scope ${scope}, or admin.`);
}

/** What the records reject with is part of their contract; everything else is a fault of ours. */
function explainError(error: unknown, caller: Caller, services: AdminServices): AdminReply {
  if (error instanceof Conflict) return refuse('conflict', 'The name or id is taken already; nothing was changed.');
  if (error instanceof NotFound) return refuse('not-found', 'What this refers to is not there; nothing was changed.');
  if (error instanceof StoreUnavailable)
    return refuse('store-unavailable', 'Try again in a moment; it is not known whether anything was changed.', {
      headers: { 'Retry-After': '1' },
    });
  services.reportFault(error, caller.requestId);
  const id = caller.requestId === undefined ? '' : ` under ${caller.requestId}`;
  return refuse('internal-error', `The log of the gateway has the cause${id}.`);
}

/** The parameters by name; undefined where one stands there twice, which two readers could take differently. */
function readQuery(search: string): Readonly<Record<string, string>> | undefined {
  const entries = [...new URLSearchParams(search)];
  if (new Set(entries.map(([name]) => name)).size < entries.length) return undefined;
  return Object.fromEntries(entries);
}

function mediaType(request: IncomingMessage): string | undefined {
  return request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
}

async function write(request: IncomingMessage, response: ServerResponse, reply: AdminReply): Promise<void> {
  response.writeHead(reply.status, {
    ...(reply.contentType === undefined ? {} : { 'Content-Type': reply.contentType }),
    ...(typeof reply.body === 'string' ? { 'Content-Length': Buffer.byteLength(reply.body) } : {}),
    // Replies hold names, and some hold a secret that is shown once.
    'Cache-Control': 'no-store',
    ...reply.headers,
  });
  if (request.method === 'HEAD' || reply.body === undefined) response.end();
  else if (typeof reply.body === 'string') response.end(reply.body);
  else {
    // Now, since the first line may be long in coming, and whoever forwards this waits for a head.
    response.flushHeaders();
    // At the pace of the reader; one that goes away ends the work as well.
    await pipeline(reply.body, response);
  }
  // What was not read of a refused body is not worth waiting for.
  if (!request.complete) request.resume();
}

/** Whether it is the client who broke off, in the middle of its request or of the answer. */
function hasLeft(request: IncomingMessage, error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ERR_STREAM_PREMATURE_CLOSE' || (request.destroyed && !request.complete);
}

function splitOnce(text: string, at: string): readonly string[] {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}
