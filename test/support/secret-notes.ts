import assert from 'node:assert/strict';

/** The secrets of a run by what they are, and every reply that refused something. */
export class SecretNotes {
  readonly secrets = new Map<string, string>();
  readonly refusals: string[] = [];
  /** Every cookie that was ever set, as `name=value`. */
  readonly cookies: string[] = [];
  /** The `state` of the last answer of an authorization server. */
  state = '';

  /** Notes a secret, and the form it has in an Authorization field where it is the password of `user` there. */
  secret(name: string, value: unknown, user?: string): string {
    assert.ok(typeof value === 'string' && value.length >= 8, `there is no ${name}`);
    if (![...this.secrets.values()].includes(value)) {
      const others = [...this.secrets.keys()].filter((other) => other.replace(/ \d+$/, '') === name).length;
      this.secrets.set(others === 0 ? name : `${name} ${others + 1}`, value);
    }
    if (user !== undefined) this.secret(`${name} in Basic`, Buffer.from(`${user}:${value}`).toString('base64'));
    return value;
  }

  /** Notes what a reply has set or sent along, and the whole of a refusal. */
  reply(reply: Response, body: string): void {
    for (const field of reply.headers.getSetCookie()) {
      const [pair = '', name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(field) ?? [];
      if (value !== '') this.cookies.push(pair);
      if (value !== '' && !NAMES_INTERACTION.has(name)) this.secret(`cookie ${name}`, value);
    }
    const answer = URL.parse(reply.headers.get('location') ?? '', 'https://localhost')?.searchParams;
    const code = answer?.get('code') ?? '';
    if (code !== '') this.secret('authorization code', code);
    if (code !== '') this.state = answer?.get('state') ?? '';
    if (reply.status >= 400) this.refusals.push([...reply.headers.entries()].flat().join('\n'), body);
  }

  /** Notes what a token endpoint has answered. */
  tokens(
    of: string,
    tokens: { readonly access_token?: unknown; readonly refresh_token?: unknown; readonly id_token?: unknown },
  ) {
    this.secret(`ID token of the ${of}`, tokens.id_token);
    return {
      access: this.secret(`access token of the ${of}`, tokens.access_token),
      refresh: this.secret(`refresh token of the ${of}`, tokens.refresh_token),
    };
  }

  /** Notes an API key, and its secret part alone. */
  key(name: string, key: string): string {
    this.secret(`secret part of the ${name}`, key.split('_').at(-1));
    return this.secret(name, key);
  }

  /** A secret that was noted before. */
  known(name: string): string {
    return this.secrets.get(name) ?? assert.fail(name);
  }
}

/** These hold the name of an interaction, which is in its address too; what proves the browser are the signatures beside them. */
const NAMES_INTERACTION = new Set(['__Secure-sallyport_interaction', '__Secure-sallyport_resume']);
