import { z } from 'zod';
import { isToken } from '../lib/http-fields.ts';

/** A configuration option that holds the name of a header field (RFC 9110 §5.1); it parses to lower case, since case does not count. */
export function fieldNameOption() {
  return z
    .string()
    .meta({ examples: ['X-Api-Version'] })
    .transform((name, context) => {
      // `*` is a token, and in the CORS fields it even has a meaning: nobody who writes it means a field of that name.
      if (isToken(name) && !name.includes('*')) return name.toLowerCase();
      const hint = 'write letters, digits and -, such as X-Api-Version; each field by its own name, without wildcards';
      context.issues.push({ code: 'custom', message: 'is not a header field name', input: name, params: { hint } });
      return z.NEVER;
    });
}

/** A configuration option that holds a request method. Methods are case-sensitive (RFC 9110 §9.1). */
export function methodOption() {
  return z
    .string()
    .meta({ examples: ['GET', 'PATCH'] })
    .transform((method, context) => {
      if (METHOD.test(method)) return method;
      const upper = method.toUpperCase();
      const hint = METHOD.test(upper)
        ? `write ${upper}: case counts in methods`
        : 'write a method such as GET or PATCH';
      context.issues.push({ code: 'custom', message: 'is not a request method', input: method, params: { hint } });
      return z.NEVER;
    });
}

/** A configuration option that holds the value of a header field. The value is not repeated in the fault: it may be a secret. */
export function fieldValueOption(examples: string[]) {
  return z
    .string()
    .min(1)
    .meta({ examples })
    .superRefine((text, context) => {
      if (isFieldValue(text)) return;
      const message = 'The value has characters a header field cannot hold';
      context.addIssue({ code: 'custom', message, params: { hint: FIELD_VALUE_HINT } });
    });
}

/**
 * True for a value every recipient reads alike: visible ASCII, spaces and tabs only inside. CR, LF and NUL would end the
 * field and begin another (RFC 9110 §5.5, attack 23); obs-text means something else to each reader (attack 16).
 */
export function isFieldValue(text: string): boolean {
  return FIELD_VALUE.test(text);
}

const METHOD = /^[A-Z][A-Z-]*$/;

export const FIELD_VALUE_HINT = 'write printable ASCII on one line, without a space at either end';

const FIELD_VALUE = /^(?:[!-~](?:[\t -~]*[!-~])?)?$/;
