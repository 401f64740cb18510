import type { Page, PageRequest } from '../page.ts';

/** The most rows of one page, whatever is asked for. */
const PAGE_BOUND = 1_000;

/** How many rows to read for a page: one more than it has, to know whether another follows. */
export function rowsToRead(page: { readonly limit: number }): number {
  return sizeOf(page) + 1;
}

/** Makes the page of rows that were read with `rowsToRead`; the cursor is that of the last row on it. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  page: Pick<PageRequest, 'limit'>,
  parts: { readonly cursor: (row: Row) => string; readonly item: (row: Row) => Item },
): Page<Item> {
  const size = sizeOf(page);
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  const next = rows.length > size && last !== undefined ? parts.cursor(last) : undefined;
  return { items: shown.map(parts.item), next };
}

function sizeOf(page: { readonly limit: number }): number {
  if (!Number.isInteger(page.limit) || page.limit < 1) throw new RangeError('The limit of a page is 1 or more.');
  return Math.min(page.limit, PAGE_BOUND);
}
