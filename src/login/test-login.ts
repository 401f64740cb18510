import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSessionCookies, type SessionCookies, sessionCookieName } from '../identity/session-cookie.ts';
import type { Counters } from '../stores/counters.ts';
import { allocateCounters, openCounters } from '../stores/open-counters.ts';
import { openRecords } from '../stores/open-records.ts';
import { createSealer } from '../stores/sealer.ts';
import type { Records, Session } from '../stores/stores.ts';
import { createLoginApp, type LoginApp } from './login-app.ts';
import type { LoginSettings } from './login-settings.ts';
import { type TestBrowser, testBrowser } from './test-browser.ts';
import { startTestProvider, TEST_CLIENT, type TestProvider, type TestProviderOptions } from './test-provider.ts';

/** Where browsers find the app, once the road is in front of it. */
export const ORIGIN = 'https://app.example.com';

/** A login with everything it stands on: a provider, stores, and the app behind a server. */
export interface TestLogin {
  readonly provider: TestProvider;
  readonly records: Records;
  readonly counters: Counters;
  readonly cookies: SessionCookies;
  readonly app: LoginApp;
  readonly settings: LoginSettings;
  /** What was logged, as text. */
  readonly log: string[];
  /** The time of the app; the stores keep their own. */
  now: number | undefined;
  browser(): TestBrowser;
  /** A browser that has signed in, and its session. */
  signedIn(): Promise<{ readonly browser: TestBrowser; readonly session: Session; readonly cookie: string }>;
  /** Another process with the same stores. */
  anotherApp(): LoginApp;
  close(): Promise<void>;
}

export interface TestLoginOptions extends Partial<TestProviderOptions> {
  readonly settings?: Partial<LoginSettings>;
  /** Other logins of the configuration, in front of this one. */
  readonly before?: readonly LoginSettings[];
}

export async function startTestLogin(options: TestLoginOptions = {}): Promise<TestLogin> {
  const directory = await mkdtemp(join(tmpdir(), 'sp-login-'));
  const server = createServer();
  const port = await listen(server);
  const provider = await startTestProvider({
    redirectUris: [`${ORIGIN}/.auth/callback`],
    postLogoutRedirectUris: [`${ORIGIN}/`, `${ORIGIN}/goodbye`],
    backchannelLogoutUri: `http://127.0.0.1:${port}/.auth/backchannel-logout`,
    ...options,
  });
  const sealer = createSealer([randomBytes(32)]);
  const records = await openRecords(
    { driver: 'sqlite', file: join(directory, 'records.db') },
    { sealer, readOnly: false },
  );
  const counters = await openCounters({ driver: 'memory', memory: allocateCounters(64 * 1024) });
  const cookies = createSessionCookies(sealer.derive('session cookies', 32));
  const settings: LoginSettings = {
    name: 'web',
    issuer: provider.issuer,
    ...TEST_CLIENT,
    clientAuthentication: 'client_secret_basic',
    scopes: ['profile', 'email', 'offline_access'],
    resource: undefined,
    path: '/.auth',
    afterLogout: '/',
    idle: 30 * 60_000,
    lifetime: 12 * 3_600_000,
    ca: undefined,
    ...options.settings,
  };
  const log: string[] = [];
  const note = (facts: object, message: string): void => {
    const error: unknown = 'err' in facts ? facts.err : undefined;
    log.push(`${message} ${JSON.stringify(facts)} ${error instanceof Error ? error.stack : ''}`);
  };
  const makeApp = (): LoginApp =>
    createLoginApp({
      records,
      counters,
      cookies,
      log: { info: note, warn: note, error: note },
      clock: () => test.now ?? Date.now(),
      logins: [...(options.before ?? []), settings],
      fetchFor: () => undefined,
    });
  const apps: LoginApp[] = [];
  const anotherApp = (): LoginApp => {
    const app = makeApp();
    apps.push(app);
    return app;
  };

  const test: TestLogin = {
    provider,
    records,
    counters,
    cookies,
    app: anotherApp(),
    settings,
    log,
    now: undefined,
    browser: () => testBrowser({ [ORIGIN]: () => `http://127.0.0.1:${port}` }),
    async signedIn() {
      const browser = test.browser();
      await browser.follow(`${ORIGIN}/.auth/login`, (url) => url === `${ORIGIN}/`);
      const cookie = browser.jar.get(ORIGIN)?.get(sessionCookieName(settings.name)) ?? '';
      const id = cookies.openSession(cookie)?.id;
      const session = id === undefined ? undefined : await records.sessions.find(id);
      if (session === undefined) throw new Error(`nobody was signed in:\n${log.join('\n')}`);
      return { browser, session, cookie };
    },
    anotherApp,
    async close() {
      await Promise.all(apps.map((app) => app.close()));
      server.closeAllConnections();
      server.close();
      await provider.close();
      await records.close();
      await counters.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  server.on('request', (request, response) => {
    // As the route would, unless a test has said it.
    if (request.headers['x-sallyport-login'] === undefined) request.rawHeaders.push('X-Sallyport-Login', settings.name);
    test.app.handler(request, response);
  });
  return test;
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}
