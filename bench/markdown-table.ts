export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** A Markdown table, padded so that its source reads as a table too. Throws where a row has not one cell a column. */
export function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  for (const row of rows) {
    if (row.length !== columns.length) throw new Error(`a row of ${row.length} cells for ${columns.length} columns`);
  }
  const cells = rows.map((row) => row.map(escapeCell));
  const widths = columns.map((column, at) =>
    Math.max(column.title.length, 3, ...cells.map((row) => row[at]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string => {
    const padded = row.map((cell, at) => {
      const width = widths[at] ?? 0;
      return columns[at]?.align === 'right' ? cell.padStart(width) : cell.padEnd(width);
    });
    return `| ${padded.join(' | ')} |`;
  };
  const rule = columns.map((column, at) => {
    const dashes = '-'.repeat((widths[at] ?? 3) - 1);
    return column.align === 'right' ? `${dashes}:` : `-${dashes}`;
  });
  return [line(columns.map((column) => column.title)), line(rule), ...cells.map(line)].join('\n');
}

/** A bar would start a new cell, a line break would end the table. */
function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ');
}
