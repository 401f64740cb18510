import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import type { ClientFacts, Screen } from '../interaction-contract.ts';
import { consentScreen } from './consent.ts';
import { formTarget } from './form-target.ts';
import { html } from './html.ts';
import { createLook } from './page.ts';
import { pageStyle } from './page-style.ts';
import { createScreens } from './screens.ts';
import { signInScreen } from './sign-in.ts';

const look = createLook({ title: 'Harbour <b>Works</b>', issuer: 'https://login.example.com/oauth' });
const screens = createScreens(look);
const EVIL = `"'><script>alert(1)</script><img src=x onerror=alert(2)>`;
const form = { action: '/oauth/x', fields: { xsrf: EVIL } };
const client: ClientFacts = {
  id: EVIL,
  name: EVIL,
  uri: `javascript:alert(3)//${EVIL}`,
  logoUri: 'https://evil.example/logo.png',
  policyUri: `https://evil.example/${EVIL}`,
  tosUri: 'data:text/html,hello',
  selfRegistered: true,
};
const right = { scope: EVIL, text: EVIL, at: EVIL };

const pages: Readonly<Record<string, Screen>> = {
  error: screens.renderError({ error: EVIL, description: EVIL, status: 400, requestId: EVIL }),
  'code input': screens.userCodeInput({ form, problem: 'unknown-code', userCode: EVIL }),
  'code confirmation': screens.userCodeConfirm({
    form,
    client,
    userCode: EVIL,
    device: { address: EVIL, userAgent: EVIL },
  }),
  'device success': screens.deviceSuccess({ client }),
  logout: screens.logout({ form, client, redirectOrigin: 'https://app.example.com' }),
  'after logout': screens.postLogout({ client }),
  consent: consentScreen(look, {
    form,
    client,
    username: EVIL,
    destination: EVIL,
    asked: [right],
    held: [right],
    formTargets: ['https://app.example.com'],
  }),
  'sign-in': signInScreen(look, {
    password: form,
    passkey: { form, options: JSON.stringify({ evil: EVIL }) },
    cancel: form,
    client,
    username: EVIL,
    problem: EVIL,
    formTargets: ['com.example.app:'],
  }),
};

describe('every screen', () => {
  for (const [name, screen] of Object.entries(pages)) {
    test(`${name}: what clients and people say stays text`, () => {
      const scripts = [...screen.html.matchAll(/<script[^>]*>/g)].map(([tag]) => tag);
      assert(
        scripts.every((tag) =>
          /^<script src="https:\/\/login\.example\.com\/oauth\/assets\/[a-z]+-[0-9a-f]{16}\.js" defer>$/.test(tag),
        ),
      );
      assert(!/<img|<script>/.test(screen.html));
      assert(!/href="(?!https?:|\/)/.test(screen.html));
      assert(!screen.html.includes('Harbour <b>'));
    });

    test(`${name}: nothing from elsewhere, no framing, no other base`, () => {
      const policy = directivesOf(screen);
      assert.equal(policy.get('default-src'), "'none'");
      assert.equal(policy.get('frame-ancestors'), "'none'");
      assert.equal(policy.get('base-uri'), "'none'");
      assert.match(policy.get('form-action') ?? '', /^'self'/);
      assert.equal(screen.headers['x-frame-options'], 'DENY');
      const hash = createHash('sha256').update(pageStyle).digest('base64');
      assert.equal(policy.get('style-src'), `'sha256-${hash}'`);
      assert(screen.html.includes(`<style>${pageStyle}</style>`));
      assert(!/unsafe|\*/.test(screen.headers['content-security-policy'] ?? ''));
      assert(!/ style="|<link|url\(|@import|evil\.example\/logo/.test(screen.html));
    });

    test(`${name}: one heading, a language, a viewport, a main part`, () => {
      assert.equal(screen.html.match(/<h1>/g)?.length, 1);
      assert.match(screen.html, /<html lang="en">/);
      assert.match(screen.html, /name="viewport" content="width=device-width, initial-scale=1"/);
      assert.match(screen.html, /<main/);
    });
  }

  test('forms that lead away name where', () => {
    const targets = ['logout', 'consent', 'sign-in'].map((name) => directivesOf(pages[name]).get('form-action'));
    assert.deepEqual(targets, [
      "'self' https://app.example.com",
      "'self' https://app.example.com",
      "'self' com.example.app:",
    ]);
  });
});

describe('the target of a form', () => {
  for (const [uri, target] of [
    ['https://app.example.com:8443/cb?x=1', 'https://app.example.com:8443'],
    ['http://127.0.0.1:41000/cb', 'http://127.0.0.1:41000'],
    ['http://[::1]:41000/cb', 'http:'],
    ['com.example.app:/cb', 'com.example.app:'],
    ['javascript:alert(1)', undefined],
    ['data:text/html,x', undefined],
    ["https://app.example.com; script-src 'unsafe-inline'", undefined],
    ['not a url', undefined],
  ] as const) {
    test(`of ${uri} is ${target}`, () => assert.equal(formTarget(uri), target));
  }
});

describe('templates', () => {
  test('escape texts and keep markup', () => {
    const inner = html`<b>${'a & b'}</b>`;
    assert.equal(
      html`<p title="${'"'}">${inner}${['<', inner]}${undefined}${false}${0}</p>`.markup,
      '<p title="&quot;"><b>a &amp; b</b>&lt;<b>a &amp; b</b>0</p>',
    );
  });
});

describe('colours', () => {
  const [light = '', dark = ''] = pageStyle.split('@media (prefers-color-scheme:dark)');
  const pairs = [
    ['text', 'card', 4.5],
    ['text', 'ground', 4.5],
    ['text', 'field', 4.5],
    ['text', 'tint', 4.5],
    ['quiet', 'card', 4.5],
    ['quiet', 'ground', 4.5],
    ['accent', 'card', 4.5],
    ['accent', 'tint', 4.5],
    ['on-accent', 'accent', 4.5],
    ['on-accent', 'accent-over', 4.5],
    ['bad', 'bad-tint', 4.5],
    ['good', 'good-tint', 4.5],
    ['edge', 'card', 3],
    ['edge', 'field', 3],
    ['bad', 'field', 3],
    ['accent', 'ground', 3],
  ] as const;
  for (const [scheme, style] of [
    ['light', light],
    ['dark', dark.slice(0, dark.indexOf('}}'))],
  ] as const) {
    const colours = new Map(
      [...style.matchAll(/--([a-z-]+):(#[0-9a-f]{6})/g)].map(([, name = '', value = '']) => [name, value]),
    );
    for (const [front, back, least] of pairs) {
      test(`${scheme}: ${front} on ${back} has a contrast of ${least} or more`, () => {
        const found = contrast(colours.get(front), colours.get(back));
        assert(found >= least, `${found}`);
      });
    }
  }
});

function directivesOf(screen: Screen | undefined): ReadonlyMap<string, string> {
  const written = screen?.headers['content-security-policy'] ?? '';
  return new Map(written.split('; ').map((one) => [one.split(' ', 1)[0] ?? '', one.split(' ').slice(1).join(' ')]));
}

/** WCAG 2.2, "contrast ratio". */
function contrast(one: string | undefined, other: string | undefined): number {
  const [low = 0, high = 0] = [luminance(one ?? ''), luminance(other ?? '')].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
