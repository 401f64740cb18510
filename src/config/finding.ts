/** Something that loads but is risky, as `sallyport check` reports it. */
export interface Finding {
  /** Stable, for scripts that accept a finding knowingly. */
  readonly code: string;
  readonly severity: 'high' | 'medium' | 'low';
  /** Where in the file, such as `apis[0].cors`. */
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
}
