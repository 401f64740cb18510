import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Problem } from '../../errors/problem.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { testExchange } from '../test-exchange.ts';
import { AUDIENCE, seconds } from './test-issuer.ts';
import { accepted, ask, assertRefused, compiled, known, refused } from './test-oauth.ts';

describe('oauth: opaque tokens', () => {
  const introspect = { opaque: 'introspect' };
  const answer = (claims: object = {}) => ({ active: true, sub: 'bob', aud: AUDIENCE, client_id: 'app', ...claims });

  test('are nobody’s where the file does not say introspect, and refused as nobody’s', async () => {
    const method = compiled(known(), {});
    const exchange = testExchange({ headers: new HeaderList(['Authorization', 'Bearer opaque']) });
    assert.equal(await method.authenticate(exchange), undefined);
    assertRefused(method.unclaimed?.(exchange), 'unknown-issuer');
  });

  test('are the issuer’s to judge; audience, issuer, time and purpose are ours', async () => {
    const services = known();
    const outcomes: readonly (readonly [Record<string, unknown>, string | undefined])[] = [
      [answer(), undefined],
      [answer({ exp: seconds() + 60 }), undefined],
      [{ active: false }, 'inactive'],
      [{ ...answer(), active: 'true' }, 'inactive'],
      [answer({ aud: 'https://evil.example' }), 'wrong-audience'],
      [answer({ aud: undefined }), 'bad-claims'],
      [answer({ exp: seconds() - 1 }), 'expired'],
      [answer({ iss: 'https://evil.example' }), 'unknown-issuer'],
      [answer({ typ: 'Refresh' }), 'not-an-access-token'],
    ];
    for (const [said, reason] of outcomes) {
      services.answers.set('opaque', said);
      if (reason === undefined) await accepted('opaque', introspect, services);
      else await refused('opaque', reason, introspect, services);
    }
  });

  test('are 503 where the issuer does not answer', async () => {
    const { outcome } = await ask(known(), ['Authorization', 'Bearer opaque'], introspect);
    assert.equal(outcome instanceof Problem && outcome.code, 'identity-unavailable');
  });
});
