import { open } from 'node:fs/promises';
import { Option } from 'commander';
import type { JsonObject } from '../lib/json.ts';
import { search } from './admin-client.ts';
import { type AdminOptions, act, adminCommand, type CommandHost, commandGroup } from './admin-command.ts';
import { Declined } from './ask.ts';
import { checkExport } from './audit-file.ts';
import { limitOption } from './option-values.ts';
import { exitCodes } from './output.ts';
import { cell, moreHint, renderTable } from './table.ts';

interface ListOptions extends AdminOptions {
  readonly type?: string;
  readonly subject?: string;
  readonly actor?: string;
  readonly limit: number;
}

interface VerifyOptions extends AdminOptions {
  readonly file?: string;
  readonly expect?: string;
}

/** `sallyport audit …`: what was done, by whom, and whether the record of it is whole. */
export function registerAudit(host: CommandHost): void {
  const group = commandGroup(host, 'audit', 'read the audit log, and prove that it is whole');

  const list = adminCommand(group, 'list', 'list records, the newest first')
    .option('--type <type>', 'such as key.revoked; docs/audit.md has them all')
    .option('--subject <subject>', 'what it was done to, such as key:<id>')
    .option('--actor <actor>', 'who did it, such as local:1000')
    .addOption(limitOption());
  act<ListOptions>(host, list, async ({ client, print }, { type, subject, actor, limit }) => {
    const { items, more } = await client.list('/audit', { type, subject, actor }, limit);
    print({ items, more }, [
      ...renderTable(columns, items, 'There is no such record.'),
      ...moreHint(more, items.length),
    ]);
    return undefined;
  });

  const exportCommand = adminCommand(group, 'export', 'write all records as JSON lines, the oldest first')
    .option('--after <seq>', 'only records after this sequence number, to go on where an export ended')
    .option('--output <file>', 'the file to write; it must not be there yet. Standard output unless given');
  act<AdminOptions & { readonly after?: string; readonly output?: string }>(
    host,
    exportCommand,
    async ({ client, facts }, { after, output }) => {
      const lines = client.lines('GET', `/audit/export${search({ after })}`);
      if (output === undefined) for await (const record of lines) facts.terminal.out(JSON.stringify(record));
      else facts.terminal.err(`${await writeLines(output, lines)} records are in ${output}.`);
      return undefined;
    },
  );

  const verify = adminCommand(group, 'verify', 'find any record that was edited, removed or moved')
    .addOption(new Option('--file <file>', 'check an export instead, without the gateway: order, gaps and links only'))
    .addOption(
      new Option('--expect <seq:hash>', 'a head noted earlier: finds a log that was rolled back to before it'),
    );
  act<VerifyOptions>(
    host,
    verify,
    async ({ client, print }, { expect }) => {
      let verdict: JsonObject = {};
      for await (const line of client.lines('GET', `/audit/verification${search({ expected: expect })}`))
        verdict = line;
      const intact = verdict['intact'] === true;
      print(verdict, intact ? wholeLog(verdict) : [`The log is not as it was written. ${cell(verdict['message'])}`]);
      return intact ? exitCodes.ok : exitCodes.refused;
    },
    async ({ file }, print) => {
      if (file === undefined) return undefined;
      const verdict = await checkExport(file);
      print(verdict, [
        verdict.intact
          ? `The ${verdict.records} records of ${file} are in order, without gaps, and each names the hash of the one before.`
          : `${file} is not as it was exported. ${verdict.message}`,
        'Whether a record was edited together with all that follow it, only a gateway with the key of the log can say: sallyport audit verify',
      ]);
      return verdict.intact ? exitCodes.ok : exitCodes.refused;
    },
  );
}

async function writeLines(file: string, lines: AsyncIterable<JsonObject>): Promise<number> {
  const handle = await open(file, 'wx', 0o600).catch(() => {
    throw new Declined(`--output: ${file} is there already or cannot be written.`);
  });
  let count = 0;
  try {
    for await (const line of lines) {
      await handle.write(`${JSON.stringify(line)}\n`);
      count += 1;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return count;
}

function wholeLog(verdict: JsonObject): string[] {
  const head = verdict['head'];
  const noted =
    typeof head === 'object' && head !== null && 'seq' in head ? `${cell(head['seq'])}:${cell(head['hash'])}` : '';
  return [
    `All ${cell(verdict['records'])} records are as they were written.`,
    `Note this head elsewhere, to find a log that is rolled back later: sallyport audit verify --expect ${noted}`,
  ];
}

const columns = [
  { title: 'SEQ', of: (row: JsonObject) => row['seq'] },
  { title: 'AT', of: (row: JsonObject) => new Date(Number(row['at'])).toISOString() },
  { title: 'TYPE', of: (row: JsonObject) => row['type'] },
  { title: 'ACTOR', of: (row: JsonObject) => row['actor'] },
  { title: 'SUBJECT', of: (row: JsonObject) => row['subject'] },
  { title: 'DETAIL', of: (row: JsonObject) => row['detail'] },
];
