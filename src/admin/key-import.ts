import { z } from 'zod';
import { keyRecord, rightsOf } from '../identity/key-keeper.ts';
import { type KeyFault, keyRequestSchema, readRequest } from '../identity/key-request.ts';
import { isKeyId, isSecretHash, makeApiKey } from '../lib/api-key.ts';
import { type ApiKey, Conflict, NotFound } from '../stores/stores.ts';
import { type Call, eventOf, streamAction } from './action.ts';
import type { RequestFault } from './admin-problems.ts';
import { replyLines } from './admin-reply.ts';
import { findConsumer } from './consumers.ts';
import { rulesOf } from './keys.ts';
import { parseJson } from './read-body.ts';
import { readLines } from './read-lines.ts';
import { pointerOf } from './request-faults.ts';

/**
 * Reads lines as they come and answers lines as they are done: of each key made its text, of each line that cannot be its
 * faults, and how far it is. A part is stored whole or not at all, and what was answered is on disk. The last line says
 * `done`; where it is missing the import broke off.
 */
export const importKeys = streamAction(async (call) => replyLines(importAll(call)));

async function* importAll(call: Call): AsyncGenerator<object> {
  const consumers = new Map<string, string>();
  let part: Candidate[] = [];
  let created = 0;
  let refused = 0;
  let lines = 0;

  for await (const { text } of readLines(call.request, MAX_LINE_BYTES)) {
    lines += 1;
    if (text?.length === 0) continue;
    const candidate = await readCandidate(call, { bytes: text, line: lines, consumers });
    if ('errors' in candidate) {
      refused += 1;
      yield candidate;
    } else part.push(candidate);
    if (part.length < PART_SIZE) continue;
    const results = await storePart(call, part);
    part = [];
    created += results.filter((result) => 'id' in result).length;
    refused += results.filter((result) => 'errors' in result).length;
    yield* results;
    yield { progress: { lines, created, refused } };
  }
  const results = await storePart(call, part);
  created += results.filter((result) => 'id' in result).length;
  refused += results.filter((result) => 'errors' in result).length;
  yield* results;
  yield { done: { lines, created, refused } };
}

interface Candidate {
  readonly line: number;
  readonly key: ApiKey;
  /** Undefined for a key that was made elsewhere. */
  readonly text: string | undefined;
}

interface LineFaults {
  readonly line: number;
  readonly errors: readonly RequestFault[];
}

/** What a line has beside the fields of any new key. With `id` and `hash` it moves a key that is in use elsewhere. */
const lineSchema = z
  .looseObject({
    consumer: z.string().max(128),
    id: z.string().refine(isKeyId).optional(),
    hash: z.string().refine(isSecretHash).optional(),
  })
  .refine(({ id, hash }) => (id === undefined) === (hash === undefined));

async function readCandidate(
  call: Call,
  from: {
    readonly bytes: Uint8Array | undefined;
    readonly line: number;
    /** Ids of those met so far by what the lines call them: most lines name the one of the line before. */
    readonly consumers: Map<string, string>;
  },
): Promise<Candidate | LineFaults> {
  const { bytes, line, consumers } = from;
  const fault = (pointer: string, message: string, hint: string): LineFaults => ({
    line,
    errors: [{ pointer, message, hint }],
  });
  if (bytes === undefined) return fault('#', 'is too long', `at most ${MAX_LINE_BYTES} bytes`);
  const body = parseJson(bytes);
  if ('fault' in body) return fault('#', 'cannot be read', body.detail);
  const parsed = lineSchema.safeParse(body.value);
  if (!parsed.success)
    return fault('#', 'is no line of an import', 'give consumer and name; id and hash of a key only together');

  const { consumer: name, id, hash, ...request } = parsed.data;
  const consumerId = consumers.get(name) ?? (await findConsumer(call, name))?.id;
  if (consumerId === undefined) return fault('#/consumer', 'is no consumer', 'create it first');
  if (consumers.size >= MAX_KNOWN_CONSUMERS) consumers.clear();
  consumers.set(name, consumerId);

  const rules = rulesOf(call);
  const now = call.services.now();
  if (Object.hasOwn(request, 'consumerId')) return fault('#/consumerId', 'is no field here', 'write consumer');
  const read = readRequest(keyRequestSchema, { ...request, consumerId }, { ...rules, now });
  if (read.faults !== undefined) return { line, errors: read.faults.map(requestFault) };
  const rights = rightsOf(read.request, now);
  const { environment } = read.request;
  if (id !== undefined && hash !== undefined)
    return {
      line,
      key: keyRecord(rights, { environment, id, secretHash: hash }, { source: 'admin', now }),
      text: undefined,
    };
  const { key: text, ...made } = makeApiKey(environment);
  return { line, key: keyRecord(rights, made, { source: 'admin', now }), text };
}

/** One transaction and one audit record a part; where one key stands in the way of all, each goes by itself. */
async function storePart(call: Call, part: readonly Candidate[]): Promise<readonly object[]> {
  if (part.length === 0) return [];
  try {
    await insert(call, part);
    return part.map(told);
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  const results: object[] = [];
  for (const candidate of part) {
    try {
      await insert(call, [candidate]);
      results.push(told(candidate));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const message = error instanceof Conflict ? 'has an id that is taken' : 'names a consumer that is gone';
      results.push({ line: candidate.line, errors: [{ message }] });
    }
  }
  return results;
}

function insert(call: Call, part: readonly Candidate[]): Promise<void> {
  const ids = part.map(({ key }) => key.id);
  const [first] = ids;
  const subject = part.length === 1 && first !== undefined ? `key:${first}` : '';
  return call.services.records.keys.insert(
    part.map(({ key }) => key),
    [eventOf(call, 'key.imported', subject, { count: part.length, ids })],
  );
}

function told({ line, key, text }: Candidate): object {
  return { line, id: key.id, ...(text === undefined ? {} : { key: text }) };
}

function requestFault({ path, message, hint }: KeyFault): RequestFault {
  return { pointer: pointerOf(path), message, ...(hint === undefined ? {} : { hint }) };
}

function isRefusal(error: unknown): boolean {
  return error instanceof Conflict || error instanceof NotFound;
}

const MAX_LINE_BYTES = 65_536;

const PART_SIZE = 500;

const MAX_KNOWN_CONSUMERS = 10_000;
