/** One login of the configuration, with the defaults worked out. Times are milliseconds. */
export interface LoginSettings {
  readonly name: string;
  /** Compared byte for byte with what the provider calls itself. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** How the client proves itself; client_secret_basic where it is left out. */
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | undefined;
  /** `openid` is asked for whether or not it is among them. */
  readonly scopes: readonly string[];
  /** RFC 8707; undefined asks for no resource. */
  readonly resource: string | undefined;
  /** Where the public finds what this app answers. */
  readonly path: string;
  /** Hosts it answers on, such as app.example.com or *.example.org; any where it is left out. It tells logins of one path apart. */
  readonly hosts?: readonly string[] | undefined;
  readonly idle: number;
  readonly lifetime: number;
  /** PEM; instead of the public roots. */
  readonly ca: string | undefined;
  /** Names of the claims that pages may read at `session`; a short list of harmless ones where it is left out. */
  readonly claims?: readonly string[] | undefined;
  /** Where people are after signing out: a path of the same host; `/` where it is left out. */
  readonly afterLogout?: string | undefined;
}

/** The public path of something this app answers. */
export function pathOf(login: Pick<LoginSettings, 'path'>, action: string): string {
  return `${login.path === '/' ? '' : login.path}/${action}`;
}

/** The login that answers a public path, and what of it is asked for; undefined where none does. */
export function loginAt(
  logins: readonly LoginSettings[],
  place: { readonly host: string; readonly path: string },
): { readonly login: LoginSettings; readonly action: string } | undefined {
  for (const login of logins) {
    const base = pathOf(login, '');
    if (!place.path.startsWith(base) || !answersOn(login, place.host)) continue;
    return { login, action: place.path.slice(base.length) };
  }
  return undefined;
}

function answersOn({ hosts }: LoginSettings, host: string): boolean {
  if (hosts === undefined || hosts.length === 0) return true;
  return hosts.some((name) =>
    name.startsWith('*.') ? host.endsWith(name.slice(1)) && host.length > name.length - 1 : host === name,
  );
}
