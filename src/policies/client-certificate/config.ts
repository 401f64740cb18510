import { z } from 'zod';

export const clientCertificateConfig = z
  .strictObject({
    subjects: z
      .array(z.string().min(1).max(1024))
      .min(1)
      .optional()
      .describe(
        'Subjects that are let in, written as the access log shows them, with a comma and a blank between their parts; left out, every certificate the listener verified.',
      ),
    fingerprints: z
      .array(
        z
          .string()
          .regex(/^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$/, 'is not a SHA-256 fingerprint of 64 hexadecimal digits')
          .transform((text) => text.replaceAll(':', '').toLowerCase()),
      )
      .min(1)
      .optional()
      .describe('SHA-256 fingerprints of certificates that are let in.'),
  })
  .describe('Callers show a client certificate that the listener verified against its `clientCa`.');
