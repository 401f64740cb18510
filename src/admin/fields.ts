import { z } from 'zod';
import type { Json, JsonObject } from '../lib/json.ts';

/** A string of a certain form. The message goes on from the value, the hint says what would be right. */
export function textField(isRight: (text: string) => boolean, message: string, hint: string) {
  return z.string().superRefine((text, context) => {
    if (!isRight(text)) context.addIssue({ code: 'custom', message, params: { hint } });
  });
}

/** Names stand in logs, commands and paths, so their letters are few. */
export function nameField() {
  return textField(
    (text) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text) && !/^(con|usr|cli)_/.test(text),
    'is not a name',
    'write 1 to 64 of letters, digits, . _ and -, beginning with a letter or digit, and not like an id (con_, usr_, cli_)',
  );
}

/** What people note down beside a thing. The gateway keeps it and makes nothing of it. */
export function metadataField() {
  return z.record(z.string().max(128), z.json()).transform((value, context): JsonObject => {
    if (JSON.stringify(value).length <= MAX_METADATA) return asJsonObject(value);
    context.issues.push({
      code: 'custom',
      message: 'is too large',
      input: value,
      params: { hint: `at most ${MAX_METADATA} characters of JSON` },
    });
    return z.NEVER;
  });
}

/** RFC 3339 for people and programs; undefined stays undefined and is left out of the JSON. */
export function timeOf(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}

/** Leaves out what is undefined, so that what is shown is JSON. */
export function shown(fields: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, Json] => entry[1] !== undefined));
}

/** Without the fields that are undefined: an update leaves alone what it does not name. */
export function defined<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  // Object.fromEntries forgets the names; they are those of the argument.
  return Object.fromEntries(entries) as { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };
}

function asJsonObject(value: { readonly [key: string]: Json }): JsonObject {
  return value;
}

const MAX_METADATA = 8_192;
