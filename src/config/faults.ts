/** Where a value stands in the configuration: keys and indexes from the root. */
export type Path = readonly (string | number)[];

/** One thing that is wrong with a configuration file, as a person is told of it. Nothing in it comes from a secret reference. */
export interface Fault {
  /** Such as `apis[0].routes[2].match`; empty for the file as a whole. */
  readonly path: string;
  /** Counted from 1; undefined where the file has no lines to speak of (a TypeScript file). */
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly message: string;
  /** What would be right. */
  readonly hint: string | undefined;
  /** The source line; undefined where there is none or it may hold a secret. */
  readonly excerpt: string | undefined;
}

/** A fault as a check finds it, before it is given its place in the text. */
export interface RawFault {
  readonly path: Path;
  readonly message: string;
  readonly hint: string | undefined;
  /** The value the message is about; it is put in front of the message, unless it is a secret. */
  readonly subject?: unknown;
  /** True where the fault lies in the key, not in its value. */
  readonly atKey?: boolean;
  /** A place in the text known better than by the path. */
  readonly offset?: number;
}

export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!/^[A-Za-z_][\w-]*$/.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** The faults as a report for a terminal, in the order given; each on one line, with its source line below where it may be shown. */
export function renderFaults(file: string, faults: readonly Fault[]): string {
  return faults.map((fault) => renderFault(file, fault)).join('');
}

/** The faults as plain data for machines. */
export function faultsToJson(
  file: string,
  faults: readonly Fault[],
): { readonly file: string; readonly faults: readonly object[] } {
  return {
    file,
    faults: faults.map(({ path, line, column, message, hint }) => ({ path, line, column, message, hint })),
  };
}

/** A fault on one line: `file:line:column  path  message  → hint`. */
export function faultLine(file: string, fault: Fault): string {
  const place = [file, fault.line, fault.column].filter((part) => part !== undefined).join(':');
  const parts = [place, fault.path, fault.message, fault.hint === undefined ? '' : `→ ${fault.hint}`];
  return visible(parts.filter((part) => part !== '').join('  '));
}

function renderFault(file: string, fault: Fault): string {
  const head = `${faultLine(file, fault)}\n`;
  if (fault.excerpt === undefined || fault.line === undefined || fault.column === undefined) return head;
  const margin = ' '.repeat(String(fault.line).length);
  const { text, caret } = clip(fault.excerpt, fault.column - 1);
  return `${head}  ${fault.line} | ${visible(text)}\n  ${margin} | ${' '.repeat(caret)}^\n`;
}

/** The part of a long line around the fault. */
function clip(line: string, column: number): { readonly text: string; readonly caret: number } {
  const start = column > WIDTH - 20 ? column - 40 : 0;
  return { text: line.slice(start, start + WIDTH), caret: column - start };
}

/** Control and direction characters written out, so that a file cannot steer the terminal its faults are shown on. */
function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character === '\t' ? ' ' : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

const WIDTH = 110;
