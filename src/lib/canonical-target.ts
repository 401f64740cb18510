/** A request target after its one normalisation: match, policies and forward all use these strings. */
export interface CanonicalTarget {
  /** Absolute path, percent-encoding normalised; never holds dot segments or empty inner segments. */
  readonly path: string;
  /** The query without its `?`, byte for byte as sent; undefined where there was no `?`. */
  readonly query: string | undefined;
  /** True where the path holds %2F, %5C, %23, %3F, %3B or %25 followed by two hex digits; a route must opt in to those. */
  readonly encodedDelimiters: boolean;
}
