import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import Provider from 'oidc-provider';
import { Problem } from '../../errors/problem.ts';
import { inertServices } from '../../identity/inert-services.ts';
import { IssuerDirectory } from '../../identity/issuer-directory.ts';
import { issuerSettings } from '../../identity/issuer-settings.ts';
import { createIssuers } from '../../identity/issuer-view.ts';
import type { ControlLink } from '../../identity/link.ts';
import { HeaderList } from '../../lib/header-list.ts';
import type { AuthenticationOutcome, CompiledMethod } from '../authentication-method.ts';
import { publicRoute, testExchange } from '../test-exchange.ts';
import { oauthConfig } from './config.ts';
import { oauthMethod } from './oauth.ts';
import { AUDIENCE } from './test-issuer.ts';

const CLIENT = { id: 'partner', secret: 'a-secret-of-many-characters-for-tests' };

/** Another vendor's server, of which nothing is known here but its issuer. */
describe('oauth with a real issuer that is not ours', () => {
  let issuer = '';
  let handler: RequestListener = () => undefined;
  let jwksFetches = 0;
  let directory: IssuerDirectory;
  let method: CompiledMethod;
  let opaqueMethod: CompiledMethod;
  const server = createServer((request, response) => {
    if (request.url === '/jwks') jwksFetches += 1;
    handler(request, response);
  });

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // listening on TCP
    await run('PS256', 'first', 'jwt');
    directory = new IssuerDirectory({ onChange: (set) => issuers.note(set), onFault() {} });
    const link: ControlLink = {
      // Both questions of this room; what the types cannot see is that each gets its own answer.
      ask: ((question: string, facts: { issuer: string; refresh: boolean; token: string }) =>
        question === 'issuer.keys'
          ? directory.keys(facts.issuer, facts)
          : directory.introspect(facts.issuer, facts.token)) as ControlLink['ask'],
    };
    const issuers = createIssuers(link);
    const introspection = { clientId: CLIENT.id, clientSecret: CLIENT.secret };
    directory.update({ issuers: [issuerSettings.parse({ issuer, coolDown: '1s', introspection })], own: undefined });
    const context = { ...publicRoute, identity: { ...inertServices, issuers } };
    method = oauthMethod.compile(oauthConfig.parse({ issuer, audience: AUDIENCE }), context);
    opaqueMethod = oauthMethod.compile(
      oauthConfig.parse({ issuer, audience: AUDIENCE, opaque: 'introspect' }),
      context,
    );
  });

  after(async () => {
    await directory.close();
    server.closeAllConnections();
    server.close();
  });

  test('its tokens are good, through a change of keys and algorithm, with one fetch a change', async () => {
    const first = await token();
    assertCaller(await ask(method, first));
    assertCaller(await ask(method, first));
    assert.equal(jwksFetches, 1);

    await new Promise((resolve) => setTimeout(resolve, 1_050)); // the cool-down
    await run('ES256', 'second', 'jwt');
    const second = await token();
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => ask(method, second)));
    for (const outcome of outcomes) assertCaller(outcome);
    assert.equal(jwksFetches, 2);
    // The issuer has taken its old key back: what it proved does not count any more.
    assert.equal(codeOf(await ask(method, first)), 'invalid-token');
    assertCaller(await ask(method, second));
    assert.equal(jwksFetches, 2);
  });

  test('its opaque tokens are introspected, and end when it says so', async () => {
    await run('ES256', 'second', 'opaque');
    const opaque = await token();
    assertCaller(await ask(opaqueMethod, opaque));
    assert.equal(codeOf(await ask(opaqueMethod, `${opaque}x`)), 'invalid-token');
    await post('/token/revocation', { token: opaque });
    await new Promise((resolve) => setTimeout(resolve, 1_050)); // how long an answer is remembered
    assert.equal(codeOf(await ask(opaqueMethod, opaque)), 'invalid-token');
  });

  async function run(algorithm: 'PS256' | 'ES256', kid: string, format: 'jwt' | 'opaque'): Promise<void> {
    const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
    const jwk: JWK = { ...(await exportJWK(privateKey)), kid, alg: algorithm, use: 'sig' };
    const resourceServer = {
      scope: 'widgets:read',
      audience: AUDIENCE,
      accessTokenFormat: format,
      ...(format === 'jwt' ? { jwt: { sign: { alg: algorithm } } } : {}),
    };
    const provider = new Provider(issuer, {
      jwks: { keys: [jwk as Required<JWK>] }, // its types want every member of every kind of key
      clients: [
        {
          client_id: CLIENT.id,
          client_secret: CLIENT.secret,
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          id_token_signed_response_alg: algorithm,
        },
      ],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        introspection: { enabled: true },
        revocation: { enabled: true },
        resourceIndicators: { enabled: true, getResourceServerInfo: () => resourceServer },
      },
    });
    handler = provider.callback();
  }

  async function token(): Promise<string> {
    const form = { grant_type: 'client_credentials', resource: AUDIENCE, scope: 'widgets:read' };
    const answer: unknown = await (await post('/token', form)).json();
    return String(Object(answer).access_token);
  }

  async function post(path: string, form: Readonly<Record<string, string>>): Promise<Response> {
    const response = await fetch(issuer + path, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}` },
      body: new URLSearchParams(form),
    });
    assert.equal(response.status, 200, path);
    return response;
  }

  function assertCaller(outcome: AuthenticationOutcome): void {
    if (outcome instanceof Problem) assert.fail(outcome.internal ?? outcome.code);
    assert.ok(outcome !== undefined && 'kind' in outcome);
    assert.equal(outcome.kind, 'client');
    assert.equal(outcome.id, `${issuer}|${CLIENT.id}`);
    assert.deepEqual(outcome.scopes, ['widgets:read']);
  }
});

async function ask(method: CompiledMethod, token: string): Promise<AuthenticationOutcome> {
  return method.authenticate(testExchange({ headers: new HeaderList(['Authorization', `Bearer ${token}`]) }));
}

function codeOf(outcome: AuthenticationOutcome): string | undefined {
  return outcome instanceof Problem ? outcome.code : undefined;
}
