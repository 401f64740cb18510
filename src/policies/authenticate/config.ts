import { z } from 'zod';
import type { AuthenticationMethod } from '../authentication-method.ts';

/** One alternative, by the name of its method. */
export type Alternative = Readonly<Record<string, unknown>>;
export type AuthenticateConfig = 'none' | readonly Alternative[];

/** The options of the policy with these methods. */
export function authenticateConfigOf(
  methods: readonly AuthenticationMethod[],
): z.ZodType<AuthenticateConfig, AuthenticateInput> {
  const options = Object.fromEntries(methods.map(({ name, config }) => [name, config.optional()]));
  const names = methods.map(({ name }) => name).join(', ');
  const alternative = z
    .strictObject(options)
    .superRefine((given, context) => {
      if (Object.values(given).filter((value) => value !== undefined).length === 1) return;
      const message = 'must name exactly one way to authenticate';
      context.addIssue({
        code: 'custom',
        message,
        input: given,
        params: { hint: `write one of ${names}; another way is another entry of the list` },
      });
    })
    .describe('One way to authenticate.');
  return z
    .union([z.literal('none'), z.array(alternative).min(1)])
    .describe(
      'Who may call: a list of ways to authenticate, any one of which will do, or `none` for everyone. A public API must say so.',
    );
}

/** What a TypeScript file may write; each method's own schema says the rest. */
export type AuthenticateInput = 'none' | readonly Alternative[];
