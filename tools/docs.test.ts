import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { catalogue } from '../src/errors/catalogue.ts';
import { replaceParts } from './marked-part.ts';
import { optionTable } from './option-table.ts';
import { problemDocFaults, problemTable } from './problem-docs.ts';

describe('optionTable', () => {
  it('has a row for every option, however deep', () => {
    const table = optionTable(
      {
        required: ['name'],
        properties: {
          name: { type: 'string', description: 'A | B' },
          level: { enum: ['info', 'warn'], default: 'info' },
          wait: { type: 'string', pattern: '^(\\d{1,15})(ms|s|m|h|d)$', default: '30s' },
          tls: { anyOf: [{ const: 'none' }, { type: 'object', properties: { ca: { type: 'string' } } }] },
          targets: { type: 'array', items: { type: 'object', properties: { url: { type: 'string' } } } },
          named: {
            type: 'object',
            additionalProperties: { type: 'object', properties: { size: { type: 'integer', minimum: 1 } } },
          },
        },
      },
      { path: '', valuesPage: '../values.md' },
    );
    assert.deepEqual(table.split('\n').slice(2), [
      '| `name` | string | **required** | A \\| B |',
      '| `level` | `info`, `warn` | `info` |  |',
      '| `wait` | [duration](../values.md#values) | `30s` |  |',
      '| `tls` | `none` or object | – |  |',
      '| `tls.ca` | string | – |  |',
      '| `targets` | list of: object | – |  |',
      '| `targets[].url` | string | – |  |',
      '| `named` | object, by name | – |  |',
      '| `named.<name>.size` | integer, at least 1 | – |  |',
    ]);
  });

  it('leaves out what another table tells', () => {
    const node = { properties: { tls: { properties: { ca: { type: 'string' } } } } };
    const table = optionTable(node, { path: 'a', elsewhere: new Set(['tls']), valuesPage: '' });
    assert.match(table, /a\.tls/);
    assert.doesNotMatch(table, /a\.tls\.ca/);
  });
});

describe('replaceParts', () => {
  it('replaces what stands between the markers and nothing else', () => {
    const document = 'before\n<!-- options a -->\nold\n<!-- /options -->\nafter\n<!-- b --><!-- /b -->';
    const parts = [
      { name: 'options a', text: 'new' },
      { name: 'b', text: 'too' },
    ];
    const replaced = replaceParts(document, parts);
    assert.match(
      replaced,
      /^before\n<!-- options a -->\n\nnew\n\n<!-- \/options -->\nafter\n<!-- b -->\n\ntoo\n\n<!-- \/b -->$/,
    );
    assert.equal(replaceParts(replaced, parts), replaced);
  });

  for (const document of ['', '<!-- a -->', '<!-- /a --><!-- a -->', '<!-- a --><!-- a --><!-- /a -->']) {
    it(`refuses ${JSON.stringify(document)}`, () => {
      assert.throws(() => replaceParts(document, [{ name: 'a', text: '' }]), /marker/);
    });
  }
});

describe('docs/problems.md', () => {
  const document = readFileSync(join(import.meta.dirname, '../docs/problems.md'), 'utf8');

  it('explains every problem', () => {
    assert.deepEqual(problemDocFaults(document), []);
  });

  it('fails for a section that is missing, unknown or half written', () => {
    assert.deepEqual(problemDocFaults(document.replace('### no-route\n', '### no-road\n')), [
      'problem no-route has no section "### no-route"',
      'there is a section on no-road, which is no problem of the catalogue',
    ]);
    assert.deepEqual(problemDocFaults(document.replace('**As a client.** Use one of', 'Use one of')), [
      'the section on problem method-not-allowed has no paragraph **As a client.**',
    ]);
  });

  it('has a row for every problem', () => {
    assert.equal(problemTable().split('\n').length, Object.keys(catalogue).length + 2);
  });
});
