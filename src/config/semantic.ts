import { checkApis } from './check-apis.ts';
import { checkListeners } from './check-listeners.ts';
import { checkRoutes } from './check-routes.ts';
import { checkUpstreams } from './check-upstreams.ts';
import type { RawFault } from './faults.ts';
import type { ConfigParts } from './parse.ts';

export interface Findings {
  readonly faults: RawFault[];
  /** What works, but surely not as meant. */
  readonly warnings: RawFault[];
}

export interface SemanticOptions {
  /** Whether the gateway runs with --dev, where public listeners may speak plain text. */
  readonly dev: boolean;
}

/** Looks for what each part alone cannot show: names that clash or lead nowhere, settings that contradict each other. */
export function checkSemantics(parts: ConfigParts, options: SemanticOptions): Findings {
  const findings: Findings = { faults: [], warnings: [] };
  checkListeners(parts, options, findings);
  checkUpstreams(parts, findings);
  checkApis(parts, findings);
  checkRoutes(parts, findings);
  return findings;
}
