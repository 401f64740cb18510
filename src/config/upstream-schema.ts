import { z } from 'zod';
import { durationOption } from '../lib/duration.ts';
import { exactHostOption, filePathOption, targetOption } from './option-types.ts';

const timeouts = z.strictObject({
  connect: durationOption().prefault('5s').describe('Time to open a connection, TLS included.'),
  head: durationOption().prefault('30s').describe('Time from the end of the request to the head of the response.'),
  idle: durationOption()
    .prefault('60s')
    .describe('Longest pause in a response body; event streams may pause for as long as they like.'),
});

const tls = z.strictObject({
  ca: filePathOption().optional().describe('PEM file with the roots to verify against, instead of the public ones.'),
  cert: filePathOption().optional().describe('PEM file with the client certificate to show.'),
  key: filePathOption().optional().describe('PEM file with the private key of `cert`.'),
  servername: exactHostOption()
    .optional()
    .describe('The name to ask for and verify, instead of the host of the target.'),
});

/** A service behind the gateway. Certificates of https targets are always verified. */
export const upstreamSchema = z.strictObject({
  targets: z
    .array(targetOption())
    .min(1)
    .describe('Where requests go: http or https origins, or unix:/path; they take turns.'),
  preserveHost: z.boolean().default(false).describe("Send the client's Host field instead of the target's."),
  connections: z.int().min(1).max(100_000).default(64).describe('Connections to each target, per worker.'),
  timeouts: timeouts.prefault({}).describe('How long the gateway waits for the upstream.'),
  tls: tls.optional().describe('TLS settings for https targets.'),
});

/** Timeouts in milliseconds; file paths absolute once loaded. */
export type UpstreamConfig = Readonly<z.output<typeof upstreamSchema>>;
