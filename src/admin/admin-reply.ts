import type { Json } from '../lib/json.ts';
import { type AdminProblemCode, adminProblems, type RequestFault } from './admin-problems.ts';

/** An answer before it is written: JSON, lines that come as they are made, a text, or nothing. */
export interface AdminReply {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | AsyncIterable<string> | undefined;
}

export function replyJson(status: number, body: object, headers: Readonly<Record<string, string>> = {}): AdminReply {
  return { status, contentType: 'application/json', headers, body: `${JSON.stringify(body)}\n` };
}

export function replyNothing(): AdminReply {
  return { status: 204, contentType: undefined, headers: {}, body: undefined };
}

/** JSON lines. What fails on the way is the business of the lines: the head has gone by then. */
export function replyLines(lines: AsyncIterable<Json | object>): AdminReply {
  return { status: 200, contentType: 'application/jsonl', headers: {}, body: asText(lines) };
}

/** A refusal as RFC 9457 writes it. The detail is a sentence for people. */
export function refuse(
  code: AdminProblemCode,
  detail: string,
  more: { readonly errors?: readonly RequestFault[]; readonly headers?: Readonly<Record<string, string>> } = {},
): AdminReply {
  const { status, title } = adminProblems[code];
  const problem = {
    type: `urn:problem-type:sallyport:admin:${code}`,
    title,
    status,
    detail,
    ...(more.errors === undefined ? {} : { errors: more.errors }),
  };
  return {
    status,
    contentType: 'application/problem+json',
    headers: more.headers ?? {},
    body: `${JSON.stringify(problem)}\n`,
  };
}

async function* asText(lines: AsyncIterable<Json | object>): AsyncGenerator<string> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`;
}
