import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { configJsonSchema } from '../src/config/json-schema.ts';
import { type MarkedPart, replaceParts } from './marked-part.ts';
import { optionTable, type SchemaNode } from './option-table.ts';
import { orderTable, type PolicyFolder, phaseTable, policyFolders, policyValuesPage } from './policy-docs.ts';
import { problemDocFaults, problemTable } from './problem-docs.ts';

const root = join(import.meta.dirname, '..');

/** A document with parts that come from the code. */
interface GeneratedDocument {
  /** Relative to the root of the project. */
  readonly path: string;
  /** Its whole text as it should be, made from its text as it is; undefined where it is not there yet. */
  readonly render: (present: string | undefined) => string;
  /** What a person has still to write in it. */
  readonly lacks?: (text: string) => readonly string[];
}

/**
 * `node tools/docs.ts` writes what the documents take from the code; with `--check` it writes nothing and fails where one
 * would change, or where a person has an explanation left to write.
 */
async function main(): Promise<number> {
  const check = process.argv.includes('--check');
  const faults: string[] = [];
  for (const document of await documents()) {
    const file = join(root, document.path);
    const present = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
    try {
      const wanted = document.render(present);
      if (wanted !== present && check) faults.push(`${document.path}: out of step with the code`);
      if (wanted !== present && !check) {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, wanted);
        console.log(`wrote ${document.path}`);
      }
      faults.push(...(document.lacks?.(wanted) ?? []).map((fault) => `${document.path}: ${fault}`));
    } catch (error) {
      faults.push(`${document.path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  for (const fault of faults) console.error(fault);
  if (faults.length === 0) console.log('The docs say what the code says.');
  return faults.length === 0 ? 0 : 1;
}

async function documents(): Promise<readonly GeneratedDocument[]> {
  const schema = configJsonSchema();
  const folders = await policyFolders(root);
  return [
    { path: 'docs/schema/sallyport.schema.json', render: () => `${JSON.stringify(schema, undefined, 2)}\n` },
    marked('docs/configuration.md', configurationParts(schema, folders)),
    marked('docs/policies.md', [
      { name: 'phases', text: phaseTable() },
      { name: 'order', text: orderTable(folders) },
    ]),
    { ...marked('docs/problems.md', [{ name: 'problems', text: problemTable() }]), lacks: problemDocFaults },
    ...folders.map(({ folder, name, options }) =>
      marked(`src/policies/${folder}/README.md`, [
        { name: 'options', text: optionTable(options, { path: name, valuesPage: policyValuesPage }) },
      ]),
    ),
  ];
}

function marked(path: string, parts: readonly MarkedPart[]): GeneratedDocument {
  return {
    path,
    render(present) {
      if (present === undefined) throw new Error('is missing; a person writes it, around the marked parts');
      return replaceParts(present, parts);
    },
  };
}

/** Options of the file with a section of their own in docs/configuration.md. */
const SECTIONS = [
  'listeners',
  'log',
  'tracing',
  'upstreams',
  'stores',
  'authorizationServer',
  'issuers',
  'logins',
  'consumers',
  'admin',
] as const;

function configurationParts(schema: SchemaNode, folders: readonly PolicyFolder[]): readonly MarkedPart[] {
  const top = schema.properties ?? {};
  const sections = new Set([...SECTIONS, 'apis']);
  const policies = folders.map(({ name }) => name);
  const api = itemsOf(top['apis']);
  const route = itemsOf(api.properties?.['routes']);
  const section = (name: string): MarkedPart => ({
    name: `options ${name}`,
    text: optionTable(
      { properties: { [name]: optionOf(schema, name) }, required: schema.required ?? [] },
      { path: '', valuesPage: '' },
    ),
  });
  const policyTables = folders.map(({ folder, name, options }) => {
    const about = `${options.description ?? ''} [More](../src/policies/${folder}/README.md).`.trim();
    return `### ${name}\n\n${about}\n\n${optionTable(options, { path: name, valuesPage: '' })}`;
  });
  return [
    { name: 'options file', text: optionTable(schema, { path: '', elsewhere: sections, valuesPage: '' }) },
    ...SECTIONS.map(section),
    {
      name: 'options apis',
      text: optionTable(api, {
        path: 'apis[]',
        elsewhere: new Set(['upstream', 'routes', 'policies', ...policies]),
        valuesPage: '',
      }),
    },
    {
      name: 'options routes',
      text: optionTable(route, {
        path: 'routes[]',
        elsewhere: new Set(['upstream', 'policies', ...policies]),
        valuesPage: '',
      }),
    },
    { name: 'options policies', text: policyTables.join('\n\n') },
  ];
}

function optionOf(node: SchemaNode, name: string): SchemaNode {
  const option = node.properties?.[name];
  if (option === undefined) throw new Error(`the schema has no option ${name}`);
  return option;
}

function itemsOf(node: SchemaNode | undefined): SchemaNode {
  if (node?.items === undefined) throw new Error('the schema has no list where one was');
  return node.items;
}

process.exitCode = await main();
