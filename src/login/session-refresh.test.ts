import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { StoreUnavailable } from '../stores/stores.ts';
import { ORIGIN, startTestLogin, type TestLogin } from './test-login.ts';

describe('refreshing the tokens of a session', () => {
  let login: TestLogin;
  beforeEach(async () => {
    await login?.close();
    login = await startTestLogin();
  });
  after(() => login.close());

  const refreshes = (): number => login.provider.seen.filter((seen) => seen === 'POST /token').length;
  /** Moves the app's clock to just before the access token runs out, or past it. */
  const later = (seconds: number): void => {
    login.now = Date.now() + seconds * 1_000;
  };

  it('asks the provider once for all who want it at a time, in two processes', async () => {
    const { session } = await login.signedIn();
    const before = refreshes();
    later(595);
    const other = login.anotherApp();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) => (at % 2 === 0 ? login.app : other).refresh(session.id)),
    );
    assert.deepEqual(new Set(answers), new Set([true]));
    assert.equal(refreshes() - before, 1);
    const renewed = await login.records.sessions.find(session.id);
    assert.ok(renewed !== undefined && renewed.accessToken !== session.accessToken);
    assert.notEqual(renewed.refreshToken, session.refreshToken);
    assert.equal(renewed.subject, 'alice');
  });

  it('leaves a token alone that is good for a while', async () => {
    const { session } = await login.signedIn();
    const before = refreshes();
    assert.equal(await login.app.refresh(session.id), true);
    assert.equal(refreshes(), before);
  });

  it('loses no rotated token to a touch at the same time', async () => {
    const { session } = await login.signedIn();
    later(595);
    const [stands, touched] = await Promise.all([login.app.refresh(session.id), login.app.touch(session.id)]);
    assert.deepEqual([stands, touched], [true, true]);
    const renewed = await login.records.sessions.find(session.id);
    assert.notEqual(renewed?.refreshToken, session.refreshToken);
    assert.ok(renewed !== undefined && renewed.idleUntil > session.idleUntil);
    // The provider would refuse a token that was used before.
    later(595 + 600);
    assert.equal(await login.app.refresh(session.id), true);
  });

  it('ends the session where the provider refuses', async () => {
    const { session } = await login.signedIn();
    later(595);
    await login.records.sessions.update({ ...session, refreshToken: 'of-nobody' }, []);
    assert.equal(await login.app.refresh(session.id), false);
    assert.equal(await login.records.sessions.find(session.id), undefined);
    assert.equal(await login.app.refresh(session.id), false);
  });

  it('ends the session where another person comes out of it', async () => {
    const { session } = await login.signedIn();
    later(595);
    await login.records.sessions.update({ ...session, subject: 'bob' }, []);
    assert.equal(await login.app.refresh(session.id), false);
  });

  it('goes on with the old token while it lives and the provider does not answer, and rests between attempts', async () => {
    const { session } = await login.signedIn();
    login.provider.intercept = (request, response) => {
      if (request.url !== '/token') return false;
      response.writeHead(503).end();
      return true;
    };
    later(595);
    const before = refreshes();
    assert.equal(await login.app.refresh(session.id), true);
    assert.equal(await login.app.refresh(session.id), true);
    assert.equal(refreshes() - before, 1);
    later(601);
    await assert.rejects(login.app.refresh(session.id), StoreUnavailable);
    login.provider.intercept = undefined;
    later(611);
    assert.equal(await login.app.refresh(session.id), true);
  });

  it('rests as well where the provider refuses the gateway with a challenge, and keeps the session', async () => {
    const { session } = await login.signedIn();
    login.provider.intercept = (request, response) => {
      if (request.url !== '/token') return false;
      response.writeHead(401, { 'content-type': 'application/json', 'www-authenticate': 'Basic realm="token"' });
      response.end('{"error":"invalid_client","error_description":"the secret was changed"}');
      return true;
    };
    later(595);
    const before = refreshes();
    assert.equal(await login.app.refresh(session.id), true);
    assert.equal(await login.app.refresh(session.id), true);
    assert.equal(refreshes() - before, 1);
    assert.match(login.log.join('\n'), /could not be refreshed .*the secret was changed/);
    later(601);
    await assert.rejects(login.app.refresh(session.id), StoreUnavailable);
    login.provider.intercept = undefined;
    later(611);
    assert.equal(await login.app.refresh(session.id), true);
  });

  it('ends an expired session without a refresh token', async () => {
    const { session } = await login.signedIn();
    await login.records.sessions.update({ ...session, refreshToken: undefined }, []);
    later(595);
    assert.equal(await login.app.refresh(session.id), true);
    later(601);
    assert.equal(await login.app.refresh(session.id), false);
  });

  it('ends sessions of logins that are no more', async () => {
    const { session } = await login.signedIn();
    later(595);
    login.app.update([]);
    assert.equal(await login.app.refresh(session.id), false);
  });

  it('ends sessions of a client that the login had before, and the pages know them no more', async () => {
    const { browser, session } = await login.signedIn();
    later(595);
    login.app.update([{ ...login.settings, clientId: 'another' }]);
    const told = await browser.visit(`${ORIGIN}/.auth/session`);
    assert.match(told.text, /"authenticated":false/);
    assert.equal(await login.app.refresh(session.id), false);
    assert.equal(await login.records.sessions.find(session.id), undefined);
  });

  it('moves the idle time on, not past the end, and not with every use', async () => {
    const { session } = await login.signedIn();
    later(10);
    assert.equal(await login.app.touch(session.id), true);
    assert.equal((await login.records.sessions.find(session.id))?.idleUntil, session.idleUntil);
    later(60);
    await login.app.touch(session.id);
    const moved = await login.records.sessions.find(session.id);
    assert.equal(moved?.idleUntil, (login.now ?? 0) + login.settings.idle);
    later(12 * 3_600 - 60);
    await login.app.touch(session.id);
    assert.equal((await login.records.sessions.find(session.id))?.idleUntil, session.expiresAt);
    assert.equal(await login.app.touch('unknown'), false);
  });

  it('writes what happened to the audit log, without any token', async () => {
    const { session, cookie } = await login.signedIn();
    later(595);
    await login.app.refresh(session.id);
    const records = await login.records.audit.after(0, 100);
    assert.deepEqual(
      records.map(({ type }) => type),
      ['session.created', 'session.refreshed'],
    );
    const text = `${JSON.stringify(records)}${login.log.join('')}`;
    for (const secret of [session.id, cookie, session.accessToken, session.refreshToken, session.idToken])
      assert.ok(secret !== undefined && !text.includes(secret));
  });
});
