import { resolve } from 'node:path';
import { faultsToJson, renderFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { askGateway, NotRunning, type ReloadOutcome } from '../process/control-socket.ts';
import { type CommonOptions, type ExitCode, exitCodes, type ProgramFacts } from './output.ts';

/** Asks the gateway that runs on this configuration's data directory to load its file again. */
export async function reload(
  options: CommonOptions & { readonly dev: boolean },
  facts: ProgramFacts,
): Promise<ExitCode> {
  const { out, err } = facts.terminal;
  const loaded = await loadConfig(resolve(options.config), { env: facts.env, dev: options.dev });
  if (!loaded.ok) {
    if (options.json) out(JSON.stringify({ ok: false, ...faultsToJson(options.config, loaded.faults) }));
    else
      err(
        `${renderFaults(options.config, loaded.faults)}Nothing was reloaded: the running gateway keeps its configuration.`,
      );
    return exitCodes.refused;
  }
  try {
    const outcome = await askGateway<ReloadOutcome>(loaded.config.dataDir, 'POST', '/reload');
    if (options.json) out(JSON.stringify(outcome));
    else if (outcome.ok) out(`Configuration ${outcome.generation} is in force.`);
    else for (const line of [...outcome.faults, 'The configuration before stays in force.']) err(line);
    return outcome.ok ? exitCodes.ok : exitCodes.refused;
  } catch (error) {
    if (!(error instanceof NotRunning)) throw error;
    if (options.json) out(JSON.stringify({ ok: false, faults: [error.message] }));
    else err(`${error.message}; start one with: sallyport start --config ${options.config}`);
    return exitCodes.notRunning;
  }
}
