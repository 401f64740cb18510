import { type Command, Option } from 'commander';
import { NotRunning } from '../process/control-socket.ts';
import { type AdminClient, AdminRefused, createAdminClient } from './admin-client.ts';
import { ConfigFaulty, type ConnectionOptions, connectAdmin, NoConnection } from './admin-connection.ts';
import { Declined } from './ask.ts';
import { type ExitCode, exitCodes, type ProgramFacts } from './output.ts';

/** What `program.ts` gives to each group of commands. */
export interface CommandHost {
  readonly program: Command;
  readonly facts: ProgramFacts;
  /** Keeps the exit code of what it runs. */
  readonly run: <Args extends unknown[]>(
    action: (...args: Args) => Promise<ExitCode> | ExitCode,
  ) => (...args: Args) => Promise<void>;
}

export type AdminOptions = ConnectionOptions & { readonly json: boolean };

/** What a command over the admin API has at hand. */
export interface AdminSession {
  readonly client: AdminClient;
  readonly facts: ProgramFacts;
  /** Prints the first for machines, or the lines for people. */
  print(forMachines: object, forPeople: readonly string[]): void;
}

/** A group such as `keys`. */
export function commandGroup(host: CommandHost, name: string, description: string): Command {
  return host.program.command(name).description(description);
}

/** A command that talks to a running gateway, with the options all of them have. Its action is added by `act`. */
export function adminCommand(group: Command, name: string, description: string): Command {
  return group
    .command(name)
    .description(description)
    .addOption(new Option('-c, --config <file>', 'the configuration file of the gateway').default('sallyport.yaml'))
    .addOption(new Option('--dev', 'load that file as a development configuration').default(false))
    .addOption(new Option('--data-dir <directory>', 'the data directory of the gateway, instead of --config'))
    .addOption(
      new Option('--url <url>', 'an internal listener of a gateway elsewhere; the key comes from SALLYPORT_ADMIN_KEY'),
    )
    .addOption(new Option('--ca <file>', 'with --url: the certificates that vouch for the gateway, PEM'))
    .addOption(new Option('--client-cert <file>', 'with --url: a certificate to show, PEM'))
    .addOption(new Option('--client-key <file>', 'with --url: the private key of that certificate, PEM'))
    .addOption(new Option('--json', 'print JSON for machines').default(false));
}

export type AdminAction<Options> = (
  session: AdminSession,
  options: Options,
  args: readonly string[],
) => Promise<ExitCode | undefined>;

/** What a command can do without a gateway; undefined where it needs one after all. */
export type OfflineAction<Options> = (options: Options, print: AdminSession['print']) => Promise<ExitCode | undefined>;

/** Runs the action of a command, and says in one place what can go wrong with any of them. */
export function act<Options extends AdminOptions = AdminOptions>(
  host: CommandHost,
  command: Command,
  action: AdminAction<Options>,
  offline: OfflineAction<Options> = async () => undefined,
): void {
  command.action(
    host.run(async (): Promise<ExitCode> => {
      const options = command.opts<Options>();
      const { facts } = host;
      const print: AdminSession['print'] = (forMachines, forPeople) => {
        if (options.json) facts.terminal.out(JSON.stringify(forMachines));
        else for (const line of forPeople) facts.terminal.out(line);
      };
      try {
        const code = await offline(options, print);
        if (code !== undefined) return code;
        const client = createAdminClient(await connectAdmin(options, facts));
        const args = command.processedArgs.filter((arg) => arg !== undefined).map(String);
        return (await action({ client, facts, print }, options, args)) ?? exitCodes.ok;
      } catch (error) {
        return explain(error, options, facts);
      }
    }),
  );
}

function explain(error: unknown, options: AdminOptions, { terminal }: ProgramFacts): ExitCode {
  const known = codeOf(error);
  if (known === undefined || !(error instanceof Error)) throw error;
  const hint =
    error instanceof NotRunning && options.url === undefined
      ? `${error.message}; start one with: sallyport start --config ${options.config}`
      : error.message;
  if (options.json)
    terminal.out(
      JSON.stringify({ ok: false, ...(error instanceof AdminRefused ? error.problem : { detail: error.message }) }),
    );
  else terminal.err(hint);
  return known;
}

function codeOf(error: unknown): ExitCode | undefined {
  if (error instanceof AdminRefused) return error.status >= 500 ? exitCodes.failure : exitCodes.refused;
  if (error instanceof ConfigFaulty) return exitCodes.refused;
  if (error instanceof NotRunning) return exitCodes.notRunning;
  if (error instanceof NoConnection || error instanceof Declined) return exitCodes.usage;
  return undefined;
}
