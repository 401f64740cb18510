import { HeaderList } from '../lib/header-list.ts';
import { isToken } from '../lib/http-fields.ts';

/** Why an upstream's bytes are no HTTP/1.1 response; it goes to the log, never to a client. */
export class BadResponse extends Error {
  override readonly name = 'BadResponse';
}

/** Where the line that begins at `from` ends. */
export function endOfLine(text: string, from: number): number {
  const at = text.indexOf('\r\n', from);
  return at < 0 ? text.length : at;
}

/** The status; throws BadResponse. */
export function parseStatusLine(line: string): number {
  const match = STATUS_LINE.exec(line);
  const status = match === null ? 0 : Number(match[1]);
  if (status < 100 || status > 599) throw new BadResponse('a malformed status line');
  return status;
}

/** The fields of a head or trailer section from `from` on; throws BadResponse. */
export function parseFields(text: string, from: number): HeaderList {
  const raw: string[] = [];
  for (let at = from; at < text.length; ) {
    const end = endOfLine(text, at);
    const colon = text.indexOf(':', at);
    if (colon < 0 || colon >= end) throw new BadResponse('a header line without a colon');
    const name = text.slice(at, colon);
    if (!isToken(name)) throw new BadResponse('a malformed field name');
    raw.push(name, trimOptionalSpace(text, colon + 1, end));
    if (raw.length > 2 * MAX_FIELDS) throw new BadResponse(`more than ${MAX_FIELDS} header fields`);
    at = end + 2;
  }
  return new HeaderList(raw);
}

/** Only SP and HTAB surround a value (RFC 9110 §5.6.3); String#trim would take more. */
function trimOptionalSpace(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Bytes; throws BadResponse. */
export function parseContentLength(value: string): number {
  if (!/^[0-9]{1,15}$/.test(value)) throw new BadResponse('a malformed Content-Length');
  return Number(value);
}

const MAX_FIELDS = 256;
const STATUS_LINE = /^HTTP\/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?$/;
