import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compileCidrs } from '../lib/cidr.ts';
import { readClientAddress, readForwardedScheme } from './client-address.ts';
import { RequestFields } from './request-fields.ts';

const isTrusted = compileCidrs(['10.0.0.0/8', 'fd00::/8']);

function fields(values: Partial<Pick<RequestFields, 'forwarded' | 'forwardedFor' | 'forwardedProto'>>): RequestFields {
  return Object.assign(new RequestFields([]), values);
}

describe('readClientAddress', () => {
  // biome-ignore format: aligned on purpose, one case a row
  const lists: readonly [string | undefined, string | undefined][] = [
    [undefined,                              '10.0.0.9'],
    ['192.0.2.7',                            '192.0.2.7'],
    ['6.6.6.6, 192.0.2.7',                   '192.0.2.7'],
    ['192.0.2.7, 10.0.0.1 ,10.0.0.2',        '192.0.2.7'],
    ['garbage, 192.0.2.7, 10.0.0.1',         '192.0.2.7'],
    ['10.0.0.3, 10.0.0.1',                   '10.0.0.3'],
    ['192.0.2.7:4711',                       '192.0.2.7'],
    ['[2001:DB8::7]:4711',                   '2001:db8::7'],
    ['2001:DB8::7',                          '2001:db8::7'],
    ['::ffff:192.0.2.7',                     '192.0.2.7'],
    ['::ffff:10.0.0.1',                      '10.0.0.1'],
    ['192.0.2.7, fd00::1',                   '192.0.2.7'],
    ['unknown',                              undefined],
    ['192.0.2.7, garbage',                   undefined],
    ['192.0.2.7,',                           undefined],
    ['',                                     undefined],
    ['192.0.2.256',                          undefined],
    ['192.0.2.7/32',                         undefined],
    [`192.0.2.7${', 10.0.0.1'.repeat(40)}`,  undefined],
  ];
  for (const [list, client] of lists) {
    it(`X-Forwarded-For: ${list?.slice(0, 50)} → ${client}`, () => {
      assert.equal(readClientAddress(fields({ forwardedFor: list }), '10.0.0.9', isTrusted), client);
    });
  }

  // biome-ignore format: aligned on purpose, one case a row
  const elements: readonly [string, string | undefined][] = [
    ['for=192.0.2.7',                                       '192.0.2.7'],
    ['For="192.0.2.7:80";proto=http;by=10.0.0.1',           '192.0.2.7'],
    ['for=6.6.6.6, for="[2001:db8::7]:80", for=10.0.0.1',   '2001:db8::7'],
    ['for="6.6.6.6, for=7.7.7.7", for=192.0.2.7',           '192.0.2.7'],
    ['host="a;for=6.6.6.6";for=192.0.2.7',                  '192.0.2.7'],
    ['for=_hidden',                                         undefined],
    ['for=unknown',                                         undefined],
    ['for=192.0.2.7;for=192.0.2.8',                         undefined],
    ['for=192.0.2.7, proto=http',                           undefined],
    ['for=192.0.2.7,',                                      undefined],
    ['for="192.0.2.7',                                      undefined],
    ['for = 192.0.2.7',                                     undefined],
    ['nonsense',                                            undefined],
  ];
  for (const [forwarded, client] of elements) {
    it(`Forwarded: ${forwarded} → ${client}`, () => {
      assert.equal(readClientAddress(fields({ forwarded }), '10.0.0.9', isTrusted), client);
    });
  }

  it('believes two fields only where they agree', () => {
    assert.equal(
      readClientAddress(fields({ forwarded: 'for=192.0.2.7', forwardedFor: '192.0.2.7' }), '10.0.0.9', isTrusted),
      '192.0.2.7',
    );
    assert.equal(
      readClientAddress(fields({ forwarded: 'for=10.0.0.5', forwardedFor: '192.0.2.7' }), '10.0.0.9', isTrusted),
      undefined,
    );
    assert.equal(
      readClientAddress(fields({ forwarded: 'for=192.0.2.7', forwardedFor: '' }), '10.0.0.9', isTrusted),
      undefined,
    );
  });

  it('whatever stands left of an untrusted address changes nothing, and nothing throws', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (noise) => {
        assert.equal(
          readClientAddress(fields({ forwardedFor: `${noise}, 192.0.2.7, 10.0.0.1` }), '10.0.0.9', isTrusted),
          '192.0.2.7',
        );
        readClientAddress(fields({ forwarded: noise }), '10.0.0.9', isTrusted);
      }),
    );
  });
});

describe('readForwardedScheme', () => {
  it('is the nearest proxy’s word', () => {
    assert.equal(readForwardedScheme(fields({ forwardedProto: 'https' })), 'https');
    assert.equal(readForwardedScheme(fields({ forwardedProto: 'https, HTTP' })), 'http');
    assert.equal(readForwardedScheme(fields({ forwardedProto: 'gopher' })), undefined);
    assert.equal(readForwardedScheme(fields({})), undefined);
  });
});
