import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret, TOTP } from 'otpauth';
import { demoSecrets } from '../../examples/demo/secrets.ts';
import { createSessionCookies, deriveCookieKey, sessionCookieName } from '../../src/identity/session-cookie.ts';
import { HeaderList } from '../../src/lib/header-list.ts';
import { createTransactions } from '../../src/login/transaction.ts';
import { openVisitor, type PageVisit, type Visitor } from '../../src/oauth/accounts/test-visitor.ts';
import { openRecords } from '../../src/stores/open-records.ts';
import { createSealer, parseSealingKey } from '../../src/stores/sealer.ts';
import type { Demo } from './demo.ts';
import { makeThrough } from './identity-gateway.ts';
import { type FetchOptions, openTlsFetch, type TlsFetch } from './oauth-fetch.ts';
import { fill } from './oauth-pages.ts';
import { until } from './until.ts';

/** What came of using a demo in every way it knows. */
export interface DemoUse {
  /** Every secret there was, by what it is. */
  readonly secrets: ReadonlyMap<string, string>;
  /** Every reply that refused something, head and body. */
  readonly refusals: readonly string[];
  /** Asks once more, as whoever has nothing to show, so that nothing of a caller is held for a reply under way. */
  askForNothing(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Uses a demo through its public and its internal listener with everything that opens it, and with what should not: as a program, a
 * holder of keys, a person with and without a second factor, a device and an administrator.
 */
export async function useDemo(demo: Demo): Promise<DemoUse> {
  const noted = new Notes();
  const client = openTlsFetch({ ca: [await readFile(join(demo.directory, 'dev-ca/ca.pem'), 'utf8')] });
  const at = new DemoUser(demo, noted, client.fetch);
  try {
    await at.noteOwnSecrets();
    await at.actAsProgram();
    await at.actAsKeyHolder();
    await at.actAsPerson();
    await at.actAsAppOfOthers();
    await at.actAsDevice();
    await at.actAsAdministrator();
    await at.noteStoredSecrets();
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    secrets: noted.secrets,
    refusals: noted.refusals,
    async askForNothing() {
      for (let round = 0; round < 20; round += 1) await at.ask('/v1/widgets', { headers: { Connection: 'close' } });
    },
    close: () => client.close(),
  };
}

class Notes {
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
}

/** These hold the name of an interaction, which is in its address too; what proves the browser are the signatures beside them. */
const NAMES_INTERACTION = new Set(['__Secure-sallyport_interaction', '__Secure-sallyport_resume']);
const CALLBACK = 'https://app.example.com/callback';
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const WRONG_PASSWORD = 'this was typed into the wrong field';

class DemoUser {
  readonly #demo: Demo;
  readonly #notes: Notes;
  readonly #fetch: TlsFetch['fetch'];
  readonly #base: string;

  constructor(demo: Demo, notes: Notes, fetch: TlsFetch['fetch']) {
    this.#demo = demo;
    this.#notes = notes;
    this.#fetch = fetch;
    this.#base = `https://localhost:${demo.env['DEMO_PORT']}`;
  }

  async noteOwnSecrets(): Promise<void> {
    const { clientSecret, notesSecret, apiKey, password } = await demoSecrets();
    this.#notes.secret('client secret of the program', clientSecret, 'demo-program');
    this.#notes.secret('client secret of the login', notesSecret, 'demo-notes');
    this.#noteKey('declared API key', apiKey);
    this.#notes.secret('password of ada', password);
    this.#noteKey('bootstrap key', /sp_admin_\w+/.exec(this.#demo.text())?.[0] ?? '');
    this.#notes.secret('sealing key', (await readFile(join(this.#demo.directory, 'sealing-key'), 'utf8')).trim());
  }

  async actAsProgram(): Promise<void> {
    const secret = this.#secret('client secret of the program');
    const grant = { grant_type: 'client_credentials', scope: 'widgets:read', resource: `${this.#base}/v1` };
    const { access_token } = await this.#token(grant, { id: 'demo-program', secret });
    const token = this.#notes.secret('access token of the program', access_token);
    for (let round = 0; round < 4; round += 1) await this.#expect(200, '/v1/widgets', bearer(token));
    await this.#expect(
      401,
      '/v1/widgets',
      bearer(this.#notes.secret('tampered token', `${token.slice(0, -9)}AAAAAAAAA`)),
    );
    await this.#expect(401, '/v1/widgets', { Authorization: `DPoP ${token}`, DPoP: token });
    await this.#expect(403, '/v1/widgets', bearer(token), { method: 'POST', body: '{}' });
    await this.#expect(401, `/v1/widgets?access_token=${token}`, {});
    const wrong = this.#notes.secret('wrong client secret', `${secret}x`, 'demo-program');
    await this.#token(grant, { id: 'demo-program', secret: wrong }, 401);
    const inBody = new URLSearchParams({ ...grant, client_id: 'demo-program', client_secret: wrong });
    assert.equal((await this.ask('/oauth/token', { method: 'POST', body: inBody })).status, 401);
  }

  async actAsKeyHolder(): Promise<void> {
    const declared = this.#secret('declared API key');
    await this.#expect(200, '/v1/widgets', { 'X-API-Key': declared });
    await this.#expect(500, `/v1/error?api_key=${declared}`, { 'X-API-Key': declared });
    await this.#expect(401, `/v1/widgets?api_key=${declared}`, {});
    await this.#expect(401, '/v1/widgets', {
      'X-API-Key': this.#notes.secret('mistyped key', `${declared.slice(0, -2)}zz`),
    });
    await this.#made('/consumers', { name: 'acme' });
    const made = await this.#made('/consumers/acme/keys', { name: 'main', scopes: ['widgets:read'] });
    const first = this.#noteKey('made API key', made.key);
    await this.#expect(200, '/v1/widgets', { 'X-API-Key': first });
    const rotated = await this.#made(`/keys/${made.id}/rotate`, { overlap: '0s' });
    await this.#expect(200, '/v1/widgets', { 'X-API-Key': this.#noteKey('rotated API key', rotated.key) });
    await until('the rotated key to be refused', async () => {
      const reply = await this.ask('/v1/widgets', { headers: { Connection: 'close', 'X-API-Key': first } });
      return reply.status === 401;
    });
  }

  /** Signs in to the app, after a slip of the fingers; calls its API, and comes with a session that is none. */
  async actAsPerson(): Promise<void> {
    const visitor = this.#browse();
    let page = await visitor.get(`${this.#base}/.auth/login?return_to=%2F`);
    this.#notes.secret('wrong password', WRONG_PASSWORD);
    page = await visitor.submit(page, 'password', { username: 'ada', password: WRONG_PASSWORD });
    page = await visitor.submit(page, 'password', { username: 'ada', password: this.#secret('password of ada') });
    page = await visitor.submit(page, 'allow');
    assert.equal(page.url, `${this.#base}/`);
    this.#noteTransaction();
    const name = sessionCookieName('web');
    const session = visitor.cookies.get(name)?.value ?? '';
    const Cookie = `${name}=${session}`;
    for (let round = 0; round < 4; round += 1) await this.#expect(200, '/api/notes', { Cookie });
    await this.#expect(200, '/.auth/session', { Cookie });
    const forged = this.#notes.secret('forged session', `${session.slice(0, -8)}AAAAAAAA`);
    await this.#expect(401, '/api/notes', { Cookie: `${name}=${forged}` });
    await this.#expect(403, '/api/notes', { Cookie, Origin: 'https://evil.example' }, { method: 'POST' });
  }

  /** A person with a second factor, at an app of somebody else; its refresh token is used twice. */
  async actAsAppOfOthers(): Promise<void> {
    const app = await this.#client({
      redirect_uris: [CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'],
    });
    const password = this.#notes.secret('password of tess', randomBytes(12).toString('base64url'));
    await this.#made('/users', { username: 'tess', password });
    const visitor = this.#browse();
    const early = await this.#authorize(visitor, app.id, (first) =>
      visitor.submit(first, 'password', { username: 'tess', password }),
    );
    await this.#token({ ...early, code_verifier: `${early.code_verifier}x` }, app, 400);

    const totp = await this.#setUpTotp(visitor, password);
    const stranger = this.#browse();
    const right = await this.#authorize(stranger, app.id, async (first) => {
      const second = await stranger.submit(first, 'password', { username: 'tess', password });
      const wrong = await stranger.submit(second, 'code', { code: totp.generate({ timestamp: 0 }) });
      return await stranger.submit(wrong, 'code', { code: totp.generate({ timestamp: Date.now() + 30_000 }) });
    });
    const tokens = this.#noteTokens('app', await this.#token(right, app));
    await this.#expect(200, '/v1/widgets', bearer(tokens.access));
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh };
    this.#noteTokens('app', await this.#token(refresh, app));
    const question = { token: tokens.access, client_id: app.id };
    assert.equal((await this.#post('/oauth/introspect', question, app)).status, 200);
    await this.#token(refresh, app, 400);
    await this.#token(right, app, 400);
    assert.equal((await this.#post('/oauth/revoke', question, app)).status, 200);
  }

  async actAsDevice(): Promise<void> {
    const device = await this.#client({ redirect_uris: [], grant_types: [DEVICE_GRANT, 'refresh_token'] });
    const wanted = { client_id: device.id, scope: 'openid offline_access widgets:read', resource: `${this.#base}/v1` };
    const reply = await this.#post('/oauth/device/authorize', wanted, device);
    const asked = Object(await reply.json());
    this.#notes.secret('user code', asked.user_code);
    const grant = {
      grant_type: DEVICE_GRANT,
      device_code: this.#notes.secret('device code', asked.device_code),
    };
    await this.#token(grant, device, 400);
    await this.#token(
      { ...grant, device_code: this.#notes.secret('wrong device code', randomBytes(32).toString('base64url')) },
      device,
      400,
    );
    const visitor = this.#browse();
    let page = await visitor.get(asked.verification_uri_complete);
    page = page.body.includes('name="confirm"') ? page : await fill(visitor, page, { user_code: asked.user_code });
    page = await fill(visitor, page, { confirm: 'yes' });
    page = await visitor.submit(page, 'password', { username: 'ada', password: this.#secret('password of ada') });
    page = await visitor.submit(page, 'allow');
    assert.equal(page.status, 200);
    const tokens = this.#noteTokens('device', await this.#token(grant, device));
    await this.#expect(200, '/v1/widgets', bearer(tokens.access));
  }

  async actAsAdministrator(): Promise<void> {
    const bootstrap = this.#secret('bootstrap key');
    const url = `http://127.0.0.1:${this.#demo.env['DEMO_INTERNAL_PORT']}/admin/v1/consumers`;
    const statuses: number[] = [];
    for (const key of [bootstrap, this.#secret('declared API key'), `${bootstrap}x`]) {
      const reply = await fetch(url, { headers: { 'X-API-Key': key } });
      this.#notes.reply(reply, await reply.text());
      statuses.push(reply.status);
    }
    assert.equal(statuses[0], 200);
    for (const status of statuses.slice(1)) assert.ok(status === 401 || status === 403, String(status));
  }

  /** The tokens of sessions, and private keys, are known to the gateway alone: its records say what to look for. */
  async noteStoredSecrets(): Promise<void> {
    const sealer = createSealer([parseSealingKey(this.#secret('sealing key'), 'the sealing key')]);
    const file = join(this.#demo.directory, 'records.db');
    const records = await openRecords({ driver: 'sqlite', file }, { sealer, readOnly: true });
    const [session] = (await records.sessions.list({}, { limit: 10 })).items;
    this.#notes.secret('access token of the session', session?.accessToken);
    this.#notes.secret('refresh token of the session', session?.refreshToken);
    this.#notes.secret('ID token of the session', session?.idToken);
    for (const use of ['oauth', 'identity'] as const)
      for (const key of await records.signingKeys.list(use)) this.#notes.secret('private key', key.privateJwk['d']);
    await records.close();
  }

  async ask(path: string, options: FetchOptions = {}): Promise<Response> {
    return await this.#recorded(`${this.#base}${path}`, options);
  }

  #browse(): Visitor {
    return openVisitor({ issuer: `${this.#base}/oauth` }, (url, options) => this.#recorded(url, options));
  }

  async #recorded(url: string, options: FetchOptions): Promise<Response> {
    const reply = await this.#fetch(url, { redirect: 'manual', ...options });
    this.#notes.reply(reply, await reply.clone().text());
    return reply;
  }

  async #expect(
    status: number,
    path: string,
    headers: Readonly<Record<string, string>>,
    more: FetchOptions = {},
  ): Promise<void> {
    // Each on a connection of its own, so that all workers see some of it.
    const reply = await this.ask(path, { ...more, headers: { Connection: 'close', ...headers } });
    assert.equal(reply.status, status, `${path}: ${await reply.text()}`);
  }

  async #post(path: string, fields: Readonly<Record<string, string>>, { id, secret }: Credentials): Promise<Response> {
    const Authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
    return await this.ask(path, { method: 'POST', headers: { Authorization }, body: new URLSearchParams(fields) });
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects by asserting on it
  async #token(grant: Readonly<Record<string, string>>, client: Credentials, status = 200): Promise<any> {
    const reply = await this.#post('/oauth/token', grant, client);
    const body = await reply.text();
    assert.equal(reply.status, status, body);
    return JSON.parse(body);
  }

  /** Goes to the authorization endpoint and back; resolves with what the token endpoint is asked with. */
  async #authorize(visitor: Visitor, clientId: string, signIn: (page: PageVisit) => Promise<PageVisit>) {
    const verifier = this.#notes.secret('PKCE verifier', randomBytes(32).toString('base64url'));
    const query = new URLSearchParams({
      client_id: clientId,
      redirect_uri: CALLBACK,
      response_type: 'code',
      scope: 'openid offline_access widgets:read',
      prompt: 'consent',
      resource: `${this.#base}/v1`,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const page = await signIn(await visitor.get(`${this.#base}/oauth/authorize?${query}`));
    const { away } = await visitor.submit(page, 'allow');
    const code = away?.searchParams.get('code') ?? '';
    return { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
  }

  async #setUpTotp(visitor: Visitor, password: string): Promise<TOTP> {
    const entered = await visitor.submit(await visitor.get(`${this.#base}/oauth/account`), 'password', {
      username: 'tess',
      password,
    });
    const page = /otpauth:/.test(entered.body) ? entered : await visitor.submit(entered, 'begin-totp');
    const secret = this.#notes.secret('TOTP secret', /otpauth:[^"]*[?&;]secret=([A-Z2-7]+)/.exec(page.body)?.[1]);
    const totp = new TOTP({ secret: Secret.fromBase32(secret) });
    await fill(visitor, page, { code: totp.generate() });
    return totp;
  }

  /** Verifiers of the gateway's own sign-ins are sealed in cookies. */
  #noteTransaction(): void {
    const key = deriveCookieKey(parseSealingKey(this.#secret('sealing key'), 'the sealing key'));
    const headers = new HeaderList(this.#notes.cookies.flatMap((pair) => ['Cookie', pair]));
    const found = createTransactions(createSessionCookies(key), Date.now).find(headers, 'web', this.#notes.state);
    this.#notes.secret('PKCE verifier of the login', found?.verifier);
    this.#notes.secret('nonce of the login', found?.nonce);
  }

  #noteTokens(
    of: string,
    tokens: { readonly access_token?: unknown; readonly refresh_token?: unknown; readonly id_token?: unknown },
  ) {
    this.#notes.secret(`ID token of the ${of}`, tokens.id_token);
    return {
      access: this.#notes.secret(`access token of the ${of}`, tokens.access_token),
      refresh: this.#notes.secret(`refresh token of the ${of}`, tokens.refresh_token),
    };
  }

  #noteKey(name: string, key: string): string {
    this.#notes.secret(`secret part of the ${name}`, key.split('_').at(-1));
    return this.#notes.secret(name, key);
  }

  async #client(metadata: object): Promise<Credentials> {
    const scope = 'openid offline_access widgets:read';
    const { id, secret } = await this.#made('/clients', { name: 'Client', scope, ...metadata });
    return { id, secret: this.#notes.secret('client secret of a made client', secret, id) };
  }

  async #made(path: string, body: object) {
    return await makeThrough(this.#demo.directory, path, body);
  }

  #secret(name: string): string {
    return this.#notes.secrets.get(name) ?? assert.fail(name);
  }
}

interface Credentials {
  readonly id: string;
  readonly secret: string;
}

function bearer(token: string): { readonly Authorization: string } {
  return { Authorization: `Bearer ${token}` };
}
