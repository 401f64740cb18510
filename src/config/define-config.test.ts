import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { definePolicy } from '../policies/policy.ts';
import { defineConfig } from './define-config.ts';

const stamp = definePolicy({
  name: 'stamp',
  phase: 'prepare',
  config: z.strictObject({ text: z.string() }),
  compile: () => undefined,
});

test('the types take what the schema takes, and the configuration comes out as it went in', () => {
  const input = {
    listeners: [{ name: 'public', address: '127.0.0.1:0', tls: 'none' as const, limits: { headerBytes: '16KiB' } }],
    upstreams: { w: { targets: ['http://127.0.0.1:1'] } },
    apis: [
      {
        name: 'a',
        upstream: 'w',
        authenticate: 'none' as const,
        cors: { origins: ['https://app.example.com'] },
        policies: { stamp: { text: 'x' } },
        routes: [{ match: 'GET /x', cors: false as const }],
      },
    ],
    policies: [stamp],
  };
  assert.equal(defineConfig(input), input);
});

test('the types refuse what the schema refuses', () => {
  const listeners = [{ name: 'public', address: '127.0.0.1:0' }];
  // @ts-expect-error an unknown option
  defineConfig({ listeners, apis: [], listners: [] });
  // @ts-expect-error an exposure that is none
  defineConfig({ listeners: [{ name: 'x', address: '127.0.0.1:0', exposure: 'secret' }], apis: [] });
  // @ts-expect-error a policy option that is none
  defineConfig({ listeners, apis: [{ name: 'a', upstream: 'w', cors: { origns: [] } }] });
  // @ts-expect-error an API without an upstream
  defineConfig({ listeners, apis: [{ name: 'a' }] });
});
