/** Part of a long listing, in the order of ids; `next` is the cursor of the part that follows, undefined for the last. */
export interface Page<Row> {
  readonly items: readonly Row[];
  readonly next: string | undefined;
}

export interface PageRequest {
  readonly limit: number;
  readonly after?: string | undefined;
}
