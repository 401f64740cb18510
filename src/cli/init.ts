import { stat } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configText } from './config-template.ts';
import { type InitOptions, type InitPlan, planInit } from './init-plan.ts';
import { type ExitCode, exitCodes, type ProgramFacts } from './output.ts';
import { reachUpstream } from './reach-upstream.ts';
import { readOpenApi } from './read-openapi.ts';
import { writeConfig } from './write-config.ts';

/** Writes a configuration file for one API, asking on a terminal for what the flags leave open. */
export async function init(options: InitOptions, facts: ProgramFacts): Promise<ExitCode> {
  const file = resolve(options.output);
  const exists = await isThere(file);
  const asks = canAsk(options);
  if (exists && !options.force && !asks) {
    const fault = `${options.output} is there already; overwrite it with --force, or write another with --output`;
    return refuse([fault], exitCodes.usage, options, facts);
  }
  const answers = asks ? await (await import('./init-wizard.ts')).askInit(options, exists) : options;
  if (answers === undefined) return exitCodes.usage;

  const description = answers.openapi === undefined ? undefined : await readOpenApi(answers.openapi);
  if (typeof description === 'string') return refuse([description], exitCodes.refused, answers, facts);
  const planned = planInit(answers, description);
  if ('faults' in planned) return refuse(planned.faults, exitCodes.usage, answers, facts);

  const text = configText(planned.plan, schemaFor(file, facts.entry));
  const fault = await writeConfig({ file, text, overwrite: answers.force, env: facts.env });
  if (fault !== undefined) return refuse([fault], exitCodes.refused, answers, facts);
  const unreachable = await reachUpstream(planned.plan.target);
  report({ plan: planned.plan, operations: description?.operations, unreachable }, answers, facts);
  return exitCodes.ok;
}

interface Written {
  readonly plan: InitPlan;
  readonly operations: number | undefined;
  /** Why the upstream did not answer; undefined where it did. */
  readonly unreachable: string | undefined;
}

function report({ plan, operations, unreachable }: Written, options: InitOptions, facts: ProgramFacts): void {
  const { out, err } = facts.terminal;
  const { name, path, rewrite, host, target: upstream } = plan;
  const warnings = unreachable === undefined ? [] : [`${upstream} did not answer: ${unreachable}`];
  const config = options.output === 'sallyport.yaml' ? '' : ` --config ${shellWord(options.output)}`;
  const next = [
    `sallyport start${config}`,
    `sallyport check${config}`,
    `sallyport explain GET ${shellWord(host === undefined ? path : `https://${host}${path}`)}${config}`,
  ];
  if (options.json) {
    out(
      JSON.stringify({ ok: true, file: options.output, api: { name, path, rewrite, host, upstream }, warnings, next }),
    );
    return;
  }
  const size = operations === undefined ? '' : ` (${operations} operation${operations === 1 ? '' : 's'} described)`;
  out(`Wrote ${options.output}: ${name}, ${host ?? 'any host'} ${path} → ${upstream}${rewrite ?? ''}${size}`);
  for (const warning of warnings) err(`warning: ${warning}; the gateway answers 502 until it does`);
  out('Next:');
  for (const command of next) out(`  ${command}`);
}

function refuse(faults: readonly string[], code: ExitCode, options: InitOptions, facts: ProgramFacts): ExitCode {
  if (options.json) facts.terminal.out(JSON.stringify({ ok: false, faults }));
  else for (const fault of faults) facts.terminal.err(fault);
  return code;
}

function canAsk(options: InitOptions): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true && !options.yes && !options.json;
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** Relative where the project holds its own Sallyport, so that the line is right wherever the project is cloned to. */
function schemaFor(file: string, entry: URL): string {
  const schema = fileURLToPath(new URL('../docs/schema/sallyport.schema.json', entry));
  const path = relative(dirname(file), schema);
  return path.startsWith('..') ? schema : `./${path}`;
}

/** Quoted for a POSIX shell where that is needed. */
function shellWord(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
