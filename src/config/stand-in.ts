import { z } from 'zod';
import type { PolicyDefinition } from '../policies/policy.ts';
export const policies: readonly PolicyDefinition[] = [
  {
    name: 'cors',
    phase: 'admit',
    needs: [],
    provides: [],
    onByDefault: () => false,
    compile: () => undefined,
    config: z.strictObject({
      origins: z.array(z.string()).describe('Origins.'),
      credentials: z.boolean().default(false).describe('Credentials.'),
    }),
  },
];
