import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import type { JsonObject } from '../lib/json.ts';
import type { AuditEvent, AuditType } from '../stores/audit.ts';
import type { RequestFault } from './admin-problems.ts';
import { type AdminReply, refuse } from './admin-reply.ts';
import type { AdminServices, Caller, EventOrigin } from './admin-services.ts';
import { requestFaults } from './request-faults.ts';

/** What an action gets to see of one request. */
export interface Call {
  readonly services: AdminServices;
  readonly caller: Caller;
  /** The variable parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** The value of Idempotency-Key. */
  readonly idempotencyKey: string | undefined;
  /** `POST /consumers`: what is asked for, for comparing. */
  readonly target: string;
  readonly request: IncomingMessage;
}

/** What one endpoint does. */
export interface Action {
  /** What kind of body it reads. A stream it reads by itself. */
  readonly reads: 'nothing' | 'json' | 'jsonl';
  run(call: Call, input: { readonly query: unknown; readonly body: unknown }): Promise<AdminReply>;
}

/** An endpoint without parameters or body. */
export function plainAction(run: (call: Call) => Promise<AdminReply>): Action {
  return queryAction(undefined, run);
}

/** An endpoint that takes lines and reads them itself. */
export function streamAction(run: (call: Call) => Promise<AdminReply>): Action {
  return { ...plainAction(run), reads: 'jsonl' };
}

/** An endpoint with parameters in its query; without a schema it takes none. */
export function queryAction<Query>(
  query: z.ZodType<Query> | undefined,
  run: (call: Call & { readonly query: Query }) => Promise<AdminReply>,
): Action;
export function queryAction(
  query: z.ZodType<unknown> | undefined,
  run: (call: Call & { readonly query: unknown }) => Promise<AdminReply>,
): Action {
  return {
    reads: 'nothing',
    async run(call, input) {
      if (query === undefined) {
        const surplus = Object.keys(Object(input.query)).map(unknownParameter);
        return surplus.length === 0 ? run({ ...call, query: {} }) : refuseFaults(surplus);
      }
      const parsed = query.safeParse(input.query, { reportInput: true });
      return parsed.success
        ? run({ ...call, query: parsed.data })
        : refuseFaults(requestFaults(parsed.error.issues, 'query'));
    },
  };
}

/** An endpoint with a JSON body and no parameters. */
export function bodyAction<Body>(
  body: z.ZodType<Body>,
  run: (call: Call & { readonly body: Body }) => Promise<AdminReply>,
): Action {
  return {
    reads: 'json',
    async run(call, input) {
      const surplus = Object.keys(Object(input.query)).map(unknownParameter);
      const parsed = body.safeParse(input.body, { reportInput: true });
      if (parsed.success && surplus.length === 0) return run({ ...call, body: parsed.data });
      return refuseFaults([...surplus, ...(parsed.success ? [] : requestFaults(parsed.error.issues, 'body'))]);
    },
  };
}

/** All faults of a request at once. */
export function refuseFaults(errors: readonly RequestFault[]): AdminReply {
  const count = errors.length === 1 ? 'one fault' : `${errors.length} faults`;
  return refuse('invalid', `The request has ${count}; nothing was changed.`, { errors });
}

/** An audit event of this call. Its detail holds no secret. */
export function eventOf(call: Call, type: AuditType, subject: string, detail?: JsonObject): AuditEvent {
  return { ...originOf(call), type, subject, ...(detail === undefined ? {} : { detail }) };
}

export function originOf({ caller }: Call): EventOrigin {
  return { actor: caller.actor, address: caller.address, requestId: caller.requestId };
}

function unknownParameter(parameter: string): RequestFault {
  return { parameter, message: 'there is no such parameter here', hint: 'leave it out' };
}
