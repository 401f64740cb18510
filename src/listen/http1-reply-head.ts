import { STATUS_CODES } from 'node:http';
import { lowerCaseName } from '../lib/http-fields.ts';
import { readReplyFields } from './reply-fields.ts';

/** A reply’s head as it stands on the wire, up to the fields that are about the connection. */
export interface ReplyHead {
  /** Latin-1; it ends with the CRLF of a field, and the blank line is still to be added. */
  readonly text: string;
  /** Bytes it declares, or -1. */
  readonly length: number;
}

/** Writes the status line and the end-to-end fields of a reply, and Date where it has none. Throws where a field is invalid. */
export function replyHead(status: number, headers: readonly string[]): ReplyHead {
  const { endToEnd, length, hasDate } = readReplyFields(headers);
  // RFC 9110 §8.6: no Content-Length in a 204.
  const fields = status === 204 && length >= 0 ? withoutLength(endToEnd) : endToEnd;
  return { text: `${statusLine(status)}${fieldLines(fields)}${hasDate ? '' : dateLine()}`, length };
}

/** Fields that have been read, as lines with their CRLF. */
export function fieldLines(fields: readonly string[]): string {
  let lines = '';
  for (let at = 0; at < fields.length; at += 2) lines += `${fields[at]}: ${fields[at + 1]}\r\n`;
  return lines;
}

function withoutLength(fields: readonly string[]): readonly string[] {
  return fields.filter((_, at) => lowerCaseName(fields[at & ~1] ?? '') !== 'content-length');
}

/** With its CRLF. */
export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
}

let writtenSecond = -1;
let written = '';

/** A busy gateway writes thousands of replies a second. */
function dateLine(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== writtenSecond) {
    writtenSecond = second;
    written = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return written;
}
