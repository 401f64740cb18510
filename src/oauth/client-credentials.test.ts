import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { startTestServer, type TestServer, VAULT, WIDGETS } from './test-server.ts';

const insecure = { [oauth.allowInsecureRequests]: true } as const;

describe('client credentials', () => {
  let at: TestServer;
  let metadata: oauth.AuthorizationServer;
  before(async () => {
    at = await startTestServer();
    const response = await oauth.discoveryRequest(new URL(at.issuer), { ...insecure, algorithm: 'oauth2' });
    metadata = await oauth.processDiscoveryResponse(new URL(at.issuer), response);
  });
  after(() => at.close());

  async function grant(
    client: { id: string; secret: string },
    auth: oauth.ClientAuth,
    parameters: Record<string, string>,
  ) {
    const response = await oauth.clientCredentialsGrantRequest(
      metadata,
      { client_id: client.id },
      auth,
      parameters,
      insecure,
    );
    return await oauth.processClientCredentialsResponse(metadata, { client_id: client.id }, response);
  }

  test('x', async () => {
    const client = await at.register({ name: 'a', scope: 'widgets:read' });
    const t = await grant(client, oauth.ClientSecretBasic(client.secret), { scope: 'widgets:read' });
    console.log(t, metadata, at.events, at.faults);
    console.log(oauth.getValidatedIdTokenClaims.length, WIDGETS, VAULT);
    assert.ok(t);
  });
});
