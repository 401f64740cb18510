import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HeaderList } from './header-list.ts';

const FUZZ = Number(process.env['SALLYPORT_FUZZ'] ?? 1);

describe('HeaderList', () => {
  it('finds fields in any case and keeps the case they came in', () => {
    const list = new HeaderList(['X-One', '1', 'x-ONE', '2', 'Two', '']);
    assert.equal(list.get('x-one'), '1');
    assert.deepEqual(list.all('x-one'), ['1', '2']);
    assert.equal(list.joined('x-one'), '1, 2');
    assert.equal(list.joined('two'), '');
    assert.deepEqual([list.all('three'), list.joined('three')], [[], undefined]);
    assert.equal(list.get('two'), '');
    assert.equal(list.has('two'), true);
    assert.equal(list.has('three'), false);
    assert.deepEqual(list.raw, ['X-One', '1', 'x-ONE', '2', 'Two', '']);
  });

  it('never takes a value for a name', () => {
    const list = new HeaderList(['a', 'b', 'c', 'a']);
    assert.equal(list.has('b'), false);
    list.remove('b');
    assert.deepEqual(list.raw, ['a', 'b', 'c', 'a']);
  });

  it('removes neighbours of one name', () => {
    const list = new HeaderList(['A', '1', 'a', '2', 'b', '3', 'A', '4']);
    list.remove('a');
    assert.deepEqual(list.raw, ['b', '3']);
  });

  it('knows no fields it was not given, whatever objects inherit', () => {
    const list = new HeaderList([]);
    for (const name of ['__proto__', 'constructor', 'tostring']) assert.equal(list.get(name), undefined);
    list.append('__proto__', 'x');
    assert.equal(list.get('__proto__'), 'x');
  });

  it('agrees with a plain list of pairs under any edits', () => {
    const name = fc.constantFrom('a', 'A', 'b', 'x-c', 'X-C');
    const edit = fc.record({
      kind: fc.constantFrom('append', 'set', 'remove'),
      name,
      value: fc.string({ maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 20 }), (edits) => {
        const list = new HeaderList([]);
        let pairs: { name: string; value: string }[] = [];
        for (const { kind, name: written, value } of edits) {
          const same = (pair: { name: string }) => pair.name.toLowerCase() === written.toLowerCase();
          if (kind === 'append') {
            list.append(written, value);
            pairs.push({ name: written, value });
          } else if (kind === 'remove') {
            list.remove(written.toLowerCase());
            pairs = pairs.filter((pair) => !same(pair));
          } else {
            list.set(written, value);
            const at = pairs.findIndex(same);
            if (at < 0) pairs.push({ name: written, value });
            else {
              pairs[at] = { name: written, value };
              pairs = pairs.filter((pair, index) => index <= at || !same(pair));
            }
          }
        }
        assert.deepEqual(
          list.raw,
          pairs.flatMap((pair) => [pair.name, pair.value]),
        );
      }),
      { numRuns: 500 * FUZZ },
    );
  });
});
