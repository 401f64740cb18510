import { createHash, randomBytes } from 'node:crypto';
import type { SignInServer } from './test-sign-in-server.ts';

/** A browser without a window: cookies by name and path, redirects within the server, forms as they stand in pages. */
export interface Visitor {
  /** Name → value, for a look at what is kept. */
  readonly cookies: Map<string, { readonly value: string; readonly path: string }>;
  get(url: string): Promise<PageVisit>;
  post(url: string, fields: Fields, headers?: Fields): Promise<PageVisit>;
  /** Sends the form of a page whose hidden `action` is this, or whose button says so. */
  submit(page: PageVisit, action: string, fields?: Fields, headers?: Fields): Promise<PageVisit>;
}

type Fields = Readonly<Record<string, string>>;

type FetchPage = (
  url: string,
  options: {
    readonly method: string;
    readonly redirect: 'manual';
    readonly headers: Record<string, string>;
    readonly body?: URLSearchParams;
  },
) => Promise<Response>;

export interface PageVisit {
  readonly url: string;
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  /** Every Set-Cookie on the way. */
  readonly setCookies: readonly string[];
  /** Where the browser was sent outside the server. */
  readonly away: URL | undefined;
}

/** `fetchPage` is how it reaches the server, where the usual way does not lead there. */
export function openVisitor(at: Pick<SignInServer, 'issuer'>, fetchPage: FetchPage = fetch): Visitor {
  const { origin } = new URL(at.issuer);
  const cookies: Visitor['cookies'] = new Map();

  async function go(start: string, body?: Fields, extra: Fields = {}): Promise<PageVisit> {
    let url = start;
    let form = body;
    const setCookies: string[] = [];
    for (let hops = 0; hops < 12; hops += 1) {
      const { pathname } = new URL(url);
      const sent = [...cookies].filter(([, { path }]) => pathname.startsWith(path));
      const response = await fetchPage(url, {
        method: form === undefined ? 'GET' : 'POST',
        redirect: 'manual',
        headers: {
          accept: 'text/html',
          cookie: sent.map(([name, { value }]) => `${name}=${value}`).join('; '),
          ...(form === undefined ? {} : { origin, 'sec-fetch-site': 'same-origin', ...extra }),
        },
        ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
      });
      for (const field of response.headers.getSetCookie()) keep(field);
      setCookies.push(...response.headers.getSetCookie());
      const text = await response.text();
      const location = response.headers.get('location');
      const facts = { status: response.status, body: text, headers: response.headers, setCookies };
      if (location === null) return { ...facts, url, away: undefined };
      const next = new URL(location, url);
      if (next.origin !== origin) return { ...facts, url, away: next };
      url = next.href;
      form = undefined;
    }
    throw new Error('redirected in a circle');
  }

  function keep(field: string): void {
    const [pair = '', ...attributes] = field.split('; ');
    const name = pair.slice(0, pair.indexOf('='));
    const value = pair.slice(name.length + 1);
    const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5) ?? '/';
    if (value === '') cookies.delete(name);
    else cookies.set(name, { value, path });
  }

  return {
    cookies,
    get: (url) => go(url),
    post: (url, fields, headers) => go(url, fields, headers),
    submit(page, action, fields = {}, headers = {}) {
      const form = formsOf(page).find(({ markup }) => new RegExp(`name="action" value="${action}"`).test(markup));
      if (form === undefined) throw new Error(`no form with the action ${action} in ${page.status} ${page.body}`);
      return go(form.action, { ...form.fields, action, ...fields }, headers);
    },
  };
}

export interface PageForm {
  readonly action: string;
  readonly fields: Fields;
  readonly markup: string;
}

export function formsOf(page: PageVisit): readonly PageForm[] {
  return [...page.body.matchAll(/<form [^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/gs)].map(
    ([, action = '', markup = '']) => {
      const hidden = [...markup.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"\/?>/g)];
      return {
        action: new URL(readEntities(action), page.url).href,
        fields: Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, readEntities(value)])),
        markup,
      };
    },
  );
}

/** The URL with which an app sends people to sign in. */
export function authorizeUrl(
  at: Pick<SignInServer, 'issuer' | 'callback'>,
  request: { readonly clientId: string; readonly scope?: string; readonly more?: Fields },
): string {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: request.clientId,
    redirect_uri: at.callback,
    response_type: 'code',
    scope: request.scope ?? 'openid',
    state: 'the-state',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...request.more,
  });
  return `${at.issuer}/authorize?${query}`;
}

function readEntities(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
