import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { splitFieldLines } from './field-lines.ts';
import { MalformedMessage } from './malformed-message.ts';

describe('field lines', () => {
  // biome-ignore format: aligned on purpose, one case a row
  const split: readonly [why: string, text: string, fields: readonly string[]][] = [
    ['none',                                     '',                       []],
    ['one',                                      'A: b',                   ['A', 'b']],
    ['several, in their order and case',         'B: 1\r\na: 2\r\nB: 3',   ['B', '1', 'a', '2', 'B', '3']],
    ['an empty value',                           'A:\r\nB: \t ',           ['A', '', 'B', '']],
    ['no blank behind the colon',                'A:b',                    ['A', 'b']],
    ['blanks and tabs around a value',           'A: \t b c \t\r\nD: e',   ['A', 'b c', 'D', 'e']],
    ['colons in a value',                        'A: b:c: d',              ['A', 'b:c: d']],
    ['other white space, which is part of it',   'A: \x0bb\xa0',           ['A', '\x0bb\xa0']],
    // For the caller to refuse: these stay where they stood.
    ['a bare LF in a value',                     'A: b\nC: d',             ['A', 'b\nC: d']],
    ['a bare CR in a value',                     'A: b\rC: d',             ['A', 'b\rC: d']],
    ['a bare LF in a name',                      'A\nB: c',                ['A\nB', 'c']],
    ['a blank before the colon',                 'A : b',                  ['A ', 'b']],
    ['a blank before the name',                  ' A: b',                  [' A', 'b']],
  ];
  for (const [why, text, fields] of split) {
    it(`${why}: are told apart`, () => {
      assert.deepEqual(splitFieldLines(text, 0, 10), fields);
      assert.deepEqual(splitFieldLines(`before: x${text}`, 'before: x'.length, 10), fields);
    });
  }

  for (const [why, text] of [
    ['a line without a colon', 'A'],
    ['a line without a colon before one with it', 'A\r\nB: c'],
    ['a line without a name', ': b'],
    ['an empty line', '\r\nA: b'],
    ['an empty line between', 'A: b\r\n\r\nC: d'],
    ['a folded line', 'A: b\r\n c'],
  ] as const) {
    it(`${why} is refused`, () => {
      assert.throws(() => splitFieldLines(text, 0, 10), MalformedMessage);
    });
  }

  it('are counted, and one too many passes a limit', () => {
    assert.equal(splitFieldLines('A: b\r\n'.repeat(3).slice(0, -2), 0, 3).length, 6);
    assert.throws(
      () => splitFieldLines('A: b\r\n'.repeat(4).slice(0, -2), 0, 3),
      (error) => error instanceof MalformedMessage && error.exceedsLimit,
    );
    assert.throws(
      () => splitFieldLines('A', 0, 0),
      (error) => error instanceof MalformedMessage && !error.exceedsLimit,
    );
  });

  it('come back as they were written', () => {
    const name = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,10}$/);
    const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]{0,10}[!-~\x80-\xff])?)?$/);
    const blanks = fc.stringMatching(/^[ \t]{0,3}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(name, blanks, value, blanks), { maxLength: 8 }), (lines) => {
        const text = lines.map(([key, before, word, after]) => `${key}:${before}${word}${after}`).join('\r\n');
        assert.deepEqual(
          splitFieldLines(text, 0, 8),
          lines.flatMap(([key, , word]) => [key, word]),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('of any octets are one field a line, or refused', () => {
    const octets = fc.string({ unit: fc.constantFrom('A', 'b', ':', ' ', '\t', '\r', '\n', '\r\n', '\0', '\xff') });
    fc.assert(
      fc.property(octets, (text) => {
        const lines = text.split('\r\n');
        if (lines.at(-1) === '') lines.pop();
        if (lines.every((line) => line.indexOf(':') > 0)) {
          const expected = lines.flatMap((line) => {
            const [, name, value] = /^([^:]+):[ \t]*([\s\S]*?)[ \t]*$/.exec(line) ?? [];
            return [name, value];
          });
          assert.deepEqual(splitFieldLines(text, 0, 1000), expected);
        } else {
          assert.throws(() => splitFieldLines(text, 0, 1000), MalformedMessage);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
