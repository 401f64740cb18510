import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Secret, TOTP } from 'otpauth';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { launchChromium } from '../../../test/support/chromium.ts';
import { skipUnless } from '../../../test/support/require-tool.ts';
import { newTotpSecret } from './one-time-code.ts';
import { PASSWORD, type SignInServer, startSignInServer } from './test-sign-in-server.ts';
import { authorizeUrl } from './test-visitor.ts';

const SCOPES = { scope: 'openid ships:read', more: { resource: 'https://api.example.com/ships' } };
/** Nothing is there: the browser is told what it would find. */
const WEB_CALLBACK = 'https://app.example.com/callback';

describe('pages in Chromium', { skip: skipUnless('chromium') }, () => {
  let at: SignInServer;
  let browser: Browser;
  let clientId: string;
  let webClientId: string;
  before(async () => {
    at = await startSignInServer();
    browser = await launchChromium();
    clientId = await at.register({
      name: 'Fleet app',
      redirect_uris: [at.callback],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    });
    webClientId = await at.register({ name: 'Web app', redirect_uris: [WEB_CALLBACK] });
    await at.addUser('ada');
  });
  after(async () => {
    await browser.close();
    await at.close();
  });

  /** A page in a browser of its own. What its console says of things it was not allowed is collected. */
  async function open(
    options: BrowserContextOptions = {},
  ): Promise<{ page: Page; breaches: string[]; end(): Promise<void> }> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const breaches: string[] = [];
    await page.route(`${WEB_CALLBACK}?*`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<h1>Back at the app</h1>' }),
    );
    page.on('console', (message) => {
      if (/content security policy|refused to/i.test(message.text())) breaches.push(message.text());
    });
    page.on('pageerror', (error) => breaches.push(error.message));
    page.on('request', (request) => {
      const { origin } = new URL(request.url());
      if (
        origin !== new URL(at.issuer).origin &&
        origin !== new URL(at.callback).origin &&
        !request.url().startsWith(WEB_CALLBACK)
      )
        breaches.push(request.url());
    });
    return { page, breaches, end: () => context.close() };
  }

  async function signIn(page: Page, username = 'ada', password = PASSWORD): Promise<void> {
    await page.getByLabel('Username').fill(username);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  for (const javaScriptEnabled of [true, false]) {
    test(`a wrong password, the right one, consent and the way back to the app, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async () => {
      const { page, breaches, end } = await open({ javaScriptEnabled });
      await page.goto(authorizeUrl(at, { clientId, ...SCOPES }));
      await signIn(page, 'ada', 'not the password');
      await page.getByRole('alert').getByText('is wrong').waitFor();
      assert.equal(await page.getByLabel('Username').inputValue(), 'ada');
      await signIn(page);
      await page.getByRole('heading', { name: 'Allow Fleet app?' }).waitFor();
      await page.getByText('See the ships of your fleet').waitFor();
      await page.getByRole('button', { name: 'Allow' }).click();
      await page.getByRole('heading', { name: 'Back at the app' }).waitFor();
      assert(new URL(page.url()).searchParams.has('code'));
      // The second time nothing is asked, so the redirect to the app follows the sign-in form itself.
      const web = authorizeUrl(at, {
        clientId: webClientId,
        ...SCOPES,
        more: { ...SCOPES.more, prompt: 'login', redirect_uri: WEB_CALLBACK },
      });
      await page.goto(web);
      await signIn(page);
      await page.getByRole('button', { name: 'Allow' }).click();
      await page.getByRole('heading', { name: 'Back at the app' }).waitFor();
      await page.goto(web);
      await signIn(page);
      await page.getByRole('heading', { name: 'Back at the app' }).waitFor();
      assert.deepEqual(breaches, []);
      await end();
    });
  }

  test('deny, with the keyboard alone', async () => {
    const { page, end } = await open();
    await page.goto(authorizeUrl(at, { clientId, scope: 'openid email' }));
    // Chromium moves the focus to the field with its first frame, which can come after the page is loaded.
    await page.locator('input[autocomplete~=username]:focus').waitFor();
    await page.keyboard.type('ada');
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Deny' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Back at the app' }).waitFor();
    assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied');
    await end();
  });

  test('another account in the same browser, and the way out', async () => {
    await at.addUser('una');
    const { page, breaches, end } = await open();
    await page.goto(authorizeUrl(at, { clientId, ...SCOPES }));
    await signIn(page);
    await page.goto(authorizeUrl(at, { clientId, ...SCOPES, more: { ...SCOPES.more, prompt: 'login' } }));
    await signIn(page, 'una');
    await page.getByText('You are signed in as una').waitFor();
    await page.goto(`${at.issuer}/logout`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    assert.deepEqual(breaches, []);
    await end();
  });

  test('an authenticator app is set up, asked for and removed', async () => {
    await at.addUser('tom');
    const { page, end } = await open();
    await page.goto(`${at.issuer}/account`);
    await signIn(page, 'tom');
    await page.getByText('Set up an authenticator app').click();
    const link = await page.getByRole('link', { name: 'open the app' }).getAttribute('href');
    const secret = new URL(link ?? '').searchParams.get('secret') ?? '';
    const totp = new TOTP({ secret: Secret.fromBase32(secret) });
    await page.getByLabel('Code').fill('000000');
    await page.getByRole('button', { name: 'Turn on' }).click();
    await page.getByRole('alert').waitFor();
    assert.equal((await at.records.users.findByUsername('tom'))?.totpSecret, undefined);

    await page.getByText('Set up an authenticator app').click();
    const again = new URL((await page.getByRole('link', { name: 'open the app' }).getAttribute('href')) ?? '');
    const fresh = new TOTP({ secret: Secret.fromBase32(again.searchParams.get('secret') ?? '') });
    assert.notEqual(fresh.secret.base32, totp.secret.base32);
    await page.getByLabel('Code').fill(fresh.generate());
    await page.getByRole('button', { name: 'Turn on' }).click();
    await page.getByRole('status').waitFor();
    await page.getByRole('button', { name: 'Sign out', exact: true }).first().click();
    await page.getByRole('link', { name: 'Sign in again' }).click();

    await signIn(page, 'tom');
    // The code of the present step was used for setting up.
    await page.getByLabel('Code').fill(fresh.generate({ timestamp: Date.now() + 30_000 }));
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByRole('button', { name: 'Remove' }).first().click();
    await page.getByRole('status').waitFor();
    assert.equal((await at.records.users.findByUsername('tom'))?.totpSecret, undefined);
    await end();
  });

  test('a passkey is added, opens the account by itself, and is a second factor', async () => {
    await at.addUser('pia');
    const { page, breaches, end } = await open();
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('WebAuthn.enable');
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
      },
    });
    await page.goto(`${at.issuer}/account`);
    await signIn(page, 'pia');
    await page.getByLabel('Name of the new passkey').fill('Pia <b>phone</b>');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByRole('status').getByText('The passkey is added').waitFor();
    await page.getByText('Pia <b>phone</b>').waitFor();

    const context = page.context();
    await context.clearCookies();
    await page.goto(authorizeUrl(at, { clientId, ...SCOPES }));
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.getByRole('heading', { name: 'Allow Fleet app?' }).waitFor();
    const signedIn = at.events.findLast((event) => event.type === 'user.signed-in');
    assert.deepEqual(signedIn?.detail?.['methods'], ['pop', 'user', 'mfa']);

    await context.clearCookies();
    await page.goto(authorizeUrl(at, { clientId, ...SCOPES }));
    await signIn(page, 'pia');
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.getByRole('heading', { name: 'Allow Fleet app?' }).waitFor();
    const counters = (await at.records.users.findByUsername('pia'))?.passkeys.map((passkey) => passkey.counter);
    assert.notDeepEqual(counters, [0]);
    assert.deepEqual(breaches, []);
    await end();
  });

  test('a passkey that does not verify the person is refused', async () => {
    await at.addUser('vic');
    const { page, end } = await open();
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('WebAuthn.enable');
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: false,
      },
    });
    await page.goto(`${at.issuer}/account`);
    await signIn(page, 'vic');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByRole('alert').waitFor();
    assert.deepEqual((await at.records.users.findByUsername('vic'))?.passkeys, []);
    await end();
  });

  test('a device is connected', async () => {
    const asked = await fetch(`${at.issuer}/device/authorize`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: clientId, scope: 'openid' }),
    });
    // The endpoint answers with the members of RFC 8628 §3.2.
    const device = (await asked.json()) as { readonly user_code: string; readonly verification_uri: string };
    const { page, breaches, end } = await open();
    await page.goto(device.verification_uri);
    await page.getByLabel('Code').fill('BBBB-BBBB');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('alert').getByText('There is no such code').waitFor();
    await page.getByLabel('Code').fill(device.user_code.toLowerCase());
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText(device.user_code).waitFor();
    await page.getByRole('button', { name: 'Yes, continue' }).click();
    await signIn(page);
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.getByRole('heading', { name: 'Device connected' }).waitFor();
    assert.deepEqual(breaches, []);
    await end();
  });

  test('every page fits 320 pixels, at twice the size of text too, and names what it holds', async () => {
    await at.addUser('meg', { totpSecret: newTotpSecret() });
    for (const [name, path, username] of [
      ['Sign in', authorizeUrl(at, { clientId, ...SCOPES }), undefined],
      ['Allow', authorizeUrl(at, { clientId, ...SCOPES }), 'ada'],
      ['Confirm', authorizeUrl(at, { clientId, ...SCOPES }), 'meg'],
      ['Connect a device', `${at.issuer}/device`, undefined],
      ['This did not work', `${at.issuer}/authorize?client_id=nobody`, undefined],
      ['Your account', `${at.issuer}/account`, 'ada'],
    ] as const) {
      const { page, end } = await open({ viewport: { width: 320, height: 640 } });
      await page.goto(path);
      if (username !== undefined) await signIn(page, username);
      await page.getByRole('heading', { level: 1, name }).waitFor();
      assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1, name);
      assert.equal(await page.getByRole('main').count(), 1, name);
      for (const size of ['100%', '200%']) {
        const facts = await page.evaluate((fontSize) => {
          // These run in the page, where there is a document; the types of this project have none.
          const { document } = globalThis as unknown as { document: PageDocument };
          document.documentElement.style.fontSize = fontSize;
          const inputs = [...document.querySelectorAll('input:not([type=hidden]):not([hidden])')];
          return {
            lang: document.documentElement.lang,
            overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
            unlabelled: inputs.filter((input) => (input.labels?.length ?? 0) === 0).length,
          };
        }, size);
        assert.deepEqual(facts, { lang: 'en', overflow: 0, unlabelled: 0 }, `${name} at ${size}`);
      }
      await end();
    }
  });
});

interface PageDocument {
  readonly documentElement: {
    lang: string;
    scrollWidth: number;
    clientWidth: number;
    readonly style: { fontSize: string };
  };
  querySelectorAll(selector: string): Iterable<{ readonly labels: { readonly length: number } | null }>;
}
