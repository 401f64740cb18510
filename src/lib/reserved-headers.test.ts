import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isReservedHeader } from './reserved-headers.ts';

describe('isReservedHeader', () => {
  for (const name of [
    'forwarded',
    'x-forwarded-for',
    'x-forwarded-user',
    'x-real-ip',
    'true-client-ip',
    'cf-connecting-ip',
    'x-user',
    'x-userid',
    'x-user-email',
    'x-remote-user',
    'remote-user',
    'x-auth-request-email',
    'x-authenticated-userid',
    'x-consumer-id',
    'x-client-cert',
    'x-client-cert-dn',
    'client-cert',
    'x-ssl-client-verify',
    'x-jwt-claim-sub',
    'x-sallyport-principal',
    'x-original-url',
    'x-rewrite-url',
    'x-http-method-override',
    'proxy',
    'x-middleware-subrequest',
  ]) {
    it(`${name} is the gateway’s to say`, () => assert.equal(isReservedHeader(name), true));
  }

  for (const name of [
    'authorization',
    'cookie',
    'host',
    'x-api-key',
    'x-request-id',
    'x-user-agent',
    'user-agent',
    'x-requested-with',
    'x-csrf-token',
    'origin',
    'traceparent',
    'via',
    'constructor',
  ]) {
    it(`${name} is the client’s`, () => assert.equal(isReservedHeader(name), false));
  }
});
