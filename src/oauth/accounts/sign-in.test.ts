import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Secret, TOTP } from 'otpauth';
import { hashPassword, needsRehash } from '../../identity/password.ts';
import { newTotpSecret } from './one-time-code.ts';
import { PASSWORD, type SignInServer, startFleet } from './test-sign-in-server.ts';
import { authorizeUrl, formsOf, openVisitor } from './test-visitor.ts';

const WRONG = 'The username or the password is wrong.';

/** Of the word "password", with parameters that are not those of today. */
const OLD_HASH = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';

describe('sign-in', () => {
  let at: SignInServer;
  let clientId: string;
  before(async () => {
    ({ at, clientId } = await startFleet('ada'));
  });
  after(() => at.close());

  async function begin(more = {}) {
    const visitor = openVisitor(at);
    const page = await visitor.get(authorizeUrl(at, { clientId, more }));
    return { visitor, page };
  }

  test('a password leads to consent, and consent back to the app', async () => {
    const { visitor, page } = await begin();
    assert.equal(page.status, 200);
    const consent = await visitor.submit(page, 'password', { username: ' ADA ', password: PASSWORD });
    assert.match(consent.body, /Allow Fleet app\?/);
    assert.match(consent.body, /127\.0\.0\.1:\d+/);
    const [form] = formsOf(consent);
    assert(form);
    const done = await visitor.post(form.action, { ...form.fields, action: 'allow' });
    assert.equal(done.away?.origin, new URL(at.callback).origin);
    assert.notEqual(done.away?.searchParams.get('code'), null);
    assert.deepEqual(at.faults, []);
    const kinds = at.events.map((event) => event.type);
    assert(kinds.includes('user.signed-in') && kinds.includes('user.consented'));
  });

  test('deny sends access_denied to the app', async () => {
    const { visitor, page } = await begin();
    const consent = await visitor.submit(page, 'password', { username: 'ada', password: PASSWORD });
    const [form] = formsOf(consent);
    assert(form);
    const done = await visitor.post(form.action, { ...form.fields, action: 'deny' });
    assert.equal(done.away?.searchParams.get('error'), 'access_denied');
    assert.equal(done.away?.searchParams.get('code'), null);
  });

  test('cancel goes back without signing in', async () => {
    const { visitor, page } = await begin();
    const done = await visitor.submit(page, 'cancel');
    assert.equal(done.away?.searchParams.get('error'), 'access_denied');
  });

  test('the session gets a new id when somebody signs in (session fixation)', async () => {
    const { visitor, page } = await begin();
    const session = [...visitor.cookies.keys()].find((name) => name.endsWith('sallyport_session'));
    const planted = session === undefined ? undefined : visitor.cookies.get(session)?.value;
    const consent = await visitor.submit(page, 'password', { username: 'ada', password: PASSWORD });
    assert.equal(consent.status, 200);
    const first = visitor.cookies.get('sallyport_session')?.value;
    assert(first !== undefined && first !== planted);
    // Signing in again in the same browser changes it once more.
    const again = await visitor.get(authorizeUrl(at, { clientId, more: { prompt: 'login' } }));
    await visitor.submit(again, 'password', { username: 'ada', password: PASSWORD });
    assert.notEqual(visitor.cookies.get('sallyport_session')?.value, first);
  });

  test('what is wrong looks the same whether the account exists, is disabled or has no password (attack 47)', async () => {
    await at.addUser('off', { disabled: true });
    await at.addUser('keyless', { passwordHash: undefined });
    const pages = [];
    for (const [username, password] of [
      ['ada', 'not the password'],
      ['nobody', PASSWORD],
      ['off', PASSWORD],
      ['keyless', PASSWORD],
    ] as const) {
      const { visitor, page } = await begin();
      const answer = await visitor.submit(page, 'password', { username, password });
      assert.equal(answer.status, 400);
      assert(answer.body.includes(WRONG));
      pages.push(normal(answer.body));
    }
    assert.equal(new Set(pages).size, 1);
  });

  test('an unknown username is not written into the audit log', async () => {
    const { visitor, page } = await begin();
    await visitor.submit(page, 'password', { username: 'hunter2-my-password', password: 'x' });
    assert(
      at.events.some(
        (event) => event.type === 'user.sign-in-refused' && event.detail?.['reason'] === 'unknown-account',
      ),
    );
    assert(!JSON.stringify(at.events).includes('hunter2'));
  });

  test('what was typed comes back escaped', async () => {
    const { visitor, page } = await begin();
    const answer = await visitor.submit(page, 'password', { username: '"><script>alert(1)</script>', password: 'x' });
    assert(!answer.body.includes('<script>alert'));
    assert(answer.body.includes('value="&quot;&gt;&lt;script&gt;'));
  });

  test('a code is asked for after the password, and opens once', async () => {
    const secret = newTotpSecret();
    await at.addUser('tess', { totpSecret: secret });
    const totp = new TOTP({ secret: Secret.fromBase32(secret) });
    const { visitor, page } = await begin();
    const second = await visitor.submit(page, 'password', { username: 'tess', password: PASSWORD });
    assert.match(second.body, /six digits/);
    const wrong = await visitor.submit(second, 'code', { code: totp.generate({ timestamp: Date.now() - 600_000 }) });
    assert.equal(wrong.status, 400);
    const code = totp.generate();
    assert.match(
      (await visitor.submit(wrong, 'code', { code: `${code.slice(0, 3)} ${code.slice(3)}` })).body,
      /Allow Fleet app/,
    );

    const other = await begin();
    const again = await other.visitor.submit(other.page, 'password', { username: 'tess', password: PASSWORD });
    assert.equal((await other.visitor.submit(again, 'code', { code })).status, 400);
  });

  test('that the password was right counts in the browser and at the interaction where it was shown', async () => {
    const secret = newTotpSecret();
    await at.addUser('una', { totpSecret: secret });
    const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
    const one = await begin();
    const second = await one.visitor.submit(one.page, 'password', { username: 'una', password: PASSWORD });
    const pending = formsOf(second).find((form) => form.fields['pending'] !== undefined)?.fields['pending'];
    assert(pending !== undefined);
    const two = await begin();
    const stolen = await two.visitor.submit(two.page, 'password', { action: 'code', pending, code });
    assert.equal(stolen.status, 400);
    assert.match(stolen.body, /Sign in again/);
    const elsewhere = await one.visitor.get(authorizeUrl(at, { clientId }));
    const moved = await one.visitor.submit(elsewhere, 'password', { action: 'code', pending, code });
    assert.match(moved.body, /Sign in again/);
  });

  test('that the password was right counts for ten minutes, whatever is tried meanwhile', async (t) => {
    const secret = newTotpSecret();
    await at.addUser('vic', { totpSecret: secret });
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const { visitor, page } = await begin();
    const second = await visitor.submit(page, 'password', { username: 'vic', password: PASSWORD });
    t.mock.timers.tick(570_000);
    const wrong = await visitor.submit(second, 'code', { code: '12' });
    assert.match(wrong.body, /The code is wrong/);
    t.mock.timers.tick(60_000);
    const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
    assert.match((await visitor.submit(wrong, 'code', { code })).body, /Sign in again/);
  });

  test('that the password was right counts as long as it is the password', async () => {
    const secret = newTotpSecret();
    const user = await at.addUser('wil', { totpSecret: secret });
    const { visitor, page } = await begin();
    const second = await visitor.submit(page, 'password', { username: 'wil', password: PASSWORD });
    await at.records.users.update(user.id, { passwordHash: await hashPassword('another harbour, another dawn') }, []);
    const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
    assert.match((await visitor.submit(second, 'code', { code })).body, /Sign in again/);
  });

  test('a hash of older parameters is brought up to date on the way to the code', async () => {
    const secret = newTotpSecret();
    const user = await at.addUser('xan', { totpSecret: secret, passwordHash: OLD_HASH });
    const { visitor, page } = await begin();
    const second = await visitor.submit(page, 'password', { username: 'xan', password: 'password' });
    assert.equal(needsRehash((await at.records.users.find(user.id))?.passwordHash ?? ''), false);
    const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
    assert.match((await visitor.submit(second, 'code', { code })).body, /Allow Fleet app/);
  });

  test('somebody signed in when they showed who they are, not when their browser went on', async (t) => {
    const user = await at.addUser('yan');
    const start = Math.floor(Date.now() / 1000);
    t.mock.timers.enable({ apis: ['Date'], now: start * 1000 });
    const visitor = openVisitor(at, (url, options) => {
      if (url.includes('/authorize/')) t.mock.timers.tick(600_000);
      return fetch(url, options);
    });
    const page = await visitor.get(authorizeUrl(at, { clientId }));
    const consent = await visitor.submit(page, 'password', { username: 'yan', password: PASSWORD });
    assert.match(consent.body, /Allow Fleet app/);
    const { items } = await at.records.artifacts.list({ model: 'Session', accountId: user.id }, { limit: 1 });
    assert.equal(items[0]?.payload['loginTs'], start);
  });

  test('an interaction belongs to the browser that began it', async () => {
    const { page } = await begin();
    const stranger = openVisitor(at);
    const answer = await stranger.get(page.url);
    assert.equal(answer.status, 400);
    assert.match(answer.body, /Start again/);
  });

  /** A page without what is random or was typed. */
  function normal(body: string): string {
    return body
      .replaceAll(/value="[^"]*"/g, '')
      .replaceAll(/data-options="[^"]*"/g, '')
      .replaceAll(/interaction\/[\w-]+/g, '');
  }
});
