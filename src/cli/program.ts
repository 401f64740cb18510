import { Command, Option } from 'commander';
import { registerAudit } from './audit.ts';
import { check } from './check.ts';
import { registerClients } from './clients.ts';
import { registerConsumers } from './consumers.ts';
import { explain } from './explain.ts';
import { init } from './init.ts';
import { registerKeys } from './keys.ts';
import { type ExitCode, exitCodes, type ProgramFacts } from './output.ts';
import { reload } from './reload.ts';
import { registerSessions } from './sessions.ts';
import { registerSigningKeys } from './signing-keys.ts';
import { start } from './start.ts';
import { registerUsers } from './users.ts';
import { version } from './version.ts';

/** Runs one command line and resolves with the exit code of the process. */
export async function runCommand(argv: readonly string[], facts: ProgramFacts): Promise<ExitCode> {
  let code: ExitCode = exitCodes.ok;
  const run =
    <Args extends unknown[]>(action: (...args: Args) => Promise<ExitCode> | ExitCode) =>
    async (...args: Args): Promise<void> => {
      code = await action(...args);
    };

  const program = new Command('sallyport')
    .description('The guarded double door before your APIs.')
    .configureOutput({
      writeOut: (text) => facts.terminal.out(text.trimEnd()),
      writeErr: (text) => facts.terminal.err(text.trimEnd()),
    })
    .exitOverride();

  program
    .command('init')
    .description('write a configuration file that loads, from the URL of an API or its OpenAPI file')
    .option('--upstream <url>', 'where the API runs, such as http://127.0.0.1:4000')
    .option(
      '--openapi <file>',
      'the OpenAPI description of the API; its first server is the upstream unless --upstream is given',
    )
    .option('--name <name>', 'the name of the API')
    .option('--path <path>', 'the path under which it is published')
    .option('--host <host>', 'the host it answers to')
    .option('--output <file>', 'the file to write', 'sallyport.yaml')
    .option('--force', 'overwrite the file if it is there', false)
    .option('--yes', 'ask nothing; take what the flags say and the defaults', false)
    .addOption(json())
    .action(run((options) => init(options, facts)));

  program
    .command('start')
    .description('run the gateway')
    .addOption(config())
    .option('--dev', 'development: public listeners may speak plain text', false)
    .action(run((options) => start(options, facts)));

  program
    .command('check')
    .description('find faults in the configuration, and what is risky in it')
    .addOption(config())
    .option('--dev', 'judge it as a development configuration', false)
    .addOption(json())
    .action(run((options) => check(options, facts)));

  program
    .command('explain')
    .description('show which route a request takes, its policies in order and why')
    .argument('<method>', 'such as GET')
    .argument('<url>', 'a full URL, or a path')
    .option('--listener <name>', 'the listener it comes in through; the first public one otherwise')
    .option('--header <field...>', 'a header of the request, as "Name: value"')
    .option('--dev', 'load it as a development configuration', false)
    .addOption(config())
    .addOption(json())
    .action(run((method, url, options) => explain({ ...options, method, url }, facts)));

  program
    .command('reload')
    .description('have the running gateway take up its configuration file; nothing changes where it has faults')
    .addOption(config())
    .option('--dev', 'load it as a development configuration', false)
    .addOption(json())
    .action(run((options) => reload(options, facts)));

  const host = { program, facts, run };
  for (const register of adminGroups) register(host);

  program
    .command('version')
    .description('print the version')
    .addOption(json())
    .action(run((options) => version(options, facts)));

  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    // commander throws for --help too, with exit code 0.
    if (error instanceof Error && 'exitCode' in error) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    facts.terminal.err(`sallyport: ${error instanceof Error ? error.message : String(error)}`);
    return exitCodes.failure;
  }
}

function config(): Option {
  return new Option('-c, --config <file>', 'the configuration file').default('sallyport.yaml');
}

function json(): Option {
  return new Option('--json', 'print JSON for machines').default(false);
}

/** Commands over the admin API of a running gateway, in the order of the help. */
const adminGroups = [
  registerConsumers,
  registerKeys,
  registerClients,
  registerUsers,
  registerSessions,
  registerSigningKeys,
  registerAudit,
] as const;
