import assert from 'node:assert/strict';
import { after, before, describe, mock, test } from 'node:test';
import { calculateJwkThumbprint, decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';
import { openBrowser } from './test-browser.ts';
import { authorize, basic, CALLBACK, discover, exchange, insecure, post } from './test-flows.ts';
import { startTestServer, type TestServer } from './test-server.ts';

let at: TestServer;
let metadata: oauth.AuthorizationServer;
before(async () => {
  at = await startTestServer();
  metadata = await discover(at);
});
after(() => at.close());

describe('device flow', () => {
  const grant = 'urn:ietf:params:oauth:grant-type:device_code' as const;

  async function television() {
    const request = {
      name: 'Television',
      grant_types: [grant, 'refresh_token'],
      token_endpoint_auth_method: 'none',
    } as const;
    const { id } = await at.register({ ...request, grant_types: [...request.grant_types] });
    const client = { client_id: id };
    const response = await oauth.deviceAuthorizationRequest(
      metadata,
      client,
      oauth.None(),
      { scope: 'widgets:read' },
      insecure,
    );
    return { id, client, device: await oauth.processDeviceAuthorizationResponse(metadata, client, response) };
  }

  function poll(id: string, code: string) {
    return post(`${at.issuer}/token`, { grant_type: grant, client_id: id, device_code: code });
  }

  interface Shown {
    readonly form: { readonly action: string; readonly fields: Record<string, string> };
    readonly problem?: string;
    readonly userCode?: string;
    readonly client?: { readonly name: string };
  }

  test('a device gets tokens once a person has confirmed its code in a browser', async () => {
    const { id, client, device } = await television();
    assert.equal((await poll(id, device.device_code)).body['error'], 'authorization_pending');
    const browser = openBrowser(at.issuer);
    // The pages of these tests are JSON of what they were told.
    const input = JSON.parse((await browser.visit(device.verification_uri)).body) as Shown;
    const wrong = JSON.parse(
      (await browser.visit(input.form.action, { ...input.form.fields, user_code: 'AAAA-AAAA' })).body,
    ) as Shown;
    assert.equal(wrong.problem, 'unknown-code');
    const asked = await browser.visit(wrong.form.action, { ...wrong.form.fields, user_code: device.user_code });
    const confirm = JSON.parse(asked.body) as Shown;
    assert.equal(confirm.client?.name, 'Television');
    assert.equal(confirm.userCode, device.user_code);
    const done = await browser.visit(confirm.form.action, confirm.form.fields);
    assert.equal(done.body, 'connected Television');

    const response = await oauth.deviceCodeGrantRequest(metadata, client, oauth.None(), device.device_code, insecure);
    const tokens = await oauth.processDeviceCodeResponse(metadata, client, response);
    assert.equal(decodeJwt(tokens.access_token).sub, 'ada');
    assert.equal(typeof tokens.refresh_token, 'string');
    assert.equal((await poll(id, device.device_code)).body['error'], 'invalid_grant');
    assert.deepEqual(at.faults, []);
  });

  test('a person who refuses leaves the device without', async () => {
    const { id, device } = await television();
    const browser = openBrowser(at.issuer);
    const input = JSON.parse((await browser.visit(device.verification_uri)).body) as Shown;
    const asked = await browser.visit(input.form.action, { ...input.form.fields, user_code: device.user_code });
    const confirm = JSON.parse(asked.body) as Shown;
    const refused = JSON.parse(
      (await browser.visit(confirm.form.action, { ...confirm.form.fields, abort: 'yes' })).body,
    ) as Shown;
    assert.equal(refused.problem, 'aborted');
    assert.equal((await poll(id, device.device_code)).body['error'], 'access_denied');
  });

  test('whoever guesses codes is stopped, and nobody else', async () => {
    at.fields['x-forwarded-for'] = '203.0.113.5';
    const browser = openBrowser(at.issuer);
    let shown = JSON.parse((await browser.visit(`${at.issuer}/device`)).body) as Shown;
    const problems: unknown[] = [];
    for (let guess = 0; guess < 22; guess += 1) {
      shown = JSON.parse(
        (await browser.visit(shown.form.action, { ...shown.form.fields, user_code: 'BBBB-BBBB' })).body,
      ) as Shown;
      problems.push(shown.problem);
    }
    assert.deepEqual(problems.slice(-3), ['unknown-code', 'failed', 'failed']);
    const { device } = await television();
    const right = await browser.visit(shown.form.action, { ...shown.form.fields, user_code: device.user_code });
    assert.equal(right.status, 429);
    at.fields['x-forwarded-for'] = '192.0.2.7';
    shown = JSON.parse(right.body) as Shown;
    const elsewhere = await browser.visit(shown.form.action, { ...shown.form.fields, user_code: device.user_code });
    assert.equal((JSON.parse(elsewhere.body) as Shown).userCode, device.user_code);
  });

  test('a form that another site submits is refused', async () => {
    const { device } = await television();
    const browser = openBrowser(at.issuer);
    await browser.visit(device.verification_uri);
    const forged = { xsrf: 'guessed', user_code: device.user_code, confirm: 'yes' };
    const { status } = await browser.visit(`${at.issuer}/device`, forged);
    assert.equal(status, 400);
  });
});

describe('DPoP', () => {
  test('tokens are bound to the key of the proof, refresh tokens of public clients too', async () => {
    const { id } = await at.register({
      name: 'Bound',
      redirect_uris: [CALLBACK],
      token_endpoint_auth_method: 'none',
      dpop_bound_access_tokens: true,
    });
    const client = { client_id: id };
    const keys = await oauth.generateKeyPair('ES256', { extractable: true });
    const DPoP = oauth.DPoP({}, keys);
    const authorized = await authorize(at, { clientId: id });
    const tokens = await exchange({ ...authorized, metadata, client, auth: oauth.None(), options: { DPoP } });
    const thumbprint = await calculateJwkThumbprint(await exportJWK(keys.publicKey));
    assert.equal(tokens.token_type, 'dpop');
    assert.deepEqual(decodeJwt(tokens.access_token)['cnf'], { jkt: thumbprint });

    const stolen = { grant_type: 'refresh_token', client_id: id, refresh_token: String(tokens.refresh_token) };
    assert.equal((await post(`${at.issuer}/token`, stolen)).status, 400);
    const response = await oauth.refreshTokenGrantRequest(metadata, client, oauth.None(), stolen.refresh_token, {
      ...insecure,
      DPoP,
    });
    assert.equal((await oauth.processRefreshTokenResponse(metadata, client, response)).token_type, 'dpop');
  });

  test('a client that must prove possession gets nothing without', async () => {
    const client = await at.register({ name: 'Must', dpop_bound_access_tokens: true });
    const { status } = await post(
      `${at.issuer}/token`,
      { grant_type: 'client_credentials', scope: 'widgets:read' },
      basic(client),
    );
    assert.equal(status, 400);
  });

  test('attack 41: a proof counts once, for its method and address, while it is fresh', async () => {
    const client = await at.register({ name: 'Prover' });
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const url = `${at.issuer}/token`;
    const prove = (claims: Record<string, unknown>) =>
      new SignJWT({ jti: crypto.randomUUID(), htm: 'POST', htu: url, iat: Math.floor(Date.now() / 1000), ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .sign(privateKey);
    const ask = async (proof: string) =>
      (await post(url, { grant_type: 'client_credentials', scope: 'widgets:read' }, { ...basic(client), dpop: proof }))
        .status;
    const once = await prove({});
    const answers = await Promise.all([ask(once), ask(once), ask(once)]);
    assert.deepEqual(answers.sort(), [200, 400, 400]);
    for (const claims of [{ htm: 'GET' }, { htu: `${at.issuer}/par` }, { iat: 1_000 }]) {
      assert.equal(await ask(await prove(claims)), 400, JSON.stringify(claims));
    }
    // The window is five minutes both ways: one that is dated ahead is remembered for as long as it is fresh.
    const now = Date.now();
    const ahead = await prove({ iat: Math.floor(now / 1000) + 290 });
    assert.equal(await ask(ahead), 200);
    mock.timers.enable({ apis: ['Date'], now });
    try {
      for (const seconds of [301, 580]) {
        mock.timers.setTime(now + seconds * 1000);
        assert.equal(await ask(ahead), 400, `${seconds} s later`);
      }
    } finally {
      mock.timers.reset();
    }
  });
});
