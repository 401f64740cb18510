import type { Command } from 'commander';
import { isKeyEnvironment, makeApiKey } from '../lib/api-key.ts';
import type { CommandHost } from './admin-command.ts';
import { exitCodes } from './output.ts';

/** `sallyport keys generate`: a key for a configuration that declares its consumers. No gateway is asked and nothing is stored. */
export function registerKeyGenerate({ facts, run }: CommandHost, group: Command): void {
  group
    .command('generate')
    .description('print a key for `consumers` of a configuration; it is stored nowhere')
    .option('--environment <name>', 'such as live or test; it stands in the key', 'live')
    .option('--json', 'print JSON for machines', false)
    .action(
      run(({ environment, json }: { readonly environment: string; readonly json: boolean }) => {
        if (!isKeyEnvironment(environment)) {
          facts.terminal.err(
            `--environment ${JSON.stringify(environment)} is none; write 1 to 12 of a-z and 0-9, such as live`,
          );
          return exitCodes.usage;
        }
        const { key, id } = makeApiKey(environment);
        // Alone on its line, so that it can go straight into a secret store.
        facts.terminal.out(json ? JSON.stringify({ key, id, environment }) : key);
        return exitCodes.ok;
      }),
    );
}
