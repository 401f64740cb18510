import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Records, StoreUnavailable } from '../stores/stores.ts';
import { authorize, basic, CALLBACK, post } from './test-flows.ts';
import { startTestServer } from './test-server.ts';

test('a refresh during which the store goes away can be tried again with the same token', async () => {
  let isAway = false;
  const unlessAway = <Outcome>(write: () => Promise<Outcome>): Promise<Outcome> =>
    isAway ? Promise.reject(new StoreUnavailable('gone between two writes')) : write();
  const at = await startTestServer({}, (records: Records) => ({
    ...records,
    artifacts: {
      ...records.artifacts,
      // Whatever is written of the new token is lost; what ends the old one would get through.
      upsert: (artifact, events) => unlessAway(() => records.artifacts.upsert(artifact, events)),
      replace: (consumed, successor) => unlessAway(() => records.artifacts.replace(consumed, successor)),
    },
  }));
  try {
    const app = await at.register({ name: 'App', redirect_uris: [CALLBACK] });
    const { visit, verifier } = await authorize(at, { clientId: app.id });
    const code = String(visit.away?.searchParams.get('code'));
    const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
    const { body } = await post(`${at.issuer}/token`, form, basic(app));
    const again = { grant_type: 'refresh_token', refresh_token: String(body['refresh_token']) };

    isAway = true;
    assert.equal((await post(`${at.issuer}/token`, again, basic(app))).status, 503);
    isAway = false;
    const renewed = await post(`${at.issuer}/token`, again, basic(app));
    assert.equal(renewed.status, 200, JSON.stringify(renewed.body));

    // The old one is spent all the same: its next use ends the grant.
    assert.equal((await post(`${at.issuer}/token`, again, basic(app))).body['error'], 'invalid_grant');
    const newest = { ...again, refresh_token: String(renewed.body['refresh_token']) };
    assert.equal((await post(`${at.issuer}/token`, newest, basic(app))).body['error'], 'invalid_grant');
  } finally {
    await at.close();
  }
});
