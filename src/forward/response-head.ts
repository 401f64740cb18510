import { trimBlanks } from '../lib/field-lines.ts';
import { HeaderList } from '../lib/header-list.ts';
import { isHopByHop, isToken, nominatedFields } from '../lib/http-fields.ts';
import { bySpelling } from '../lib/spellings.ts';

/** Why an upstream's bytes are no HTTP/1.1 response; it goes to the log, never to a client. */
export class BadResponse extends Error {
  override readonly name = 'BadResponse';
}

/** The fields of a head, read in one pass. Several of one name are one list (RFC 9110 §5.3). */
export class ResponseFields {
  /** What is meant for the client: all but the fields of the connection (RFC 9110 §7.6.1). A length still tells, so it is among them. */
  readonly endToEnd: HeaderList;
  connection: string | undefined = undefined;
  keepAlive: string | undefined = undefined;
  transferEncoding: string | undefined = undefined;
  contentLength: string | undefined = undefined;
  contentType: string | undefined = undefined;

  constructor(endToEnd: HeaderList) {
    this.endToEnd = endToEnd;
  }
}

/** Throws BadResponse where a head holds anything but lines: see LINES. It ends with its last line. */
export function checkLines(text: string): void {
  if (!LINES.test(text))
    throw new BadResponse('a control character, a bare CR or LF, or a folded line in the response head');
}

/** Where the line that begins at `from` ends, in a head that was checked. */
export function endOfLine(text: string, from: number): number {
  return text.indexOf('\r\n', from);
}

/** The status; throws BadResponse. */
export function parseStatusLine(line: string): number {
  const status = STATUS_LINE.test(line) ? Number(line.slice(9, 12)) : 0;
  if (status < 100 || status > 599) throw new BadResponse('a malformed status line');
  return status;
}

/** The fields of a head that was checked, from `from` on; throws BadResponse. */
export function parseFields(text: string, from: number): ResponseFields {
  const raw: string[] = [];
  const fields = new ResponseFields(new HeaderList(raw));
  let count = 0;
  for (let at = from; at < text.length; ) {
    const end = endOfLine(text, at);
    const colon = text.indexOf(':', at);
    if (colon < 0 || colon >= end) throw new BadResponse('a header line without a colon');
    const { name, noted, endToEnd } = fieldName(text.slice(at, colon));
    const value = trimBlanks(text, colon + 1, end);
    if (noted !== undefined) fields[noted] = fields[noted] === undefined ? value : `${fields[noted]}, ${value}`;
    if (endToEnd) raw.push(name, value);
    count += 1;
    if (count > MAX_FIELDS) throw new BadResponse(`more than ${MAX_FIELDS} header fields`);
    at = end + 2;
  }
  if (fields.connection !== undefined) removeNominated(fields.endToEnd, fields.connection);
  return fields;
}

/** What the parser knows of a name as it was written; throws BadResponse. */
const fieldName = bySpelling((name) => {
  if (!isToken(name)) throw new BadResponse('a malformed field name');
  return { name, noted: NOTED.get(name.toLowerCase()), endToEnd: !isHopByHop(name) };
});

type Noted = Exclude<keyof ResponseFields, 'endToEnd'>;

const NOTED: ReadonlyMap<string, Noted> = new Map([
  ['connection', 'connection'],
  ['content-length', 'contentLength'],
  ['content-type', 'contentType'],
  ['keep-alive', 'keepAlive'],
  ['transfer-encoding', 'transferEncoding'],
]);

function removeNominated(headers: HeaderList, connection: string): void {
  for (const name of nominatedFields(connection)) headers.remove(name);
}

/** Bytes; throws BadResponse. */
export function parseContentLength(value: string): number {
  if (!/^[0-9]{1,15}$/.test(value)) throw new BadResponse('a malformed Content-Length, or several');
  return Number(value);
}

const MAX_FIELDS = 256;
const STATUS_LINE = /^HTTP\/1\.[01] [1-9][0-9]{2}(?: [^\r\n]*)?$/;
/** Lines of the octets a field may hold (RFC 9110 §5.5), each ended by CR LF; a line that begins with a blank is a folded one. */
const LINES = /^(?:[\x21-\x7e\x80-\xff][\t\x20-\x7e\x80-\xff]*\r\n)*$/;
