import type { RawFault } from './faults.ts';

/** What the semantic checks found; each check adds to it. */
export interface Findings {
  readonly faults: RawFault[];
  /** What works, but surely not as meant. */
  readonly warnings: RawFault[];
}

export interface SemanticOptions {
  /** Whether the gateway runs with --dev, where public listeners may speak plain text. */
  readonly dev: boolean;
}
