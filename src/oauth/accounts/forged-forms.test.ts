import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PASSWORD, type SignInServer, startFleet, startSignInServer } from './test-sign-in-server.ts';
import { authorizeUrl, formsOf, openVisitor, type PageVisit, type Visitor } from './test-visitor.ts';

describe('forms that another site made a browser send', () => {
  let at: SignInServer;
  let clientId: string;
  before(async () => {
    ({ at, clientId } = await startFleet('ada'));
  });
  after(() => at.close());

  /** The pages with forms, each in a fresh browser, and what a valid answer to the form would be. */
  const pages: Readonly<Record<string, (visitor: Visitor) => Promise<PageVisit>>> = {
    'sign-in': (visitor) => visitor.get(authorizeUrl(at, { clientId })),
    consent: async (visitor) =>
      visitor.submit(await visitor.get(authorizeUrl(at, { clientId })), 'password', {
        username: 'ada',
        password: PASSWORD,
      }),
    'account sign-in': (visitor) => visitor.get(`${at.issuer}/account`),
    account: async (visitor) =>
      visitor.submit(await visitor.get(`${at.issuer}/account`), 'password', { username: 'ada', password: PASSWORD }),
  };
  const answers = {
    action: 'allow',
    username: 'ada',
    password: PASSWORD,
    current: PASSWORD,
    new: 'another quiet harbour',
  };

  for (const [name, open] of Object.entries(pages)) {
    test(`${name}: every form is refused without its token, from elsewhere, and in another browser`, async () => {
      const visitor = openVisitor(at);
      const page = await open(visitor);
      assert.equal(page.status, 200);
      const forms = formsOf(page);
      assert(forms.length > 0);
      const before = JSON.stringify(await at.records.users.findByUsername('ada'));
      for (const { action, fields } of forms) {
        const whole: Record<string, string> = { ...answers, ...fields };
        const { ['csrf']: _, ...tokenless } = whole;
        const stranger = openVisitor(at);
        await stranger.get(`${at.issuer}/account`);
        // As though the session of the victim had been stolen by its cookies but for the one the token is bound to.
        for (const [cookie, value] of visitor.cookies)
          if (!cookie.includes('browser')) stranger.cookies.set(cookie, value);
        const refusals = [
          await visitor.post(action, tokenless),
          await visitor.post(action, { ...whole, csrf: 'x'.repeat(43) }),
          await visitor.post(action, whole, { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }),
          await visitor.post(action, whole, { origin: 'null' }),
          await visitor.post(action, whole, { 'sec-fetch-site': 'same-site' }),
          await stranger.post(action, whole),
        ];
        assert.deepEqual(
          refusals.map((one) => one.status),
          [403, 403, 403, 403, 403, 403],
          fields['action'] ?? name,
        );
        assert(refusals.every((one) => one.away === undefined));
      }
      assert.equal(JSON.stringify(await at.records.users.findByUsername('ada')), before);
    });
  }

  test('a token of one interaction is none at another', async () => {
    const visitor = openVisitor(at);
    const one = await visitor.get(authorizeUrl(at, { clientId }));
    const [form] = formsOf(one);
    const two = await visitor.get(authorizeUrl(at, { clientId }));
    const refused = await visitor.post(two.url, {
      ...form?.fields,
      action: 'password',
      username: 'ada',
      password: PASSWORD,
    });
    assert.equal(refused.status, 403);
  });

  test('forms of the device page and of signing out have the token of the protocol', async () => {
    const visitor = openVisitor(at);
    await visitor.get(`${at.issuer}/device`);
    const refused = await visitor.post(`${at.issuer}/device`, { user_code: 'BBBB-BBBB', xsrf: 'wrong' });
    assert.match(refused.body, /That did not work/);
    await pages['consent']?.(visitor);
    await visitor.get(`${at.issuer}/logout`);
    const session = visitor.cookies.get('sallyport_session')?.value;
    assert.equal((await visitor.post(`${at.issuer}/logout/confirm`, { logout: 'yes', xsrf: 'wrong' })).status, 400);
    assert.equal(visitor.cookies.get('sallyport_session')?.value, session);
  });

  test('fields twice, other types and what is too large are refused', async () => {
    const visitor = openVisitor(at);
    const page = await visitor.get(`${at.issuer}/account`);
    const cookie = [...visitor.cookies].map(([name, { value }]) => `${name}=${value}`).join('; ');
    const { origin } = new URL(at.issuer);
    const csrf = formsOf(page)[0]?.fields['csrf'] ?? '';
    for (const [type, body, status] of [
      ['application/x-www-form-urlencoded', `csrf=${csrf}&action=password&action=passkey`, 400],
      ['application/json', JSON.stringify({ csrf }), 400],
      ['text/plain', `csrf=${csrf}`, 400],
      ['application/x-www-form-urlencoded', `csrf=${csrf}&password=${'x'.repeat(70_000)}`, 413],
      ['application/x-www-form-urlencoded', `csrf=${csrf}&action=constructor`, 400],
    ] as const) {
      const answer = await fetch(page.url, { method: 'POST', headers: { cookie, origin, 'content-type': type }, body });
      assert.equal(answer.status, status, `${type} ${body.slice(0, 80)}`);
    }
    assert.equal((await fetch(page.url, { method: 'DELETE' })).status, 405);
  });

  test('pages cannot be framed, kept or read as another type', async () => {
    for (const open of Object.values(pages)) {
      const { headers } = await open(openVisitor(at));
      assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/);
      assert.equal(headers.get('x-frame-options'), 'DENY');
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('referrer-policy'), 'same-origin');
    }
  });

  test('cookies are HttpOnly, Lax, and behind TLS Secure with a prefix', async () => {
    const behindTls = await startSignInServer({ issuer: 'https://login.example.com/oauth' });
    try {
      // The app behind the gateway hears plain HTTP; the issuer says how browsers came.
      const { issuer, port: own } = behindTls;
      const page = await fetch(`http://127.0.0.1:${own}/oauth/account`);
      const [browser = ''] = page.headers.getSetCookie();
      assert.match(browser, /^__Host-sallyport_browser=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
      await behindTls.addUser('ada');
      const csrf = /name="csrf" value="([^"]*)"/.exec(await page.text())?.[1] ?? '';
      const entered = await fetch(`http://127.0.0.1:${own}/oauth/account`, {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie: browser.split(';')[0] ?? '', origin: new URL(issuer).origin },
        body: new URLSearchParams({ csrf, action: 'password', username: 'ada', password: PASSWORD }),
      });
      const cookies = entered.headers.getSetCookie();
      assert.equal(entered.status, 303);
      assert.match(
        cookies.join('\n'),
        /__Secure-sallyport_account=[\w-]{43}; Path=\/oauth\/account; HttpOnly; SameSite=Lax; Secure/,
      );
      assert.match(
        cookies.join('\n'),
        /__Secure-sallyport_known_browser=\S+; Path=\/oauth; HttpOnly; SameSite=Lax; Secure/,
      );
    } finally {
      await behindTls.close();
    }
  });
});
