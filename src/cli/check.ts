import { resolve } from 'node:path';
import { type Fault, faultsToJson, renderFaults } from '../config/faults.ts';
import type { Finding } from '../config/finding.ts';
import { securityFindings } from '../config/findings.ts';
import { loadConfig } from '../config/load.ts';
import { type CommonOptions, type ExitCode, exitCodes, type ProgramFacts } from './output.ts';

/** Reports every fault of a configuration; where it has none, what a security review would ask about. High findings fail. */
export async function check(
  options: CommonOptions & { readonly dev: boolean },
  facts: ProgramFacts,
): Promise<ExitCode> {
  const { out, err } = facts.terminal;
  const path = resolve(options.config);
  const loaded = await loadConfig(path, { env: facts.env, dev: options.dev });
  if (!loaded.ok) {
    if (options.json) out(JSON.stringify({ ok: false, ...faultsToJson(options.config, loaded.faults), findings: [] }));
    else err(renderFaults(options.config, loaded.faults).trimEnd());
    return exitCodes.refused;
  }
  const findings = securityFindings(loaded.config, loaded.literalSecrets);
  const serious = findings.some((finding) => finding.severity === 'high');
  if (options.json)
    out(
      JSON.stringify({
        ok: !serious,
        file: options.config,
        faults: [],
        warnings: faultsToJson(options.config, loaded.warnings).faults,
        findings,
      }),
    );
  else for (const line of report(options.config, loaded.warnings, findings)) out(line);
  return serious ? exitCodes.refused : exitCodes.ok;
}

function report(file: string, warnings: readonly Fault[], findings: readonly Finding[]): string[] {
  const lines = [`${file} loads.`];
  for (const warning of warnings)
    lines.push(
      `  warning  ${warning.path}  ${warning.message}${warning.hint === undefined ? '' : `  → ${warning.hint}`}`,
    );
  for (const finding of findings)
    lines.push(
      `  ${finding.severity.padEnd(7)}  ${finding.path}  ${finding.message}  → ${finding.remedy}  [${finding.code}]`,
    );
  if (findings.length === 0) lines.push('  Nothing risky was found.');
  return lines;
}
