import { escapedToAscii } from './whole-line.ts';

/** A text as it stands between the quotation marks of a JSON string, in printable ASCII. Most texts need but one look. */
export function jsonEscaped(text: string): string {
  return NOT_AS_IT_IS.test(text) ? escapedToAscii(JSON.stringify(text)).slice(1, -1) : text;
}

/** The quotation mark, the backslash, and all that is not printable ASCII. */
const NOT_AS_IT_IS = /[^\x20-\x21\x23-\x5b\x5d-\x7e]/;
