import { resolve } from 'node:path';
import { ConfigRefused } from '../process/config-refused.ts';
import { AlreadyRunning } from '../process/control-socket.ts';
import type { RunningGateway } from '../process/supervisor.ts';
import { type CommonOptions, type ExitCode, exitCodes, type ProgramFacts } from './output.ts';

/** Runs the gateway until SIGTERM or SIGINT; SIGHUP loads the file again. A second SIGINT does not wait for requests in flight. */
export async function start(
  options: Pick<CommonOptions, 'config'> & { readonly dev: boolean },
  facts: ProgramFacts,
): Promise<ExitCode> {
  const { err } = facts.terminal;
  let gateway: RunningGateway;
  try {
    // The other commands do without half of the program.
    const { startSupervisor } = await import('../process/supervisor.ts');
    gateway = await startSupervisor({
      configPath: resolve(options.config),
      dev: options.dev,
      env: facts.env,
      version: facts.version,
      entry: facts.entry,
      showBootstrapKey(key) {
        err(`The first key of the admin API, shown this once: ${key}`);
        err('Keep it, or remove it once you have made others: sallyport keys revoke <its id>.');
      },
    });
  } catch (error) {
    if (error instanceof ConfigRefused) {
      for (const line of error.faults) err(line);
      return exitCodes.refused;
    }
    if (error instanceof AlreadyRunning) {
      err(error.message);
      return exitCodes.notRunning;
    }
    throw error;
  }
  if (gateway.trustHint !== undefined && process.stderr.isTTY)
    err(`A certificate of the local development CA is in use. To trust it: ${gateway.trustHint} <url>`);
  await untilToldToStop(gateway);
  await gateway.stop();
  return exitCodes.ok;
}

function untilToldToStop(gateway: RunningGateway): Promise<void> {
  return new Promise((resolveStop) => {
    let asked = 0;
    const stop = (): void => {
      asked += 1;
      if (asked > 1) process.exit(130);
      resolveStop();
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    process.on('SIGHUP', () => void gateway.reload());
  });
}
