import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { hashClientSecret } from '../identity/client-keeper.ts';
import type { RegistrationRules } from './options.ts';
import { basic, discover, post } from './test-flows.ts';
import { startTestServer, type TestServer } from './test-server.ts';

const open: TestServer[] = [];
after(async () => {
  for (const at of open) await at.close();
});

async function start(dynamicRegistration: false | RegistrationRules): Promise<TestServer> {
  const at = await startTestServer({ features: { dynamicRegistration } });
  open.push(at);
  return at;
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function send(method: string, url: string, metadata: unknown, token?: string): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(metadata === undefined ? {} : { body: JSON.stringify(metadata) }),
  });
  const text = await response.text();
  // The endpoint answers with JSON objects or with nothing.
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

const everybody: RegistrationRules = { initialAccessToken: 'open', maxClients: 100, perAddress: 100 };
const app = {
  client_name: 'App',
  redirect_uris: ['https://app.example.com/callback'],
  grant_types: ['authorization_code'],
};

describe('dynamic registration', () => {
  test('is not there unless it is switched on', async () => {
    const at = await start(false);
    assert.equal((await discover(at)).registration_endpoint, undefined);
    assert.equal((await fetch(`${at.issuer}/register`, { method: 'POST' })).status, 404);
  });

  test('where it is gated, it takes the token that opens it', async () => {
    const gate = { initialAccessToken: { hash: hashClientSecret('let-me-in') }, maxClients: 10, perAddress: 10 };
    const at = await start(gate);
    const url = `${at.issuer}/register`;
    assert.equal((await send('POST', url, app)).status, 401);
    assert.equal((await send('POST', url, app, 'let-me-out')).status, 401);
    assert.equal((await send('POST', url, app, gate.initialAccessToken.hash)).status, 401);
    assert.equal((await send('POST', url, app, 'let-me-in')).status, 201);
    assert.equal(await at.records.clients.count('registered'), 1);
  });

  test('a client reads, changes and removes itself; its secret is shown once and stored hashed', async () => {
    const at = await start(everybody);
    const made = await send('POST', `${at.issuer}/register`, app);
    assert.equal(made.status, 201);
    const {
      client_id: id,
      client_secret: secret,
      registration_client_uri: uri,
      registration_access_token: token,
    } = made.body;
    const stored = await at.records.clients.find(String(id));
    assert.equal(stored?.secretHash, hashClientSecret(String(secret)));
    assert.ok(!JSON.stringify(stored).includes(String(secret)));
    assert.equal(stored.source, 'registered');
    assert.equal(String(uri), `${at.issuer}/register/${id}`);

    const read = await send('GET', String(uri), undefined, String(token));
    assert.equal(read.status, 200);
    assert.ok(!JSON.stringify(read.body).includes(stored.secretHash ?? 'none'));
    assert.equal(read.body['client_secret'], undefined);

    const {
      registration_client_uri: _uri,
      registration_access_token: _token,
      client_id_issued_at: _at,
      ...metadata
    } = read.body;
    const wrong = await send('PUT', String(uri), { ...metadata, client_secret: 'wrong' }, String(token));
    assert.equal(wrong.status, 400);
    const change = { ...metadata, client_name: 'Renamed', client_secret: secret };
    const changed = await send('PUT', String(uri), change, String(token));
    assert.equal(changed.status, 200, JSON.stringify(changed.body));
    assert.equal(changed.body['client_secret'], undefined);
    assert.equal((await at.records.clients.find(String(id)))?.name, 'Renamed');
    const client = { id: String(id), secret: String(secret) };
    const authenticates = async () => (await post(`${at.issuer}/introspect`, { token: 'x' }, basic(client))).status;
    assert.equal(await authenticates(), 200);

    assert.equal((await send('GET', String(uri), undefined, String(token))).status, 401);
    const newToken = String(changed.body['registration_access_token']);
    assert.equal((await send('DELETE', String(uri), undefined, newToken)).status, 204);
    assert.equal(await authenticates(), 401);
    const { items } = await at.records.audit.list({ subject: `client:${id}` }, { limit: 10 });
    assert.deepEqual(
      items.map(({ type }) => type),
      ['client.removed', 'client.updated', 'client.registered'],
    );
    assert.deepEqual(at.faults, []);
  });

  test('attack 45: a public client gets no secret', async () => {
    const at = await start(everybody);
    const { status, body } = await send('POST', `${at.issuer}/register`, {
      ...app,
      token_endpoint_auth_method: 'none',
    });
    assert.equal(status, 201);
    assert.equal(body['client_secret'], undefined);
    assert.equal((await at.records.clients.find(String(body['client_id'])))?.secretHash, undefined);
  });

  test('nobody gives itself what no person is asked about', async () => {
    const at = await start(everybody);
    for (const token_endpoint_auth_method of ['none', 'client_secret_basic']) {
      const machine = { token_endpoint_auth_method, grant_types: ['client_credentials'], response_types: [] };
      const { status, body } = await send('POST', `${at.issuer}/register`, { client_name: 'Machine', ...machine });
      assert.equal(status, 400);
      assert.match(String(body['error_description']), /client_credentials/);
    }
    assert.equal(await at.records.clients.count('registered'), 0);
  });

  test('attack 45: a flood is capped for its address, and in all', async () => {
    const at = await start({ initialAccessToken: 'open', maxClients: 6, perAddress: 4 });
    const url = `${at.issuer}/register`;
    const flood = await Promise.all(Array.from({ length: 10 }, () => send('POST', url, app)));
    assert.equal(flood.filter(({ status }) => status === 201).length, 4);
    assert.equal(flood.filter(({ status }) => status === 429).length, 6);
    at.fields['x-forwarded-for'] = '198.51.100.9';
    const more = await Promise.all(Array.from({ length: 4 }, () => send('POST', url, app)));
    assert.equal(more.filter(({ status }) => status === 201).length, 2);
    assert.equal(await at.records.clients.count('registered'), 6);
  });

  test('a client cannot say that somebody vouched for it', async () => {
    const at = await start(everybody);
    const { body } = await send('POST', `${at.issuer}/register`, { ...app, sallyport_source: 'config' });
    assert.equal(body['sallyport_source'], undefined);
    const stored = await at.records.clients.find(String(body['client_id']));
    assert.equal(stored?.source, 'registered');
    assert.equal(stored.metadata['sallyport_source'], undefined);
  });

  test('attack 43: redirect URIs that lead elsewhere are refused', async () => {
    const at = await start(everybody);
    for (const uri of [
      'javascript:alert(1)',
      'data:text/html,x',
      'https://*.example.com/callback',
      'https://app.example.com/*',
      'https://app.example.com/a/../callback',
      'https://app.example.com/%2e%2E/callback',
      'https://app.example.com/callback#fragment',
      'https://user@app.example.com/callback',
      'http://app.example.com/callback',
      'https://app.example.com\\@evil.example/',
      'custom:/callback',
      '/callback',
    ]) {
      for (const application_type of ['web', 'native']) {
        const { status, body } = await send('POST', `${at.issuer}/register`, {
          ...app,
          application_type,
          redirect_uris: [uri],
        });
        assert.equal(status, 400, uri);
        assert.match(String(body['error']), /^invalid_(redirect_uri|client_metadata)$/);
      }
    }
    assert.equal(await at.records.clients.count('registered'), 0);
  });
});
