import { z } from 'zod';
import type { PolicyDefinition } from '../policies/policy.ts';
import { policies } from '../policies/registry.ts';
import type { RawFault } from './faults.ts';

/** Reads what a TypeScript file gives as `policies`. Definitions with a fault are left out, so that no other step meets them. */
export function readCustomPolicies(value: unknown, faults: RawFault[]): readonly PolicyDefinition[] {
  if (!Array.isArray(value)) {
    faults.push({ path: ['policies'], message: 'this must be a list', hint: 'write policies: [definePolicy({ … })]' });
    return [];
  }
  const taken = new Set(policies.map((policy) => policy.name));
  const read: PolicyDefinition[] = [];
  for (const [index, candidate] of value.entries()) {
    const parsed = definition.safeParse(candidate);
    const path = ['policies', index];
    if (!parsed.success) {
      for (const issue of parsed.error.issues) {
        const at = [...path, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
        faults.push({
          path: at,
          message: `this is no policy: ${issue.message}`,
          hint: 'make it with definePolicy({ name, phase, config, compile })',
        });
      }
    } else if (taken.has(parsed.data.name)) {
      faults.push({
        path: [...path, 'name'],
        subject: parsed.data.name,
        message: 'is the name of another policy',
        hint: 'choose another name',
      });
    } else {
      taken.add(parsed.data.name);
      read.push(candidate as PolicyDefinition); // the schema above has just found it to be one
    }
  }
  return read;
}

const callable = z.custom((value) => typeof value === 'function', 'expected a function');
const facts = z.array(z.enum(['principal']));

const definition = z.object({
  name: z
    .string()
    .refine(
      (name) => /^[a-z][A-Za-z0-9]{0,63}$/.test(name) && !(name in Object.prototype),
      'expected a camelCase name',
    ),
  phase: z.enum(['receive', 'admit', 'identify', 'authorize', 'limit', 'validate', 'serve', 'prepare']),
  needs: facts,
  provides: facts,
  config: z.custom((value) => value instanceof z.ZodType, 'expected a Zod 4 schema'),
  onByDefault: callable,
  compile: callable,
});
