/** A breach of the rules of the house, at its place. */
export interface Violation {
  /** Relative to the root. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** What is wrong and what the rule is, in one sentence. */
  readonly message: string;
}
