import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Json, JsonObject } from '../lib/json.ts';
import type { AdminConnection } from './admin-connection.ts';

/** The admin API as commands use it. */
export interface AdminClient {
  /** The body of the answer; undefined for none. Rejects with AdminRefused where the answer is a refusal. */
  call(method: string, path: string, body?: object, options?: CallOptions): Promise<AdminAnswer>;
  /** The rows of a listing, over as many parts as it takes, up to `limit`. */
  list(path: string, query: Query, limit: number): Promise<Listing>;
  /** The lines of an answer, as they come. */
  lines(method: string, path: string, body?: Readable): AsyncIterable<JsonObject>;
}

export type Query = Readonly<Record<string, string | undefined>>;

export interface CallOptions {
  readonly idempotencyKey?: string | undefined;
}

export interface AdminAnswer {
  readonly body: JsonObject;
  /** Made by an earlier request with the same Idempotency-Key. */
  readonly replayed: boolean;
}

export interface Listing {
  readonly items: readonly JsonObject[];
  /** Whether there are more than were asked for. */
  readonly more: boolean;
}

/** The gateway said no; the message is all it said, one line a fault. */
export class AdminRefused extends Error {
  override readonly name = 'AdminRefused';
  readonly status: number;
  readonly problem: JsonObject;

  constructor(status: number, problem: JsonObject) {
    super(sentencesOf(status, problem).join('\n'));
    this.status = status;
    this.problem = problem;
  }
}

export function createAdminClient(connection: AdminConnection): AdminClient {
  async function send(
    method: string,
    path: string,
    body?: object,
    options: CallOptions = {},
  ): Promise<IncomingMessage> {
    const { idempotencyKey } = options;
    const answer = await connection({
      method,
      path,
      headers: {
        Accept: 'application/json',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return await refused(answer);
  }

  return {
    async call(method, path, body, options) {
      const answer = await send(method, path, body, options);
      const text = await textOf(answer);
      return {
        body: text === '' ? {} : asObject(JSON.parse(text)),
        replayed: answer.headers['idempotency-replayed'] === 'true',
      };
    },

    async list(path, query, limit) {
      const items: JsonObject[] = [];
      let after: string | undefined;
      do {
        const size = Math.min(limit - items.length, LARGEST_PART);
        const part = asObject(
          JSON.parse(await textOf(await send('GET', `${path}${search({ ...query, limit: String(size), after })}`))),
        );
        const rows = part['items'];
        if (Array.isArray(rows)) items.push(...rows.map(asObject));
        const next = part['next'];
        after = typeof next === 'string' ? next : undefined;
      } while (after !== undefined && items.length < limit);
      return { items, more: after !== undefined };
    },

    async *lines(method, path, body) {
      const headers = {
        Accept: 'application/jsonl',
        ...(body === undefined ? {} : { 'Content-Type': 'application/jsonl' }),
      };
      const answer = await refused(await connection({ method, path, headers, body }));
      for await (const line of createInterface({ input: answer, crlfDelay: Number.POSITIVE_INFINITY })) {
        if (line !== '') yield asObject(JSON.parse(line));
      }
      // readline ends quietly where the connection broke.
      if (!answer.complete) throw new Error('the connection broke before the answer was whole');
    },
  };
}

/** The query of a path; what is undefined is left out. */
export function search(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, value);
  return parameters.size === 0 ? '' : `?${parameters}`;
}

/** A variable part of a path. */
export function part(id: string): string {
  return encodeURIComponent(id);
}

/** The answer, unless it is a refusal. */
async function refused(answer: IncomingMessage): Promise<IncomingMessage> {
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status < 300) return answer;
  const text = await textOf(answer);
  let problem: JsonObject = {};
  try {
    problem = asObject(JSON.parse(text));
  } catch {
    // Something on the way answered in its own words; the status says enough.
  }
  throw new AdminRefused(status, problem);
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const piece of answer) {
    text += piece;
    if (text.length > MAX_ANSWER) throw new Error(`the answer has more than ${MAX_ANSWER} characters`);
  }
  return text;
}

function sentencesOf(status: number, { detail, title, errors }: JsonObject): string[] {
  const first = text(detail) ?? text(title) ?? `the answer was ${status}`;
  const faults = Array.isArray(errors) ? errors.map(asObject).map(faultLine) : [];
  return [first, ...faults];
}

function faultLine(fault: JsonObject): string {
  const place = text(fault['parameter']) ?? text(fault['pointer'])?.replace(/^#\/?/, '') ?? '';
  const hint = text(fault['hint']);
  return `  ${[place, text(fault['message']), hint === undefined ? undefined : `→ ${hint}`].filter(Boolean).join('  ')}`;
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function asObject(value: unknown): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return value as JsonObject; // it came out of JSON.parse
}

const LARGEST_PART = 200;

const MAX_ANSWER = 16 * 1_048_576;
