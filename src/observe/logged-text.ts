import { type QueryRedactor, redactText } from './redact.ts';

/** Long values are cut, so that a line fits into one write of a pipe. In UTF-16 units, as all lengths here. */
const MAX_TEXT = 512;
const MAX_DETAIL = 1024;
/** How much of a text is looked through for credentials; what lies beyond is cut. */
const MAX_SEARCHED = 8192;

/** A text as it may stand in a line of the access log: what is too long ends with `…`. */
export function loggedText(text: string): string {
  return cut(text, MAX_TEXT);
}

export function loggedPath(path: string): string {
  return cut(redactText(path), MAX_TEXT);
}

export function loggedQuery(query: string, redactQuery: QueryRedactor): string {
  return cut(redactQuery(query), MAX_TEXT);
}

export function loggedReferer(referer: string, redactQuery: QueryRedactor): string {
  const mark = referer.indexOf('?');
  const bare = redactText(mark < 0 ? referer : referer.slice(0, mark));
  return cut(mark < 0 ? bare : `${bare}?${redactQuery(referer.slice(mark + 1))}`, MAX_TEXT);
}

/** Redacted before it is cut: a credential that is cut in two might not be known for one. */
export function loggedDetail(detail: string): string {
  return cut(redactText(cut(detail, MAX_SEARCHED)), MAX_DETAIL);
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

/** Milliseconds to the microsecond. */
export function loggedMs(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
