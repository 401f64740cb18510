import type { Json, JsonObject } from '../lib/json.ts';

/** A column of a table: its title and what stands in it. */
export interface Column {
  readonly title: string;
  readonly of: (row: JsonObject) => Json | undefined;
}

/** Rows under their titles, as wide as they need to be; one line where there are none. */
export function renderTable(columns: readonly Column[], rows: readonly JsonObject[], none: string): string[] {
  if (rows.length === 0) return [none];
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ of }) => cell(of(row))))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => [...(line[index] ?? '')].length)));
  return cells.map((line) =>
    line
      .map((text, index) => text + ' '.repeat(Math.max(0, (widths[index] ?? 0) - [...text].length)))
      .join('  ')
      .trimEnd(),
  );
}

/** The fields of one thing, a line each. */
export function renderFields(fields: Readonly<Record<string, Json | undefined>>): string[] {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `  ${name.padEnd(width)}  ${cell(value)}`);
}

/** What a listing says below its rows where there are more. */
export function moreHint(more: boolean, shown: number): string[] {
  return more ? [`The first ${shown} are shown; --limit shows more.`] : [];
}

/** As text of one line. Control and direction characters are written out: names come from elsewhere and must not steer the terminal. */
export function cell(value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  const text =
    typeof value === 'string'
      ? value
      : Array.isArray(value) && value.every((entry) => typeof entry !== 'object')
        ? value.join(' ')
        : JSON.stringify(value);
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
