import assert from 'node:assert/strict';
import { Problem } from '../../errors/problem.ts';
import { Reply } from '../../exchange.ts';
import { HeaderList } from '../../lib/header-list.ts';
import type { AuthenticationOutcome } from '../authentication-method.ts';
import { publicRoute, testExchange } from '../test-exchange.ts';
import { oauthConfig } from './config.ts';
import { oauthMethod } from './oauth.ts';
import { AUDIENCE, ISSUER, TestServices, testSigner } from './test-issuer.ts';

export const es = await testSigner('ES256');
export const rs = await testSigner('RS256');

/** Services that know the keys of both. */
export function known(): TestServices {
  const services = new TestServices();
  services.know([es.jwk, rs.jwk]);
  return services;
}

/** Asserts that a Bearer token is refused, and why. */
export async function refused(token: string, reason: string, config = {}, services = known()): Promise<Problem> {
  const { outcome } = await ask(services, ['Authorization', `Bearer ${token}`], config);
  return assertRefused(outcome, reason);
}

/** Asserts that a Bearer token is good. */
export async function accepted(token: string, config = {}, services = known()) {
  const { outcome, exchange } = await ask(services, ['Authorization', `Bearer ${token}`], config);
  if (outcome instanceof Problem) assert.fail(outcome.internal ?? outcome.code);
  assert.ok(outcome !== undefined && !(outcome instanceof Reply));
  return { principal: outcome, exchange };
}

export function compiled(services: TestServices, config: object, facts: { readonly ownIssuer?: string } = {}) {
  const parsed = oauthConfig.parse({ issuer: ISSUER, audience: AUDIENCE, ...config });
  return oauthMethod.compile(parsed, { ...publicRoute, path: '/v1', ...facts, identity: services });
}

export async function ask(
  services: TestServices,
  headers: readonly string[],
  config: object,
  facts: { readonly ownIssuer?: string } = {},
) {
  const exchange = testExchange({ headers: new HeaderList([...headers]) });
  return { outcome: await compiled(services, config, facts).authenticate(exchange), exchange };
}

export function assertRefused(outcome: AuthenticationOutcome, reason: string): Problem {
  assert.ok(outcome instanceof Problem, `accepted where ${reason} was expected`);
  assert.equal(outcome.internal, `access token: ${reason}`);
  assert.equal(outcome.status, 401);
  return outcome;
}

export function part(members: object): string {
  return Buffer.from(JSON.stringify(members)).toString('base64url');
}
