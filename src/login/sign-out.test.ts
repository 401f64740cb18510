import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { ORIGIN, startTestLogin, type TestLogin } from './test-login.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const OWN_FORM = { ...FORM, origin: ORIGIN, 'sec-fetch-site': 'same-origin' };

describe('signing out', () => {
  let login: TestLogin;
  before(async () => {
    login = await startTestLogin();
  });
  after(() => login.close());

  it('ends the session, takes the tokens back and leads to the end of the session at the provider', async () => {
    const { browser, session } = await login.signedIn();
    const reply = await browser.visit(`${ORIGIN}/.auth/logout`, { method: 'POST', headers: OWN_FORM });
    assert.equal(reply.status, 303);
    const place = new URL(String(reply.headers['location']));
    assert.equal(place.origin, login.provider.issuer);
    assert.equal(place.searchParams.get('id_token_hint'), session.idToken);
    assert.equal(place.searchParams.get('post_logout_redirect_uri'), `${ORIGIN}/`);
    assert.equal(browser.jar.get(ORIGIN)?.size, 0);
    assert.equal(await login.records.sessions.find(session.id), undefined);
    assert.ok(login.provider.seen.includes('POST /token/revocation'));
    assert.equal((await browser.visit(place.href)).status, 200, 'the provider accepts what it is told');
  });

  for (const [what, headers] of Object.entries({
    'another site': { ...FORM, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    'a neighbour of the same site': { ...FORM, origin: 'https://other.example.com', 'sec-fetch-site': 'same-site' },
    'a sandboxed frame': { ...FORM, origin: 'null' },
    'nobody knows where': FORM,
  })) {
    it(`is not done for a form of ${what}`, async () => {
      const { browser, session } = await login.signedIn();
      const reply = await browser.visit(`${ORIGIN}/.auth/logout`, { method: 'POST', headers });
      assert.equal(reply.status, 403);
      assert.ok((await login.records.sessions.find(session.id)) !== undefined);
    });
  }

  it('leads to the page of the application that it names, through the provider and without one', async () => {
    const elsewhere = await startTestLogin({ settings: { afterLogout: '/goodbye' } });
    try {
      const { browser } = await elsewhere.signedIn();
      const visit = { method: 'POST', headers: OWN_FORM } as const;
      const reply = await browser.visit(`${ORIGIN}/.auth/logout`, visit);
      const place = new URL(String(reply.headers['location']));
      assert.equal(place.searchParams.get('post_logout_redirect_uri'), `${ORIGIN}/goodbye`);
      assert.equal((await browser.visit(place.href)).status, 200, 'the provider accepts it');
      assert.equal((await browser.visit(`${ORIGIN}/.auth/logout`, visit)).headers['location'], '/goodbye');
    } finally {
      await elsewhere.close();
    }
  });

  it('leaves the cookie alone where a browser has kept it out of a form of another site', async () => {
    const headers = { ...FORM, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    const reply = await login.browser().visit(`${ORIGIN}/.auth/logout`, { method: 'POST', headers });
    assert.equal(reply.status, 303);
    assert.deepEqual(reply.setCookies, []);
  });

  it('works without scripts from a page with a button, even in a browser that says nothing of origins', async () => {
    const { browser, session } = await login.signedIn();
    const page = await browser.visit(`${ORIGIN}/.auth/logout`);
    assert.ok((await login.records.sessions.find(session.id)) !== undefined, 'a link alone does nothing');
    const csrf = /name="csrf" value="([\w-]+)"/.exec(page.text)?.[1];
    const body = `csrf=${csrf}`;
    const reply = await browser.visit(`${ORIGIN}/.auth/logout`, { method: 'POST', headers: FORM, body });
    assert.equal(reply.status, 303);
    assert.equal(await login.records.sessions.find(session.id), undefined);
  });

  it('clears a cookie that opens nothing', async () => {
    const browser = login.browser();
    browser.jar.set(ORIGIN, new Map([['__Host-sallyport-web', 'web.AAAA']]));
    const reply = await browser.visit(`${ORIGIN}/.auth/logout`, { method: 'POST', headers: OWN_FORM });
    assert.equal(reply.headers['location'], '/');
    assert.equal(browser.jar.get(ORIGIN)?.size, 0);
  });
});

describe('back-channel logout', () => {
  let login: TestLogin;
  before(async () => {
    login = await startTestLogin();
  });
  after(() => login.close());

  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  let ids = 0;

  function claims(change: JWTPayload): JWTPayload {
    ids += 1;
    const iat = Math.floor(Date.now() / 1_000);
    const base = { iss: login.provider.issuer, aud: 'gateway', iat, exp: iat + 120, jti: `jti-${ids}`, events };
    return { ...base, ...change };
  }

  async function tell(token: string): Promise<{ readonly status: number; readonly text: string }> {
    const body = new URLSearchParams({ logout_token: token }).toString();
    return login.browser().visit(`${ORIGIN}/.auth/backchannel-logout`, { method: 'POST', headers: FORM, body });
  }

  it('comes from the provider when somebody signs out there', async () => {
    const { browser, session } = await login.signedIn();
    assert.ok(session.sid !== undefined);
    const page = await browser.visit(`${login.provider.issuer}/session/end`);
    const secret = /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
    const body = new URLSearchParams({ xsrf: secret, logout: 'yes' }).toString();
    await browser.visit(`${login.provider.issuer}/session/end/confirm`, { method: 'POST', headers: FORM, body });
    assert.equal(await login.records.sessions.find(session.id), undefined, login.log.join('\n'));
  });

  it('ends one session by sid, all of a person by sub, and nobody else’s', async () => {
    const [one, two] = [await login.signedIn(), await login.signedIn()];
    login.provider.account = 'bob';
    const bob = await login.signedIn();
    login.provider.account = 'alice';
    const left = async (): Promise<boolean[]> => {
      const found = await Promise.all([one, two, bob].map(({ session }) => login.records.sessions.find(session.id)));
      return found.map((session) => session !== undefined);
    };
    const typ = { typ: 'logout+jwt' };
    assert.equal((await tell(await login.provider.sign(claims({ sid: one.session.sid }), typ))).status, 200);
    assert.deepEqual(await left(), [false, true, true]);
    assert.equal((await tell(await login.provider.sign(claims({ sub: 'alice' }), typ))).status, 200);
    assert.deepEqual(await left(), [false, false, true]);
  });

  it('counts once', async () => {
    const token = await login.provider.sign(claims({ sub: 'alice' }));
    assert.equal((await tell(token)).status, 200);
    const { session } = await login.signedIn();
    assert.equal((await tell(token)).status, 400);
    assert.ok((await login.records.sessions.find(session.id)) !== undefined);
  });

  it('is refused where anything of the token is wrong, and the session stays', async () => {
    const { session } = await login.signedIn();
    const { privateKey } = await generateKeyPair('RS256');
    const sub = 'alice';
    const old = Math.floor(Date.now() / 1_000) - 3_600;
    const forged = await new SignJWT(claims({ sub })).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign(privateKey);
    const shared = await new SignJWT(claims({ sub }))
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode('a-secret-of-a-test-and-of-nobody-else'));
    const unsigned = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify(claims({ sub })))}.`.replaceAll('=', '');
    const tokens: Readonly<Record<string, string>> = {
      'another key': forged,
      'a shared key': shared,
      'no signature': unsigned,
      'another issuer': await login.provider.sign(claims({ sub, iss: 'https://evil.example' })),
      'another audience': await login.provider.sign(claims({ sub, aud: 'another' })),
      'an ID token': session.idToken ?? '',
      'no event': await login.provider.sign(claims({ sub, events: {} })),
      'events that are none': await login.provider.sign(claims({ sub, events: 'logout' })),
      'a nonce': await login.provider.sign(claims({ sub, nonce: 'n' })),
      'nobody named': await login.provider.sign(claims({})),
      'a sid that is no text': await login.provider.sign(claims({ sid: 7, sub })),
      'no jti': await login.provider.sign(claims({ sub, jti: '' })),
      'long ago': await login.provider.sign(claims({ sub, iat: old, exp: old + 86_400 })),
      'run out': await login.provider.sign(claims({ sub, iat: old, exp: old + 60 })),
      'the type of an access token': await login.provider.sign(claims({ sub }), { typ: 'at+jwt' }),
      nonsense: 'x.y.z',
      nothing: '',
      'too long': 'x'.repeat(20_000),
    };
    for (const [what, token] of Object.entries(tokens)) assert.equal((await tell(token)).status, 400, what);
    assert.ok((await login.records.sessions.find(session.id)) !== undefined);
  });

  it('says so where the keys of the provider cannot be had, and works when they can', async () => {
    const fresh = await startTestLogin();
    try {
      const { session } = await fresh.signedIn();
      const iat = Math.floor(Date.now() / 1_000);
      const token = await fresh.provider.sign({ ...claims({ sub: 'alice' }), iss: fresh.provider.issuer, iat });
      fresh.provider.intercept = (request, response) => {
        if (request.url !== '/jwks') return false;
        response.writeHead(500).end();
        return true;
      };
      const tellFresh = async (): Promise<number> => {
        const body = new URLSearchParams({ logout_token: token }).toString();
        const place = `${ORIGIN}/.auth/backchannel-logout`;
        return (await fresh.browser().visit(place, { method: 'POST', headers: FORM, body })).status;
      };
      assert.equal(await tellFresh(), 503);
      fresh.provider.intercept = undefined;
      assert.equal(await tellFresh(), 200);
      assert.equal(await fresh.records.sessions.find(session.id), undefined);
    } finally {
      await fresh.close();
    }
  });
});
