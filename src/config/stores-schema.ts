import { z } from 'zod';
import { durationOption } from '../lib/duration.ts';
import { textOption } from './option-types.ts';
import { certificatesOption, encryptionKeyOption } from './secret-options.ts';

const postgres = z.strictObject({
  url: connectionUrl(
    ['postgres:', 'postgresql:'],
    'postgresql://sallyport@db.example.com/sallyport?sslmode=verify-full',
  ).describe(
    'Connection URL of the database. Others than this machine are reached over TLS, and its certificate is verified.',
  ),
  ca: certificatesOption().optional().describe('Roots to verify the server against, instead of the public ones.'),
  connections: z
    .int()
    .min(1)
    .max(1000)
    .default(4)
    .describe('Most connections of each worker and of the control plane, which has one more to follow changes by.'),
  deadline: durationOption()
    .prefault('2s')
    .describe(
      'How long one query may take, the wait for a connection included; after it the store counts as unavailable.',
    ),
});

const valkey = z.strictObject({
  url: connectionUrl(
    ['redis:', 'rediss:', 'valkey:', 'valkeys:'],
    'rediss://:${env:VALKEY_PASSWORD}@valkey.example.com:6379',
  ).describe('Address of the Valkey or Redis server, or of one node of a cluster.'),
  cluster: z.boolean().default(false).describe('Whether it is a cluster.'),
  ca: certificatesOption().optional().describe('Roots to verify the server against, instead of the public ones.'),
  deadline: durationOption()
    .prefault('250ms')
    .describe('How long one command may take; after it the store counts as unavailable.'),
});

/** Where the gateway keeps what it must not forget, and what its workers and nodes count together. */
export const storesSchema = z.strictObject({
  records: z
    .union([
      z.literal('sqlite'),
      z.strictObject({ postgres: postgres.describe('A PostgreSQL database, which several gateways may share.') }),
    ])
    .default('sqlite')
    .describe(
      'Clients, users, keys, grants, sessions and the audit log: a SQLite file in the data directory, or PostgreSQL.',
    ),
  counters: z
    .union([
      z.literal('memory'),
      z.strictObject({ valkey: valkey.describe('A Valkey or Redis server, which several gateways share.') }),
    ])
    .default('memory')
    .describe('Nonces and throttles: memory that the workers of this machine share, or Valkey.'),
  encryptionKeys: z
    .array(encryptionKeyOption())
    .min(1)
    .optional()
    .describe(
      'Keys that seal private keys, tokens and factors in the records; the first seals, all open. Left out, one is made in a file of the data directory. Gateways that share a database share these.',
    ),
});

export type StoresConfig = Readonly<z.output<typeof storesSchema>>;

/** A connection URL. It may hold a password, so it is a secret as a whole and never shown. */
function connectionUrl(protocols: readonly string[], example: string) {
  return textOption(
    (text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      if (url !== undefined && protocols.includes(url.protocol) && url.hostname + url.search !== '')
        return { value: text };
      return {
        message: 'is not a connection URL of this kind',
        hint: `write ${protocols[0]}//host:port, with the password by reference`,
      };
    },
    [example],
  );
}
