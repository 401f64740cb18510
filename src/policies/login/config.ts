import { z } from 'zod';

export const loginConfig = z
  .strictObject({
    use: z
      .string()
      .min(1)
      .meta({ examples: ['web'] })
      .describe('The name of an entry of `logins`, which says where people sign in.'),
    attachToken: z
      .boolean()
      .default(true)
      .describe(
        'Whether the upstream gets the access token of the session as `Authorization: Bearer`, in the place of what the browser sent.',
      ),
  })
  .describe('Callers are people who have signed in with their browser; their tokens stay in the gateway.');
