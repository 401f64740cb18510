/** One login of the configuration, with the defaults worked out. Times are milliseconds. */
export interface LoginSettings {
  readonly name: string;
  /** Compared byte for byte with what the provider calls itself. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** How the client proves itself at the provider (RFC 6749 §2.3.1). */
  readonly clientAuthentication: 'client_secret_basic' | 'client_secret_post';
  /** `openid` is asked for whether or not it is among them. */
  readonly scopes: readonly string[];
  /** RFC 8707; undefined asks for no resource. */
  readonly resource: string | undefined;
  /** Where the public finds what this app answers; never `/`, so that its pages are told from those of the application. */
  readonly path: string;
  readonly idle: number;
  readonly lifetime: number;
  /** PEM; instead of the public roots. */
  readonly ca: string | undefined;
  /** Where people are after signing out: a path of the same host. */
  readonly afterLogout: string;
}

/** The public path of something this app answers. */
export function pathOf(login: Pick<LoginSettings, 'path'>, action: string): string {
  return `${login.path}/${action}`;
}

/** What a public path asks of a login, such as `callback`; undefined where it is not below the login's own. */
export function actionAt(login: Pick<LoginSettings, 'path'>, path: string): string | undefined {
  const base = pathOf(login, '');
  return path.startsWith(base) ? path.slice(base.length) : undefined;
}
