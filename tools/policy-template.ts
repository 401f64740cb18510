import type { Phase } from '../src/policies/policy.ts';

/** The names one policy goes by. */
export interface PolicyNames {
  /** The folder and main file, kebab case. */
  readonly kebab: string;
  /** The key in the configuration file, camel case. */
  readonly camel: string;
  /** Pascal case. */
  readonly pascal: string;
}

export interface TemplateFile {
  readonly name: string;
  readonly text: string;
}

/**
 * A small policy that works, in the standard shape, to be turned into the one that is wanted: it refuses requests that carry
 * certain header fields. The options table of its README is empty until `tools/docs.ts` fills it in.
 */
export function policyTemplate(names: PolicyNames, phase: Phase): readonly TemplateFile[] {
  return [
    { name: 'config.ts', text: config(names) },
    { name: 'logic.ts', text: logic(names) },
    { name: `${names.kebab}.ts`, text: policy(names, phase) },
    { name: `${names.kebab}.test.ts`, text: test(names) },
    { name: 'README.md', text: readme(names) },
  ];
}

function config({ camel, pascal }: PolicyNames): string {
  return `import { z } from 'zod';
import { fieldNameOption } from '../field-options.ts';

export const ${camel}Config = z
  .strictObject({
    refuse: z.array(fieldNameOption()).default([]).describe('Header fields a request must not have.'),
  })
  .describe('Refuses requests that carry certain header fields.');

export type ${pascal}Config = z.output<typeof ${camel}Config>;
`;
}

function logic({ pascal }: PolicyNames): string {
  return `import type { HeaderList } from '../../lib/header-list.ts';
import type { ${pascal}Config } from './config.ts';

/** Finds the first field of a request that the configuration refuses; undefined for none. */
export function refusedField(config: ${pascal}Config, headers: HeaderList): string | undefined {
  return config.refuse.find((name) => headers.has(name));
}
`;
}

function policy({ camel, pascal }: PolicyNames, phase: Phase): string {
  return `import { Problem } from '../../errors/problem.ts';
import type { Exchange } from '../../exchange.ts';
import { definePolicy } from '../policy.ts';
import { ${camel}Config } from './config.ts';
import { refusedField } from './logic.ts';

/** Refuses requests that carry certain header fields. */
export const ${camel}Policy = definePolicy({
  name: '${camel}',
  phase: '${phase}',
  config: ${camel}Config,
  compile(config) {
    if (config.refuse.length === 0) return undefined;

    function check${pascal}(exchange: Exchange): Problem | undefined {
      const field = refusedField(config, exchange.headers);
      return field === undefined ? undefined : new Problem('bad-request', { internal: \`it carries \${field}\` });
    }

    return { request: check${pascal} };
  },
});
`;
}

function test({ kebab, camel }: PolicyNames): string {
  return `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../errors/problem.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { publicRoute, testExchange } from '../test-exchange.ts';
import { ${camel}Config } from './config.ts';
import { ${camel}Policy } from './${kebab}.ts';

test('a request with a refused field is denied, whatever the case of its name', () => {
  const denial = answer({ refuse: ['X-Internal'] }, ['x-INTERNAL', '1']);
  assert.ok(denial instanceof Problem);
  assert.equal(denial.code, 'bad-request');
});

test('a request without one passes', () => {
  assert.equal(answer({ refuse: ['X-Internal'] }, ['X-Other', '1']), undefined);
});

test('an empty configuration costs nothing', () => {
  assert.equal(${camel}Policy.compile(${camel}Config.parse({}), publicRoute), undefined);
});

test('what is not a field name does not load', () => {
  assert.equal(${camel}Config.safeParse({ refuse: ['X Internal'] }).success, false);
});

function answer(written: unknown, headers: readonly string[]) {
  const compiled = ${camel}Policy.compile(${camel}Config.parse(written), publicRoute);
  return compiled?.request?.(testExchange({ headers: new HeaderList([...headers]) }));
}
`;
}

function readme({ camel }: PolicyNames): string {
  return `# ${camel}

Refuses requests that carry certain header fields.

\`\`\`yaml
apis:
  - name: widgets
    ${camel}:
      refuse: [X-Internal]
\`\`\`

## What it does

- **A denial** is \`bad-request\` (400); the log names the field, the client is not told.

## Threats it stops

| threat | how |
|---|---|
| a field that only the inside may set | a request that brings it along is refused |

## Options

<!-- options -->
<!-- /options -->
`;
}
