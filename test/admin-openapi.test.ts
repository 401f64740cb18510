import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { endpoints } from '../src/admin/endpoints.ts';
import { type RunningAdminApp, startAdminApp } from './support/admin-app.ts';

describe('docs/admin.openapi.yaml', () => {
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects by asserting on it
  let document: any;
  let text: string;
  let app: RunningAdminApp;
  before(async () => {
    text = await readFile(new URL('../docs/admin.openapi.yaml', import.meta.url), 'utf8');
    document = parse(text);
    app = await startAdminApp();
  });
  after(() => app.stop());

  it('describes each endpoint of the table, and no other', () => {
    const described = Object.entries<Record<string, { summary: string; security: Record<string, string[]>[] }>>(
      document.paths,
    ).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([method]) => method !== 'parameters')
        .map(([method, { summary, security }]) => ({
          method: method.toUpperCase(),
          path,
          summary,
          scopes: security.map((one) => Object.values(one)),
        })),
    );
    assert.deepEqual(
      described,
      endpoints.map(({ method, path, summary, scope }) => ({
        method,
        path,
        summary,
        scopes: [[[scope]], [[scope]], [[scope]]],
      })),
    );
  });

  it('says what each reads: a body, lines or nothing', () => {
    for (const { method, path, action } of endpoints) {
      const content = document.paths[path][method.toLowerCase()].requestBody?.content;
      const type = content === undefined ? 'nothing' : Object.keys(content).join();
      assert.equal(
        type,
        { json: 'application/json', jsonl: 'application/jsonl', nothing: 'nothing' }[action.reads],
        `${method} ${path}`,
      );
    }
  });

  it('declares the variable parts of every path', () => {
    for (const [path, item] of Object.entries<{ parameters?: { $ref: string }[] }>(document.paths)) {
      const declared = (item.parameters ?? []).map(({ $ref }) => $ref.split('/').at(-1));
      assert.deepEqual(
        declared,
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
        path,
      );
    }
  });

  it('refers to nothing that is not there, and has nothing that is not referred to', () => {
    const references = [...text.matchAll(/\$ref: '#\/components\/(\w+)\/(\w+)'/g)].map(
      ([, kind = '', name = '']) => `${kind}/${name}`,
    );
    for (const reference of references) {
      const [kind = '', name = ''] = reference.split('/');
      assert.ok(document.components[kind]?.[name], reference);
    }
    for (const kind of ['parameters', 'responses', 'schemas'])
      for (const name of Object.keys(document.components[kind]))
        assert.ok(references.includes(`${kind}/${name}`), `${kind}/${name}`);
  });

  it('is served by the app, as YAML and as JSON', async () => {
    assert.equal((await app.call('GET', '/openapi.yaml')).text, text);
    assert.deepEqual((await app.call('GET', '/openapi.json')).body, document);
  });

  it('names every field of the answers, and the answers have all that are required', async () => {
    const password = 'a horse and some staples';
    const consumer = await app.call('POST', '/consumers', { json: { name: 'holder' } });
    const key = await app.call('POST', '/consumers/holder/keys', {
      json: { name: 'k', apis: ['widgets'], cidrs: ['10.0.0.0/8'], expiresIn: '1d' },
    });
    const client = await app.call('POST', '/clients', { json: { name: 'c', grant_types: ['client_credentials'] } });
    const user = await app.call('POST', '/users', { json: { username: 'ada', password } });
    const audit = await app.call('GET', '/audit');
    const verdict = await app.call('GET', '/audit/verification');
    const refused = await app.call('POST', '/users', { json: {} });
    const answers = {
      Consumer: consumer.body,
      NewKey: key.body,
      NewClient: client.body,
      User: user.body,
      AuditRecord: audit.body.items[0],
      AuditPage: audit.body,
      Verdict: JSON.parse(verdict.text),
      Problem: refused.body,
    };
    for (const [name, answer] of Object.entries(answers)) {
      const { properties, required } = flat(document.components.schemas[name]);
      for (const field of Object.keys(answer))
        assert.ok(properties.includes(field), `${name}.${field} is not described`);
      for (const field of required) assert.ok(field in answer, `${name}.${field} is missing`);
    }
  });

  it('names exactly the fields that requests may have', async () => {
    const requests = { ConsumerRequest: '/consumers', UserRequest: '/users' };
    for (const [name, path] of Object.entries(requests)) {
      const { properties } = flat(document.components.schemas[name]);
      const json = Object.fromEntries([...properties, 'unheardOf'].map((field) => [field, { wrong: true }]));
      const { body } = await app.call('POST', path, { json });
      const unknown = body.errors.filter(
        ({ message }: { message: string }) => message === 'there is no such field here',
      );
      assert.deepEqual(
        unknown.map(({ pointer }: { pointer: string }) => pointer),
        ['#/unheardOf'],
        name,
      );
    }
  });

  // biome-ignore lint/suspicious/noExplicitAny: the document has no type
  function flat(schema: any): { properties: string[]; required: string[] } {
    // biome-ignore lint/suspicious/noExplicitAny: the document has no type
    const parts = (schema.allOf ?? []).map(({ $ref }: any) =>
      flat(document.components.schemas[$ref.split('/').at(-1)]),
    );
    return {
      properties: [
        ...Object.keys(schema.properties ?? {}),
        ...parts.flatMap((part: { properties: string[] }) => part.properties),
      ],
      required: [...(schema.required ?? []), ...parts.flatMap((part: { required: string[] }) => part.required)],
    };
  }
});
