import { MalformedMessage } from './malformed-message.ts';

/**
 * The field lines of a head or trailer section (RFC 9112 §5) from index `from` on, as a flat list of names and values.
 * `text` ends before the CRLF of the last line. Only the lines are told apart here: whether a name is a token and a value
 * free of control characters, a bare CR or LF among them, is for the caller to check. Throws MalformedMessage.
 */
export function splitFieldLines(text: string, from: number, mostFields: number): string[] {
  const fields: string[] = [];
  for (let at = from; at < text.length; ) {
    const next = text.indexOf('\r\n', at);
    const end = next < 0 ? text.length : next;
    const colon = text.indexOf(':', at);
    if (colon <= at || colon >= end) throw new MalformedMessage('a field line without a name and a colon');
    if (fields.length >= mostFields * 2) throw new MalformedMessage(`more than ${mostFields} fields`, true);
    fields.push(text.slice(at, colon), trimBlanks(text, colon + 1, end));
    at = end + 2;
  }
  return fields;
}

/** A part of a text without the SP and HTAB around it, which surround a value (RFC 9110 §5.6.3); String#trim would take more. */
export function trimBlanks(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
