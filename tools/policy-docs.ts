import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { order, phases } from '../src/policies/order.ts';
import { policies } from '../src/policies/registry.ts';
import type { SchemaNode } from './option-table.ts';

/** A folder of `src/policies/` and the schema of its options. */
export interface PolicyFolder {
  /** Kebab case. */
  readonly folder: string;
  /** The key in the configuration file, camel case. */
  readonly name: string;
  readonly options: SchemaNode;
}

/** Where the README of a policy finds how values are written. */
export const policyValuesPage = '../../../docs/configuration.md';

/** Every policy there is a folder for, in the order of the road; those that are not registered yet come last. */
export async function policyFolders(root: string): Promise<readonly PolicyFolder[]> {
  const directory = join(root, 'src/policies');
  const folders = readdirSync(directory, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && existsSync(join(directory, entry.name, 'config.ts')),
  );
  const read = await Promise.all(folders.map(({ name }) => readPolicy(directory, name)));
  return read.sort((a, b) => placeOf(a) - placeOf(b) || (a.folder < b.folder ? -1 : 1));
}

function placeOf({ name }: PolicyFolder): number {
  const place = order.findIndex(({ policy }) => policy === name);
  return place < 0 ? order.length : place;
}

/** Reads the options of `src/policies/<folder>/config.ts`, which exports them under the policy's name. */
export async function readPolicy(directory: string, folder: string): Promise<PolicyFolder> {
  const name = folder.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  const module: Readonly<Record<string, unknown>> = await import(join(directory, folder, 'config.ts'));
  // The options of `authenticate` are those of its methods, which only the registry knows.
  const schema = module[`${name}Config`] ?? policies.find((policy) => policy.name === name)?.config;
  if (!(schema instanceof z.ZodType)) {
    throw new Error(`src/policies/${folder}/config.ts does not export a Zod schema named ${name}Config`);
  }
  const options = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return { folder, name, options: options as SchemaNode }; // a JSON Schema, of which the tables read a part
}

export function phaseTable(): string {
  const rows = phases.map(({ phase, reason }, index) => `| ${index + 1} | \`${phase}\` | ${reason} |`);
  return ['| | phase | why here |', '|---|---|---|', ...rows].join('\n');
}

export function orderTable(folders: readonly PolicyFolder[]): string {
  const rows = order.map(({ phase, policy, reason }) => {
    const folder = folders.find(({ name }) => name === policy)?.folder;
    const named = folder === undefined ? `\`${policy}\`` : `[\`${policy}\`](../src/policies/${folder}/README.md)`;
    return `| \`${phase}\` | ${named} | ${reason} |`;
  });
  return ['| phase | policy | why here |', '|---|---|---|', ...rows].join('\n');
}
