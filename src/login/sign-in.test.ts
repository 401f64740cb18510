import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { sessionCookieName } from '../identity/session-cookie.ts';
import type { LoginSettings } from './login-settings.ts';
import { ORIGIN, startTestLogin, type TestLogin } from './test-login.ts';

const COOKIE = sessionCookieName('web');

for (const pushed of [false, true]) {
  describe(`signing in at a real provider, ${pushed ? 'with' : 'without'} pushed requests`, () => {
    let login: TestLogin;
    before(async () => {
      login = await startTestLogin({ pushed });
    });
    after(() => login.close());

    it('leads through the provider back to the page, with a session and no token in the browser', async () => {
      const browser = login.browser();
      const page = `${ORIGIN}/orders?page=2`;
      const back = await browser.follow(
        `${ORIGIN}/.auth/login?return_to=${encodeURIComponent('/orders?page=2')}`,
        (url) => url === page,
      );
      assert.equal(back.url, page, login.log.join('\n'));
      assert.equal(back.status, 303);
      assert.equal(back.headers['cache-control'], 'no-store');
      const set = back.setCookies.find((line) => line.startsWith(`${COOKIE}=`)) ?? '';
      assert.match(set, /^__Host-sallyport-web=web\.[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Lax$/);
      assert.equal(login.provider.seen.includes('POST /request'), pushed);

      const told = await browser.visit(`${ORIGIN}/.auth/session`);
      const session: unknown = JSON.parse(told.text);
      assert.partialDeepStrictEqual(session, {
        authenticated: true,
        issuer: login.provider.issuer,
        subject: 'alice',
        claims: { name: '<b>alice</b>', email: 'alice@example.com' },
        logout: '/.auth/logout',
      });
      const id = login.cookies.openSession(browser.jar.get(ORIGIN)?.get(COOKIE) ?? '')?.id ?? '';
      const stored = await login.records.sessions.find(id);
      assert.ok(stored?.accessToken !== undefined && stored.refreshToken !== undefined && stored.idToken !== undefined);
      const seen = `${told.text}${JSON.stringify([...(browser.jar.get(ORIGIN) ?? [])])}`;
      for (const secret of [id, stored.accessToken, stored.refreshToken, stored.idToken])
        assert.ok(!seen.includes(secret));
    });
  });
}

describe('a sign-in', () => {
  let login: TestLogin;
  before(async () => {
    login = await startTestLogin();
  });
  after(() => login.close());

  /** A browser at the moment before the callback. */
  async function beforeCallback() {
    const browser = login.browser();
    const { url } = await browser.follow(`${ORIGIN}/.auth/login`, (next) =>
      next.startsWith(`${ORIGIN}/.auth/callback`),
    );
    return { browser, callback: url };
  }

  it('asks for a code with PKCE, state and nonce, other ones each time', async () => {
    const browser = login.browser();
    const locations = await Promise.all(
      [1, 2].map(async () => new URL(String((await browser.visit(`${ORIGIN}/.auth/login`)).headers['location']))),
    );
    for (const { searchParams } of locations) {
      assert.equal(searchParams.get('response_type'), 'code');
      assert.equal(searchParams.get('code_challenge_method'), 'S256');
      assert.equal(searchParams.get('redirect_uri'), `${ORIGIN}/.auth/callback`);
      assert.equal(searchParams.get('scope'), 'openid profile email offline_access');
    }
    for (const name of ['state', 'nonce', 'code_challenge']) {
      const [first, second] = locations.map(({ searchParams }) => searchParams.get(name));
      assert.ok(first !== null && first !== second, name);
    }
  });

  for (const hostile of [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '/\t/evil.example',
    '/.auth/logout',
  ]) {
    it(`attack 46: returns to ${JSON.stringify(hostile)} only as /`, async () => {
      const start = `${ORIGIN}/.auth/login?return_to=${encodeURIComponent(hostile)}`;
      const browser = login.browser();
      const back = await browser.follow(
        start,
        (url) => !url.startsWith(login.provider.issuer) && !url.includes('/.auth/'),
      );
      assert.equal(back.headers['location'], '/');
    });
  }

  it('works in several tabs at once, and in too many with the newest', async () => {
    const browser = login.browser();
    const starts: string[] = [];
    for (let tab = 0; tab < 7; tab += 1)
      starts.push(String((await browser.visit(`${ORIGIN}/.auth/login?return_to=/tab-${tab}`)).headers['location']));
    assert.equal(browser.jar.get(ORIGIN)?.size, 4);
    const newest = await browser.follow(starts[6] ?? '', (url) => url === `${ORIGIN}/tab-6`);
    const before = await browser.follow(starts[4] ?? '', (url) => url === `${ORIGIN}/tab-4`);
    assert.deepEqual([newest.status, before.status], [303, 303]);
    const oldest = await browser.follow(starts[0] ?? '');
    assert.equal(oldest.status, 400);
  });

  it('counts once: a callback that is sent again finds nothing', async () => {
    const { browser, callback } = await beforeCallback();
    const kept = new Map(browser.jar.get(ORIGIN));
    assert.equal((await browser.visit(callback)).status, 303);
    assert.equal((await browser.visit(callback)).status, 400);
    browser.jar.set(ORIGIN, kept); // somebody kept a copy of the cookies
    const replayed = await browser.visit(callback);
    assert.equal(replayed.status, 400);
    assert.ok(!replayed.setCookies.some((line) => line.startsWith(`${COOKIE}=`)));
  });

  it('counts in the browser that began it alone', async () => {
    const { callback } = await beforeCallback();
    const victim = login.browser();
    const planted = await victim.visit(callback);
    assert.equal(planted.status, 400);
    assert.match(planted.text, /begun in another browser/);
    assert.equal(victim.jar.get(ORIGIN)?.size, 0);
  });

  it('refuses a state of another tab for this code, and a changed or doubled one', async () => {
    const { browser, callback } = await beforeCallback();
    const other = new URL(String((await browser.visit(`${ORIGIN}/.auth/login`)).headers['location']));
    const mixed = new URL(callback);
    mixed.searchParams.set('state', other.searchParams.get('state') ?? '');
    assert.equal((await browser.visit(mixed.href)).status, 400); // the verifier is another's: the provider refuses
    assert.equal((await browser.visit(`${callback}&state=x`)).status, 400);
    const unknown = new URL(callback);
    unknown.searchParams.set('state', 'x'.repeat(43));
    assert.equal((await browser.visit(unknown.href)).status, 400);
  });

  it('refuses an answer in the name of another issuer (RFC 9207)', async () => {
    const { browser, callback } = await beforeCallback();
    const mixed = new URL(callback);
    mixed.searchParams.set('iss', 'https://evil.example');
    const reply = await browser.visit(mixed.href);
    assert.equal(reply.status, 502);
    assert.ok(!reply.setCookies.some((line) => line.startsWith(`${COOKIE}=`)));
  });

  it('runs out', async () => {
    const { browser, callback } = await beforeCallback();
    login.now = Date.now() + 11 * 60_000;
    assert.equal((await browser.visit(callback)).status, 400);
    login.now = undefined;
  });

  it('gets a session of its own whatever cookie came along, and ends the one before', async () => {
    const { browser, session, cookie } = await login.signedIn();
    const planted = login.browser();
    planted.jar.set(ORIGIN, new Map([[COOKIE, cookie]]));
    login.provider.account = 'bob';
    await planted.follow(`${ORIGIN}/.auth/login`, (url) => url === `${ORIGIN}/`);
    login.provider.account = 'alice';
    const fresh = planted.jar.get(ORIGIN)?.get(COOKIE) ?? '';
    assert.notEqual(login.cookies.openSession(fresh)?.id, session.id);
    assert.equal(await login.records.sessions.find(session.id), undefined);
    assert.match((await browser.visit(`${ORIGIN}/.auth/session`)).text, /"authenticated":false/);
  });

  it('tells of a refusal in words of its own, and logs those of the provider', async () => {
    login.provider.refusal = { error: 'access_denied', error_description: '<script>alert(1)</script>' };
    const page = await login.browser().follow(`${ORIGIN}/.auth/login`);
    login.provider.refusal = undefined;
    assert.equal(page.status, 403);
    assert.match(page.text, /cancelled or refused[\s\S]*href="\/\.auth\/login"/);
    assert.ok(!page.text.includes('alert'));
    assert.match(String(page.headers['content-security-policy']), /^default-src 'none'; style-src 'sha256-/);
  });

  it('answers programs in RFC 9457 JSON', async () => {
    const reply = await login.browser().visit(`${ORIGIN}/.auth/callback?state=x`, { headers: { accept: '*/*' } });
    assert.equal(reply.headers['content-type'], 'application/problem+json');
    assert.partialDeepStrictEqual(JSON.parse(reply.text), { status: 400, code: 'bad-request' });
  });

  it('needs HTTPS, a path that is there and the right method', async () => {
    const browser = login.browser();
    const plain = await browser.visit(`${ORIGIN}/.auth/login`, { headers: { 'x-forwarded-proto': 'http' } });
    assert.equal(plain.status, 403);
    assert.equal((await browser.visit(`${ORIGIN}/.auth/other`)).status, 404);
    const post = await browser.visit(`${ORIGIN}/.auth/callback`, { method: 'POST' });
    assert.deepEqual([post.status, post.headers['allow']], [405, 'GET']);
  });
});

describe('a provider that takes the secret in the body alone', () => {
  it('gets it there, with pushed requests, codes and refresh tokens', async () => {
    const clientAuthentication = 'client_secret_post';
    const login = await startTestLogin({ pushed: true, clientAuthentication, settings: { clientAuthentication } });
    try {
      const shown: string[] = [];
      login.provider.intercept = ({ method, url, headers }) => {
        if (method === 'POST') shown.push(`${url} ${headers.authorization}`);
        return false;
      };
      const { session } = await login.signedIn();
      login.now = Date.now() + 595_000;
      assert.equal(await login.app.refresh(session.id), true);
      assert.deepEqual(shown, ['/request undefined', '/token undefined', '/token undefined']);
      assert.notEqual((await login.records.sessions.find(session.id))?.accessToken, session.accessToken);
    } finally {
      await login.close();
    }
  });
});

describe('two logins at one path', () => {
  it('are told apart by the route, whichever comes first', async () => {
    const ops: LoginSettings = {
      name: 'ops',
      issuer: 'http://127.0.0.1:1',
      clientId: 'ops',
      clientSecret: 'a-secret-of-operators-in-a-test',
      clientAuthentication: 'client_secret_basic',
      scopes: [],
      resource: undefined,
      path: '/.auth',
      afterLogout: '/',
      idle: 60_000,
      lifetime: 60_000,
      ca: undefined,
    };
    const login = await startTestLogin({ before: [ops] });
    try {
      await login.signedIn();
      const ask = async (name: string): Promise<number> =>
        (await login.browser().visit(`${ORIGIN}/.auth/login`, { headers: { 'x-sallyport-login': name } })).status;
      assert.equal(await ask('ops'), 503, 'nobody is at its provider');
      assert.equal(await ask('web'), 303);
      assert.equal(await ask('gone'), 404, 'a reload may have taken it away');
    } finally {
      await login.close();
    }
  });
});

describe('a sign-in that the provider or the way to it fails', () => {
  for (const pushed of [false, true]) {
    const place = pushed ? '/request' : '/token';

    it(`is told as such where the secret is a wrong one, at ${place}`, async () => {
      const login = await startTestLogin({ pushed, settings: { clientSecret: 'another-secret-than-the-registered' } });
      try {
        const page = await login.browser().follow(`${ORIGIN}/.auth/login`);
        assert.equal(page.status, 502);
        assert.match(page.text, /The provider did not accept the gateway\./);
        assert.match(login.log.join('\n'), /"provider":\{"status":401,"error":"invalid_client"/);
      } finally {
        await login.close();
      }
    });

    it(`is told as such where ${place} does not answer, and where it is in trouble`, async () => {
      const login = await startTestLogin({ pushed });
      try {
        for (const fail of [
          (response: ServerResponse) => response.destroy(),
          (response: ServerResponse) => response.writeHead(503).end(),
        ]) {
          login.provider.intercept = (request, response) => {
            if (request.url !== place) return false;
            fail(response);
            return true;
          };
          const page = await login.browser().follow(`${ORIGIN}/.auth/login?return_to=/a`);
          assert.equal(page.status, 503, login.log.join('\n'));
          assert.match(page.text, /The provider gives no answer/);
          assert.match(page.text, pushed ? /href="\/\.auth\/login\?return_to=\/a"/ : /href="\/\.auth\/login"/);
        }
        login.provider.intercept = (request, response) => {
          if (request.url !== place) return false;
          response.writeHead(200, { 'content-type': 'text/html' }).end('<p>');
          return true;
        };
        assert.equal((await login.browser().follow(`${ORIGIN}/.auth/login`)).status, 502);
      } finally {
        await login.close();
      }
    });
  }
});
