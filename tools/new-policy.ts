import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { phases } from '../src/policies/order.ts';
import type { Phase } from '../src/policies/policy.ts';
import { replaceParts } from './marked-part.ts';
import { optionTable } from './option-table.ts';
import { policyValuesPage, readPolicy } from './policy-docs.ts';
import { type PolicyNames, policyTemplate } from './policy-template.ts';

const USAGE = 'node tools/new-policy.ts <kebab-name> [--phase <phase>]';

/** Writes the folder of a new policy, which passes `npm run check` as it is, and says where to register it. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { phase: { type: 'string', default: 'admit' } },
  });
  const [kebab = '', ...surplus] = positionals;
  const phase = phases.find((place) => place.phase === values.phase)?.phase;
  if (surplus.length > 0 || !/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(kebab)) {
    return refuse(`a policy needs one name in kebab case, such as request-age`);
  }
  if (phase === undefined) {
    return refuse(`there is no phase ${values.phase}; the phases are ${phases.map((place) => place.phase).join(', ')}`);
  }
  const policies = join(import.meta.dirname, '../src/policies');
  const folder = join(policies, kebab);
  if (existsSync(folder)) return refuse(`src/policies/${kebab} is there already`);

  const names = namesOf(kebab);
  await write({ policies, folder, names, phase });
  console.log(nextSteps(names, phase));
  return 0;
}

function refuse(reason: string): number {
  console.error(`${reason}\nUsage: ${USAGE}`);
  return 2;
}

function namesOf(kebab: string): PolicyNames {
  const camel = kebab.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return { kebab, camel, pascal: camel.charAt(0).toUpperCase() + camel.slice(1) };
}

interface NewPolicy {
  readonly policies: string;
  readonly folder: string;
  readonly names: PolicyNames;
  readonly phase: Phase;
}

async function write({ policies, folder, names, phase }: NewPolicy): Promise<void> {
  mkdirSync(folder);
  for (const { name, text } of policyTemplate(names, phase)) writeFileSync(join(folder, name), text);
  const { options } = await readPolicy(policies, names.kebab);
  const readme = join(folder, 'README.md');
  const table = optionTable(options, { path: names.camel, valuesPage: policyValuesPage });
  writeFileSync(readme, replaceParts(readFileSync(readme, 'utf8'), [{ name: 'options', text: table }]));
}

function nextSteps({ kebab, camel }: PolicyNames, phase: Phase): string {
  return `Wrote src/policies/${kebab}/: config.ts, logic.ts, ${kebab}.ts, ${kebab}.test.ts, README.md.

It works as it is; make it do what you need. Until it is registered, no configuration can name it:

  src/policies/registry.ts        import { ${camel}Policy } from './${kebab}/${kebab}.ts';
                                  and add ${camel}Policy to \`policies\`
  src/policies/order.ts           { phase: '${phase}', policy: '${camel}', reason: '…why it stands there' },
  src/config/policy-options.ts    import type { ${camel}Config } from '../policies/${kebab}/config.ts';
                                  and readonly ${camel}?: Setting<typeof ${camel}Config>;
  CHANGELOG.md                    a line for those who will use it

Then: node tools/docs.ts && npm run check && npm test -- src/policies/${kebab}`;
}

process.exitCode = await main();
