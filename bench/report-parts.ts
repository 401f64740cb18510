import { type Column, markdownTable } from './markdown-table.ts';
import type { Rows } from './results.ts';

/** A table, or why there is none, and what failed. */
export function body(table: Rows<unknown>, columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const parts: string[] = [];
  if (table.skipped !== undefined) parts.push(`Skipped: ${table.skipped}.`);
  if (rows.length > 0) parts.push(markdownTable(columns, rows));
  if (table.failures.length > 0) {
    parts.push(
      table.failures
        .map(({ peer, reason }) => `- ${peer}: **failed**: ${reason.replaceAll(/\s+/g, ' ').trim()}`)
        .join('\n'),
    );
  }
  return parts.join('\n\n');
}

export function left(title: string): Column {
  return { title, align: 'left' };
}

export function right(title: string): Column {
  return { title, align: 'right' };
}
