import { z } from 'zod';
import { FIELD_VALUE_HINT, fieldNameOption, isFieldValue } from '../field-options.ts';
import { type Edit, type FieldRefusal, refuseField } from './field-names.ts';

/** A field to set. */
export interface Field {
  readonly name: string;
  readonly value: string;
}

export const headersConfig = z
  .strictObject({
    request: z
      .strictObject({
        set: fields({ message: 'request', action: 'set' }).describe(
          'Fields the upstream gets, by their names, instead of what the client sent.',
        ),
        remove: names({ message: 'request', action: 'remove' }).describe(
          'Fields of the client the upstream does not get.',
        ),
      })
      .prefault({})
      .describe('Edits to the request on its way to the upstream.'),
    reply: z
      .strictObject({
        set: fields({ message: 'reply', action: 'set' }).describe(
          'Fields the client gets, by their names, instead of what the upstream sent; problems of the gateway carry them too.',
        ),
        remove: names({ message: 'reply', action: 'remove' }).describe(
          'Fields of the upstream the client does not get.',
        ),
      })
      .prefault({})
      .describe('Edits to the reply on its way to the client.'),
  })
  .describe('Sets and removes header fields of requests and replies.');

export type HeadersConfig = z.output<typeof headersConfig>;

function fields(edit: Edit) {
  return z
    .record(z.string(), z.string())
    .transform((written, context) => {
      const read: Field[] = [];
      const seen = new Set<string>();
      for (const [name, value] of Object.entries(written)) {
        const refusal = refuseSetting(name, value, seen, edit);
        if (refusal === undefined) read.push({ name, value });
        // The fault shows the name only: the value may be a secret.
        else
          context.issues.push({
            code: 'custom',
            path: [name],
            input: name,
            message: refusal.message,
            params: { hint: refusal.hint },
          });
        seen.add(name.toLowerCase());
      }
      return read;
    })
    .prefault({});
}

function names(edit: Edit) {
  const name = fieldNameOption().superRefine((lower, context) => {
    const refusal = refuseField(lower, edit);
    if (refusal !== undefined)
      context.addIssue({ code: 'custom', message: refusal.message, params: { hint: refusal.hint } });
  });
  return z.array(name).prefault([]);
}

function refuseSetting(
  name: string,
  value: string,
  earlier: ReadonlySet<string>,
  edit: Edit,
): FieldRefusal | undefined {
  const named = fieldNameOption().safeParse(name);
  if (!named.success) return NOT_A_NAME;
  if (earlier.has(named.data)) return TWICE;
  if (!isFieldValue(value)) return NOT_A_VALUE;
  return refuseField(named.data, edit);
}

const NOT_A_NAME: FieldRefusal = {
  message: 'is not a header field name',
  hint: 'write letters, digits and -, such as X-Api-Version',
};

const TWICE: FieldRefusal = {
  message: 'is set twice: case does not count in field names',
  hint: 'keep one of them',
};

const NOT_A_VALUE: FieldRefusal = { message: 'has a value that a header field cannot hold', hint: FIELD_VALUE_HINT };
