import type { IncomingMessage } from 'node:http';

/** More than any single thing of the admin API needs. */
const MAX_BODY_BYTES = 1_048_576;

const MAX_DEPTH = 16;

/** Keys that could reach a prototype where somebody copies an object carelessly (attack 17). */
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

export type BodyOutcome =
  | { readonly value: unknown }
  | { readonly fault: 'too-large' | 'malformed'; readonly detail: string };

/** Reads a whole JSON body within its bound. It rejects only where the connection broke. */
export async function readJsonBody(request: IncomingMessage): Promise<BodyOutcome> {
  const parts: Buffer[] = [];
  let size = 0;
  // Giving up must not break the connection: the refusal has to arrive.
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    const bytes: Buffer = part;
    size += bytes.length;
    if (size > MAX_BODY_BYTES)
      return { fault: 'too-large', detail: `A body may have ${MAX_BODY_BYTES} bytes; nothing was changed.` };
    parts.push(bytes);
  }
  return parseJson(Buffer.concat(parts));
}

/** JSON as RFC 8259 has it, in UTF-8, of bounded depth and without keys that could reach a prototype. */
export function parseJson(bytes: Uint8Array): BodyOutcome {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The message of the parser quotes the text, which may hold a secret.
    return { fault: 'malformed', detail: 'The body is not JSON in UTF-8.' };
  }
  return examine(value) ?? { value };
}

/** A walk without recursion: what is nested deeply cannot exhaust the stack (attack 30). */
function examine(root: unknown): BodyOutcome | undefined {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH)
      return { fault: 'malformed', detail: `The body is nested more than ${MAX_DEPTH} levels deep.` };
    const below: unknown[] = [];
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue;
      for (const [key, child] of Object.entries(value)) {
        if (PROTOTYPE_KEYS.has(key)) return { fault: 'malformed', detail: `The key ${key} cannot be used.` };
        if (typeof child === 'object' && child !== null) below.push(child);
      }
    }
    level = below;
  }
  return undefined;
}
