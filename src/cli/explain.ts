import { resolve } from 'node:path';
import { type Explanation, explainRequest } from '../config/explain.ts';
import { faultsToJson, renderFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { type CommonOptions, type ExitCode, exitCodes, type ProgramFacts } from './output.ts';

export interface ExplainOptions extends CommonOptions {
  readonly method: string;
  readonly url: string;
  readonly listener?: string;
  readonly header?: readonly string[];
  readonly dev: boolean;
}

/** Shows the road one request would take through a configuration, without sending it. */
export async function explain(options: ExplainOptions, facts: ProgramFacts): Promise<ExitCode> {
  const { out, err } = facts.terminal;
  const loaded = await loadConfig(resolve(options.config), { env: facts.env, dev: options.dev });
  if (!loaded.ok) {
    if (options.json) out(JSON.stringify({ outcome: 'not loaded', ...faultsToJson(options.config, loaded.faults) }));
    else err(renderFaults(options.config, loaded.faults).trimEnd());
    return exitCodes.refused;
  }
  const wrong = wrongArgument(options, loaded.config);
  if (wrong !== undefined) {
    err(wrong);
    return exitCodes.usage;
  }
  const explanation = explainRequest(loaded.config, loaded.customPolicies, {
    method: options.method.toUpperCase(),
    url: options.url,
    listener: options.listener,
    headers: (options.header ?? []).flatMap((field) => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon).trim(), field.slice(colon + 1).trim()];
    }),
  });
  if (options.json) out(JSON.stringify(explanation));
  else for (const line of render(explanation)) out(line);
  return exitCodes.ok;
}

/** What cannot be asked; an answer to half a question would mislead. */
function wrongArgument({ header, listener }: ExplainOptions, config: GatewayConfig): string | undefined {
  const noField = (header ?? []).find((field) => !/^[!#$%&'*+.^_`|~\w-]+:/.test(field));
  if (noField !== undefined) return `--header ${JSON.stringify(noField)} is no field; write "Name: value"`;
  const names = config.listeners.map(({ name }) => name);
  if (listener === undefined || names.includes(listener)) return undefined;
  return `no listener is called ${JSON.stringify(listener)}; there are ${names.join(', ')}`;
}

function render(explanation: Explanation): string[] {
  const lines = [explanation.request];
  if (explanation.outcome !== 'matched')
    return [
      ...lines,
      `  ${explanation.outcome}: ${explanation.why}`,
      ...explanation.near.map((near) => `  near: ${near}`),
    ];
  const { route, steps } = explanation;
  lines.push(`  listener   ${explanation.listener}`);
  lines.push(`  route      ${route.api} / ${route.name}   (${route.published})`);
  for (const [name, value] of Object.entries(explanation.params)) lines.push(`  parameter  ${name} = ${value}`);
  const width = Math.max(0, ...steps.map((step) => `${step.policy}.${step.hook}`.length));
  const list = (on: 'request' | 'reply'): string[] =>
    steps
      .filter((step) => step.on === on)
      .map((step) => `    ${step.phase.padEnd(9)}  ${`${step.policy}.${step.hook}`.padEnd(width)}  ${step.reason}`);
  lines.push('  request', ...list('request'), `  forward    ${route.upstream}`, '  reply', ...list('reply'));
  return lines;
}
