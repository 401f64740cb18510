import { checkApis } from './check-apis.ts';
import { checkListeners } from './check-listeners.ts';
import { checkRoutes } from './check-routes.ts';
import { checkUpstreams } from './check-upstreams.ts';
import type { ConfigParts } from './parse.ts';
import type { Findings, SemanticOptions } from './semantic-findings.ts';

/** Looks for what each part alone cannot show: names that clash or lead nowhere, settings that contradict each other. */
export function checkSemantics(parts: ConfigParts, options: SemanticOptions): Findings {
  const findings: Findings = { faults: [], warnings: [] };
  checkListeners(parts, options, findings);
  checkUpstreams(parts, findings);
  checkApis(parts, findings);
  checkRoutes(parts, findings);
  return findings;
}
