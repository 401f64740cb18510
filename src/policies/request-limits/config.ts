import { z } from 'zod';
import { byteSizeOption } from '../../lib/byte-size.ts';
import { methodOption } from '../field-options.ts';

export const requestLimitsConfig = z
  .strictObject({
    bodyBytes: byteSizeOption().prefault('10MiB').describe('Most bytes of a request body, as sent.'),
    targetBytes: byteSizeOption({ min: 1 }).prefault('8KiB').describe('Most bytes of path and query together.'),
    allowEncodedDelimiters: z
      .boolean()
      .default(false)
      .describe('Whether a path may hold %2F, %5C, %23, %3F, %3B or an encoded percent sign.'),
    contentEncodings: z
      .array(z.enum(['gzip', 'deflate', 'br', 'zstd']))
      .default(['gzip', 'deflate', 'br', 'zstd'])
      .describe('Content codings a request body may have, one at a time; the gateway passes it on unopened.'),
    methods: z
      .array(methodOption())
      .min(1)
      .optional()
      .describe('Methods that may be used; left out, every method. List OPTIONS where `cors` is on.'),
  })
  .describe('What a request may weigh and look like.');

export type RequestLimitsConfig = z.output<typeof requestLimitsConfig>;
