import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { policies } from '../policies/registry.ts';
import { configJsonSchema } from './json-schema.ts';
import { loadConfig } from './load.ts';
import type { SchemaNode } from './option-guide.ts';
import type { PolicyOptions } from './policy-options.ts';

const root = configJsonSchema() as SchemaNode; // a JSON Schema has the shape the guide reads

test('every object is closed and every option has a description', () => {
  let options = 0;
  const visit = (node: SchemaNode, path: string): void => {
    if (node.properties !== undefined) assert.equal(node.additionalProperties, false, `${path} takes unknown keys`);
    for (const [key, option] of Object.entries(node.properties ?? {})) {
      options += 1;
      assert.ok(option.description?.endsWith('.'), `${path}.${key} has no description`);
      visit(option, `${path}.${key}`);
    }
    if (node.items !== undefined) visit(node.items, `${path}[]`);
    for (const branch of node.anyOf ?? []) visit(branch, path);
    if (typeof node.additionalProperties === 'object') visit(node.additionalProperties, `${path}.*`);
  };
  visit(root, '');
  assert.ok(options > 100, String(options));
});

test('every built-in policy is an option of APIs and routes, and of the types', () => {
  const api = root.properties?.['apis']?.items?.properties ?? {};
  const route = api['routes']?.items?.properties ?? {};
  const typed: Record<keyof PolicyOptions, true> = {
    authenticate: true,
    authorize: true,
    upstreamIdentity: true,
    cors: true,
    errorMasking: true,
    headers: true,
    ipAccess: true,
    requestLimits: true,
    securityHeaders: true,
  };
  assert.deepEqual(policies.map((policy) => policy.name).sort(), Object.keys(typed).sort());
  for (const { name } of policies) assert.ok(Object.hasOwn(api, name) && Object.hasOwn(route, name), name);
});

test('an editor says of a structure what the loader says', async () => {
  // The type of fromJSONSchema is narrower than what toJSONSchema gives.
  const editor = z.fromJSONSchema(configJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);
  const folder = new URL('../../test/golden/config/', import.meta.url);
  const samples = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.yaml'));
  let refused = 0;
  for (const name of samples) {
    const url = new URL(name, folder);
    const loaded = await loadConfig(url.pathname, { env: {}, dev: false });
    const verdict =
      STRUCTURAL.has(name) || loaded.ok ? editor.safeParse(parse(await readFile(url, 'utf8'))).success : undefined;
    if (verdict === undefined) continue;
    assert.equal(verdict, loaded.ok, name);
    if (!verdict) refused += 1;
  }
  assert.equal(refused, STRUCTURAL.size);
  const good = {
    listeners: [{ name: 'public', address: '127.0.0.1:0' }],
    apis: [{ name: 'a', upstream: 'http://127.0.0.1:1', authenticate: 'none', cors: false }],
  };
  assert.equal(editor.safeParse(good).success, true);
});

/** The golden files whose faults a JSON Schema can express. */
const STRUCTURAL = new Set(
  ['several-at-once', 'misspelt-keys', 'empty-options', 'policies', 'just-text'].map((name) => `faults/${name}.yaml`),
);
