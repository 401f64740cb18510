import { request } from 'undici';

/** A page as a browser got it. */
export interface Visit {
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly setCookies: readonly string[];
  readonly text: string;
}

/** Sends requests as a browser would: it keeps cookies by origin, and follows redirects when told to. */
export interface TestBrowser {
  /** Cookies by origin, then by name. */
  readonly jar: Map<string, Map<string, string>>;
  visit(url: string, options?: VisitOptions): Promise<Visit>;
  /** Visits and follows redirects for as long as the next place is not `until`'s; answers the last visit. */
  follow(url: string, until?: (url: string) => boolean): Promise<Visit>;
}

export interface VisitOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** `routes` leads public origins to where they are served; other URLs are fetched as they stand. */
export function testBrowser(routes: Readonly<Record<string, () => string>>): TestBrowser {
  const jar: TestBrowser['jar'] = new Map();

  async function visit(url: string, options: VisitOptions = {}): Promise<Visit> {
    const { origin, host, protocol, pathname, search } = new URL(url);
    const cookies = jar.get(origin) ?? new Map<string, string>();
    jar.set(origin, cookies);
    const served = Object.hasOwn(routes, origin) ? routes[origin]?.() : undefined;
    const gateway =
      served === undefined ? {} : { 'x-forwarded-host': host, 'x-forwarded-proto': protocol.slice(0, -1) };
    const reply = await request(`${served ?? origin}${pathname}${search}`, {
      method: options.method ?? 'GET',
      headers: {
        accept: 'text/html',
        ...gateway,
        'x-request-id': '01K0000000TESTTESTTESTTEST',
        ...(cookies.size === 0 ? {} : { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') }),
        ...options.headers,
      },
      body: options.body ?? null,
    });
    const setCookies = [reply.headers['set-cookie'] ?? []].flat();
    for (const line of setCookies) keep(cookies, line);
    return { url, status: reply.statusCode, headers: reply.headers, setCookies, text: await reply.body.text() };
  }

  async function follow(url: string, until: (url: string) => boolean = () => false): Promise<Visit> {
    let next = url;
    for (let hops = 0; hops < 20; hops += 1) {
      const seen = await visit(next);
      const location = seen.headers['location'];
      if (typeof location !== 'string') return seen;
      next = new URL(location, next).href;
      if (until(next)) return { ...seen, url: next };
    }
    throw new Error(`the redirects from ${url} do not end`);
  }

  return { jar, visit, follow };
}

function keep(cookies: Map<string, string>, line: string): void {
  const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
  const mark = pair.indexOf('=');
  const name = pair.slice(0, mark);
  const gone = attributes.some(
    (attribute) => /^max-age=0$/i.test(attribute) || /^expires=Thu, 01 Jan 1970/i.test(attribute),
  );
  if (gone) cookies.delete(name);
  else cookies.set(name, pair.slice(mark + 1));
}
