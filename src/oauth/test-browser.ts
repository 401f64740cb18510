/** A browser as far as redirects and cookies go, for tests: it follows the authorization server until it is sent somewhere else. */
export interface TestBrowser {
  /** Resolves with the first URL outside the server, or with the page where there is one. */
  visit(url: string | URL, form?: Readonly<Record<string, string>>): Promise<Visit>;
}

export interface Visit {
  /** Where the browser was sent at last, if that is not the server. */
  readonly away: URL | undefined;
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  /** Every Set-Cookie on the way. */
  readonly cookies: readonly string[];
}

/** `via` is the origin that is connected to where the issuer's name leads nowhere. */
export function openBrowser(issuer: string, via = new URL(issuer).origin): TestBrowser {
  const { origin } = new URL(issuer);
  const jar = new Map<string, { readonly value: string; readonly path: string }>();

  function cookiesFor(path: string): string {
    const fitting = [...jar].filter(([, cookie]) => path.startsWith(cookie.path));
    return fitting.map(([key, { value }]) => `${key.split(';')[0]}=${value}`).join('; ');
  }

  function keep(headers: Headers): void {
    for (const field of headers.getSetCookie()) {
      const [pair = '', ...attributes] = field.split('; ');
      const name = pair.slice(0, pair.indexOf('='));
      const value = pair.slice(name.length + 1);
      const path = attributes.find((attribute) => attribute.toLowerCase().startsWith('path='))?.slice(5) ?? '/';
      const key = `${name};${path}`;
      if (value === '') jar.delete(key);
      else jar.set(key, { value, path });
    }
  }

  return {
    async visit(start, form) {
      let url = new URL(start);
      let body = form === undefined ? undefined : new URLSearchParams(form);
      const cookies: string[] = [];
      for (let hops = 0; hops < 20; hops += 1) {
        const headers = { accept: 'text/html', cookie: cookiesFor(url.pathname) };
        const method = body === undefined ? 'GET' : 'POST';
        const response = await fetch(url.href.replace(origin, via), {
          method,
          headers,
          redirect: 'manual',
          ...(body === undefined ? {} : { body }),
        });
        keep(response.headers);
        cookies.push(...response.headers.getSetCookie());
        const location = response.headers.get('location');
        const text = await response.text();
        if (location === null)
          return { away: undefined, status: response.status, body: text, headers: response.headers, cookies };
        url = new URL(location, url);
        body = undefined;
        if (url.origin !== origin)
          return { away: url, status: response.status, body: text, headers: response.headers, cookies };
      }
      throw new Error('redirected in a circle');
    },
  };
}
