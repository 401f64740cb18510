import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import type { Json, JsonObject } from '../lib/json.ts';
import { type AdminOptions, act, adminCommand, type CommandHost } from './admin-command.ts';
import { Declined } from './ask.ts';
import { exitCodes, type ProgramFacts } from './output.ts';
import { cell } from './table.ts';

/** `sallyport keys import`. */
export function registerKeyImport(host: CommandHost, group: Command): void {
  const command = adminCommand(group, 'import', 'create many keys from a file of JSON lines')
    .argument('<file>', 'a request a line, such as {"consumer":"partner-app","name":"first"}; - for standard input')
    .requiredOption('--output <file>', 'where the keys that were made are written; it must not be there yet');
  act<AdminOptions & { readonly output: string }>(host, command, async (session, { output, json }, [file = '']) => {
    const { client, facts, print } = session;
    const input = await openInput(file, facts);
    // Created at once and for the owner alone: without a place for them, no keys are made.
    const written = await openOutput(output, input);
    const counts = { lines: 0, created: 0, refused: 0 };
    let isDone = false;
    try {
      for await (const line of client.lines('POST', '/keys/import', input)) {
        const reached = counter(line['progress']) ?? counter(line['done']);
        if (reached !== undefined) Object.assign(counts, reached);
        if (line['done'] !== undefined) isDone = true;
        if (line['progress'] !== undefined && !json)
          facts.terminal.err(`${counts.lines} lines read, ${counts.created} keys made, ${counts.refused} refused`);
        if (line['errors'] !== undefined)
          facts.terminal.err(`${file}:${cell(line['line'])}  ${faultsOf(line['errors'])}`);
        if (line['id'] !== undefined) await written.write(`${JSON.stringify(line)}\n`);
      }
      await written.sync();
    } finally {
      input.destroy();
      await written.close();
    }
    if (!isDone) throw new Error(`the import broke off; the keys made until then are in ${output}`);
    print({ ...counts, output }, [
      `${counts.created} keys made from ${counts.lines} lines; they are in ${output}, which only you can read.`,
      ...(counts.refused > 0 ? [`${counts.refused} lines were refused.`] : []),
    ]);
    return counts.refused > 0 ? exitCodes.refused : exitCodes.ok;
  });
}

async function openInput(file: string, facts: ProgramFacts): Promise<Readable> {
  if (file === '-') return facts.input ?? process.stdin;
  try {
    return createReadStream('', { fd: await open(file, 'r') });
  } catch {
    throw new Declined(`${file} cannot be read; nothing was sent.`);
  }
}

async function openOutput(file: string, input: Readable): Promise<FileHandle> {
  try {
    return await open(file, 'wx', 0o600);
  } catch {
    input.destroy();
    throw new Declined(`--output: ${file} is there already or cannot be written; nothing was sent.`);
  }
}

function counter(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && 'created' in value ? value : undefined;
}

function faultsOf(errors: Json): string {
  if (!Array.isArray(errors)) return '';
  return errors
    .map((fault: Readonly<Record<string, Json>>) =>
      [fault['pointer'], fault['message'], fault['hint'] === undefined ? undefined : `→ ${cell(fault['hint'])}`]
        .filter((text) => text !== undefined && text !== '#')
        .map((text) => cell(text))
        .join(' '),
    )
    .join('; ');
}
