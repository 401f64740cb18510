import { z } from 'zod';
import { cidrOption } from '../../lib/network-address.ts';

export const ipAccessConfig = z
  .strictObject({
    // Not empty: a list whose last entry was taken out must not open the gate to everyone.
    allow: z
      .array(cidrOption())
      .min(1)
      .optional()
      .describe('Blocks of client addresses that may call; left out, every address.'),
    deny: z
      .array(cidrOption())
      .prefault([])
      .describe('Blocks of client addresses that may not, even where `allow` has them.'),
  })
  .describe('Which client addresses may call.');

export type IpAccessConfig = z.output<typeof ipAccessConfig>;
