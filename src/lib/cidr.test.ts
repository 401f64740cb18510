import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalAddress, compileCidrs } from './cidr.ts';

test('the spellings of one address have one canonical spelling', () => {
  const spellings: Readonly<Record<string, readonly string[]>> = {
    '1.2.3.4': ['1.2.3.4', '::ffff:1.2.3.4', '::FFFF:102:304', '0:0:0:0:0:ffff:1.2.3.4', '::ffff:1.2.3.4%eth0'],
    '::': ['::', '0:0:0:0:0:0:0:0'],
    '::1': ['::1', '0:0:0:0:0:0:0:1'],
    '2001:db8::1': ['2001:db8::1', '2001:0DB8:0:0:0:0:0:0001', '2001:db8:0:0::1'],
    '2001:db8:0:1:1:1:1:1': ['2001:db8:0:1:1:1:1:1', '2001:db8::1:1:1:1:1'],
    '2001:0:0:1::1': ['2001:0:0:1:0:0:0:1'],
    // Not mapped, though they look alike: the mapped form has ffff in its sixth group.
    '::ffff:1': ['::ffff:1', '::255.255.0.1'],
    '::ffff:1:2:3': ['::ffff:1:2:3', '0:0:0:0:ffff:1:2:3'],
    'fe80::1': ['fe80::1', 'fe80::1%eth0', 'FE80::1%25', 'fe80:0::0:1%1'],
    '64:ff9b::102:304': ['64:ff9b::1.2.3.4'],
  };
  for (const [canonical, written] of Object.entries(spellings)) {
    for (const text of written) assert.equal(canonicalAddress(text), canonical, text);
  }
});

test('what is no address has no canonical spelling', () => {
  const texts = [
    '',
    ' ',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '0x7f.1',
    '1.2.3.4 ',
    '1.2.3.4%eth0',
    '::1::',
    ':::',
  ];
  for (const text of [
    ...texts,
    'fe80::%',
    '12345::',
    '[::1]',
    '1.2.3.4:80',
    '::ffff:1.2.3',
    'localhost',
    '__proto__',
    '١.2.3.4',
  ]) {
    assert.equal(canonicalAddress(text), undefined, text);
  }
});

test('a matcher knows exactly the addresses of its blocks', () => {
  const isInside = matcher([
    '10.0.0.0/8',
    '192.0.2.7',
    '2001:db8::/33',
    '::ffff:198.51.100.0/120',
    '0.0.0.0/32',
    '255.255.255.255',
  ]);
  for (const inside of [
    '10.0.0.0',
    '10.255.255.255',
    '192.0.2.7',
    '2001:db8:7fff::',
    '198.51.100.255',
    '0.0.0.0',
    '255.255.255.255',
  ]) {
    assert.equal(isInside(inside), true, inside);
  }
  for (const outside of [
    '9.255.255.255',
    '11.0.0.0',
    '192.0.2.6',
    '192.0.2.8',
    '2001:db8:8000::',
    '198.51.101.0',
    '::a00:1',
    '::c000:207',
  ]) {
    assert.equal(isInside(outside), false, outside);
  }
});

test('no block matches no address; the widest match all of their family', () => {
  assert.equal(matcher([])('10.0.0.1'), false);
  const everyIpv4 = matcher(['0.0.0.0/0']);
  assert.equal(everyIpv4('255.255.255.255'), true);
  assert.equal(everyIpv4('::ffff:1.2.3.4'), true);
  assert.equal(everyIpv4('::1'), false);
  const everyIpv6 = matcher(['::/0']);
  assert.equal(everyIpv6('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'), true);
  assert.equal(everyIpv6('1.2.3.4'), false);
});

test('a text that is no block throws instead of matching nothing', () => {
  assert.throws(() => compileCidrs(['10.0.0.0/8', '10.0.0.0/33']), /"10\.0\.0\.0\/33" is not a block/);
});

test('a matcher agrees with comparing bits one by one', () => {
  fc.assert(
    fc.property(
      fc.array(block(), { maxLength: 12 }),
      fc.array(address(), { minLength: 1, maxLength: 12 }),
      (blocks, others) => {
        const isInside = matcher(blocks.map((each) => `${each.text}/${each.prefix}`));
        // The blocks' own addresses lie at their borders, where a search goes wrong first.
        for (const each of [...others, ...blocks]) {
          const expected = blocks.some(
            (one) => one.bits.length === each.bits.length && each.bits.startsWith(one.bits.slice(0, one.length)),
          );
          for (const spelling of each.spellings)
            assert.equal(isInside(spelling), expected, `${spelling} in ${JSON.stringify(blocks)}`);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test('every spelling of an address has the same canonical one, of its own family', () => {
  fc.assert(
    fc.property(address(), ({ bits, spellings }) => {
      const [canonical, ...others] = new Set(spellings.map(canonicalAddress));
      assert.deepEqual(others, [], spellings.join(' '));
      assert.ok(canonical !== undefined);
      assert.equal(canonicalAddress(canonical), canonical);
      assert.equal(isIP(canonical), bits.length === 32 ? 4 : 6);
    }),
    { numRuns: 2000 },
  );
});

test('two addresses never share a canonical spelling', () => {
  fc.assert(
    fc.property(address(), address(), (one, other) => {
      const same = one.bits === other.bits;
      assert.equal(canonicalAddress(one.text) === canonicalAddress(other.text), same, `${one.text} ${other.text}`);
    }),
    { numRuns: 2000 },
  );
});

test('any text is read or refused, never thrown at', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9A-Fa-f:.%/]{0,45}$/));
  fc.assert(
    fc.property(text, (each) => void canonicalAddress(each)),
    { numRuns: 5000 },
  );
});

/** An address as a string of 0s and 1s, and the ways to write it. */
interface ModelAddress {
  readonly bits: string;
  readonly text: string;
  readonly spellings: readonly string[];
}

function address(): fc.Arbitrary<ModelAddress> {
  return fc.oneof(ipv4(), ipv6());
}

/** Blocks that lie close to each other, so that they nest, touch and overlap. */
function block(): fc.Arbitrary<ModelAddress & { readonly prefix: number; readonly length: number }> {
  return fc.tuple(address(), fc.double({ min: 0, max: 1, noNaN: true })).map(([each, share]) => {
    const length = Math.round(share * each.bits.length);
    return { ...each, length, prefix: length };
  });
}

function ipv4(): fc.Arbitrary<ModelAddress> {
  const octet = fc.oneof(fc.constantFrom(0, 1, 127, 128, 254, 255), fc.nat(255));
  return fc.tuple(fc.constantFrom(10, 11, 192), octet, octet, octet).map((octets) => {
    const bits = octets.map((each) => each.toString(2).padStart(8, '0')).join('');
    const text = octets.join('.');
    const hex = [0, 16].map((at) => Number.parseInt(bits.slice(at, at + 16), 2).toString(16)).join(':');
    return { bits, text, spellings: [text, `::ffff:${text}`, `::FFFF:${hex}`, `0:0:0:0:0:ffff:${hex}%lo`] };
  });
}

function ipv6(): fc.Arbitrary<ModelAddress> {
  const group = fc.oneof(fc.constantFrom(0, 0, 0, 1, 0x7fff, 0x8000, 0xffff, 0xffff), fc.nat(0xffff));
  const groups = fc
    .array(group, { minLength: 8, maxLength: 8 })
    .filter((each) => !/^0,0,0,0,0,65535,/.test(String(each)));
  return groups.map((each) => {
    const hex = each.map((value) => value.toString(16));
    const bits = each.map((value) => value.toString(2).padStart(16, '0')).join('');
    const text = hex.join(':');
    const padded = hex.map((value) => value.toUpperCase().padStart(4, '0')).join(':');
    const shortened = text.replace(/(^|:)0(?::0)+(:|$)/, '::');
    const octets = [96, 104, 112, 120].map((at) => Number.parseInt(bits.slice(at, at + 8), 2));
    const mixed = `${hex.slice(0, 6).join(':')}:${octets.join('.')}`;
    return { bits, text, spellings: [text, padded, shortened, mixed, `${text}%eth0`] };
  });
}

function matcher(blocks: readonly string[]): (text: string) => boolean {
  const isInBlocks = compileCidrs(blocks);
  return (text) => {
    const canonical = canonicalAddress(text);
    assert.ok(canonical !== undefined, text);
    return isInBlocks(canonical);
  };
}
