import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Problem } from '../../errors/problem.ts';
import { type Exchange, Reply, type RequestHead } from '../../exchange.ts';
import { inertServices } from '../../identity/inert-services.ts';
import { createSessionCookies, newSessionId } from '../../identity/session-cookie.ts';
import { createSessionFinder } from '../../identity/session-finder.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { openRecords } from '../../stores/open-records.ts';
import { createSealer } from '../../stores/sealer.ts';
import { type Records, type Session, StoreUnavailable } from '../../stores/stores.ts';
import { publicRoute, testExchange } from '../test-exchange.ts';
import { loginConfig } from './config.ts';
import { loginMethod } from './login.ts';

const ISSUER = 'https://login.example.com';
const SAME = { 'Sec-Fetch-Site': 'same-origin', Origin: 'https://api.example.com' };

describe('the login method, on real sessions', () => {
  const cookies = createSessionCookies(randomBytes(32));
  let directory: string;
  let records: Records;
  let refreshing: () => Promise<boolean>;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-login-policy-'));
    const sealer = createSealer([randomBytes(32)]);
    const file = join(directory, 'records.db');
    records = await openRecords({ driver: 'sqlite', file }, { sealer, readOnly: false });
  });
  after(async () => {
    await records.close();
    await rm(directory, { recursive: true, force: true });
  });

  function compile(config: object = {}, find: Partial<Pick<Records, 'sessions'>> = {}) {
    refreshing = () => Promise.resolve(true);
    const sessions = createSessionFinder({
      records: { ...records, ...find },
      link: { ask: async (question) => (question === 'session.refresh' ? await refreshing() : true) as never },
      cookies,
      capacityBytes: 1024 * 1024,
      clock: Date.now,
    });
    return loginMethod.compile(loginConfig.parse({ use: 'web', ...config }), {
      ...publicRoute,
      logins: {
        web: { path: '/.auth', issuer: ISSUER, clientId: 'gateway' },
        other: { path: '/.other', issuer: ISSUER, clientId: 'gateway' },
      },
      identity: { ...inertServices, sessions },
    });
  }

  async function session(change: Partial<Session> = {}): Promise<{ readonly id: string; readonly cookie: string }> {
    const now = Date.now();
    const made: Session = {
      id: newSessionId(),
      login: 'web',
      issuer: ISSUER,
      clientId: 'gateway',
      subject: 'alice',
      sid: undefined,
      claims: { name: 'Alice', roles: ['admin'] },
      accessToken: 'token-1',
      refreshToken: 'refresh-1',
      idToken: undefined,
      scopes: ['openid', 'orders:read'],
      tokenExpiresAt: now + 600_000,
      expiresAt: now + 600_000,
      idleUntil: now + 600_000,
      createdAt: now,
      version: 1,
      ...change,
    };
    await records.sessions.create(made, []);
    const value = cookies.sealSession({ login: made.login, id: made.id });
    return { id: made.id, cookie: `__Host-sallyport-${made.login}=${value}` };
  }

  function request(headers: Readonly<Record<string, string>>, head: Partial<RequestHead> = {}): Exchange {
    return testExchange({ headers: new HeaderList(Object.entries(headers).flat()), ...head });
  }

  it('makes a principal of a session, and gives the upstream the token but not the cookie', async () => {
    const { cookie, id } = await session();
    const exchange = request({ Cookie: `theme=dark; ${cookie}; cart=1` });
    assert.partialDeepStrictEqual(await compile().authenticate(exchange), {
      id: `${ISSUER}|alice`,
      kind: 'user',
      method: 'login',
      issuer: ISSUER,
      subject: 'alice',
      clientId: 'gateway',
      scopes: ['openid', 'orders:read'],
      claims: { name: 'Alice', roles: ['admin'], sub: 'alice', iss: ISSUER },
    });
    assert.deepEqual(exchange.upstreamHeaders.set.raw, [
      'Cookie',
      'theme=dark; cart=1',
      'Authorization',
      'Bearer token-1',
    ]);
    const principal = await compile().authenticate(request({ Cookie: cookie }));
    assert.ok(principal !== undefined && 'credentialId' in principal && principal.credentialId !== id);
  });

  it('removes the Cookie field where nothing else is in it, and leaves tokens away when told to', async () => {
    const { cookie } = await session();
    const exchange = request({ Cookie: cookie });
    await compile({ attachToken: false }).authenticate(exchange);
    assert.deepEqual(exchange.upstreamHeaders.remove, ['cookie']);
    assert.deepEqual(exchange.upstreamHeaders.set.raw, []);
  });

  it('takes no cookie that is foreign, changed, doubled or of another login, and none of a session that ended', async () => {
    const method = compile();
    const good = await session();
    const other = await session({ login: 'other' });
    const moved = await session({ issuer: 'https://former.example.com' });
    const renamed = await session({ clientId: 'former' });
    const unnamed = await session({ clientId: undefined });
    const ended = await session({ expiresAt: Date.now() - 1 });
    const idle = await session({ idleUntil: Date.now() - 1 });
    const foreign = createSessionCookies(randomBytes(32)).sealSession({ login: 'web', id: good.id });
    for (const [what, cookie] of Object.entries({
      none: 'theme=dark',
      foreign: `__Host-sallyport-web=${foreign}`,
      changed: `${good.cookie}x`,
      doubled: `${good.cookie}; ${good.cookie}`,
      'of another login': other.cookie.replace('-other=', '-web='),
      'renamed for this login': other.cookie.replace('-other=other.', '-web=web.'),
      'of a former issuer': moved.cookie,
      'of a former client': renamed.cookie,
      'of a client that nobody noted': unnamed.cookie,
      ended: ended.cookie,
      idle: idle.cookie,
      'the id itself': `__Host-sallyport-web=${good.id}`,
    })) {
      const exchange = request({ Cookie: cookie });
      assert.equal(await method.authenticate(exchange), undefined, what);
      assert.equal(exchange.upstreamHeaders.set.get('authorization'), undefined, what);
      assert.ok(!(exchange.upstreamHeaders.set.get('cookie') ?? '').includes('sallyport'), what);
    }
  });

  it('takes what changes something from its own origin alone', async () => {
    const { cookie } = await session();
    const method = compile();
    const outcome = async (headers: Readonly<Record<string, string>>, head: Partial<RequestHead>): Promise<string> => {
      const answer = await method.authenticate(request({ Cookie: cookie, ...headers }, head));
      return answer instanceof Problem ? answer.code : answer === undefined ? 'nobody' : 'in';
    };
    const post = { method: 'POST' } as const;
    const socket = { upgrade: 'websocket' } as const;
    const cross = { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' };
    assert.equal(await outcome(SAME, post), 'in');
    assert.equal(await outcome({ Origin: SAME.Origin }, post), 'in');
    assert.equal(await outcome({ 'Sec-Fetch-Site': 'same-origin' }, post), 'in');
    assert.equal(await outcome(cross, post), 'cross-site-request');
    assert.equal(
      await outcome({ 'Sec-Fetch-Site': 'same-site', Origin: 'https://x.example.com' }, post),
      'cross-site-request',
    );
    assert.equal(await outcome({ Origin: 'null' }, post), 'cross-site-request');
    assert.equal(await outcome({ Origin: 'null', 'Sec-Fetch-Site': 'cross-site' }, post), 'cross-site-request');
    assert.equal(await outcome({ Origin: 'null', 'Sec-Fetch-Site': 'same-site' }, post), 'cross-site-request');
    // A form of a page with Referrer-Policy: no-referrer.
    assert.equal(await outcome({ Origin: 'null', 'Sec-Fetch-Site': 'same-origin' }, post), 'in');
    assert.equal(await outcome({ Origin: 'https://api.example.com.evil.example' }, post), 'cross-site-request');
    assert.equal(await outcome({ Origin: 'http://api.example.com' }, post), 'cross-site-request');
    assert.equal(await outcome({}, post), 'cross-site-request');
    assert.equal(await outcome({}, { method: 'DELETE' }), 'cross-site-request');
    assert.equal(await outcome({ 'Sec-Fetch-Site': 'cross-site' }, {}), 'in', 'a link from elsewhere');
    assert.equal(await outcome(SAME, socket), 'in');
    assert.equal(await outcome(cross, socket), 'cross-site-request');
    assert.equal(await outcome({ 'Sec-Fetch-Site': 'same-origin' }, socket), 'cross-site-request');
  });

  it('sends navigations to sign in and back, everything else gets the 401', async () => {
    const method = compile();
    const target = { path: '/orders', query: 'page=2', encodedDelimiters: false };
    const navigate = { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
    const reply = method.invite?.(request({ ...navigate, Cookie: '__Host-sallyport-web=old' }, { target }));
    assert.ok(reply instanceof Reply);
    assert.equal(reply.status, 302);
    assert.equal(reply.headers.get('location'), '/.auth/login?return_to=%2Forders%3Fpage%3D2');
    assert.equal(reply.headers.get('cache-control'), 'no-store');
    assert.match(reply.headers.get('set-cookie') ?? '', /^__Host-sallyport-web=; .*Max-Age=0$/);
    assert.ok(method.invite?.(request({ Accept: 'text/html,*/*' }, { target })) instanceof Reply);
    const stay: readonly [Readonly<Record<string, string>>, Partial<RequestHead>][] = [
      [{ 'Sec-Fetch-Mode': 'cors', Accept: 'text/html' }, {}],
      [{ 'Sec-Fetch-Mode': 'no-cors' }, {}],
      [{ 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' }, {}],
      [{ Accept: '*/*' }, {}],
      [{ Accept: 'text/html', 'X-Requested-With': 'XMLHttpRequest' }, {}],
      [navigate, { method: 'POST' }],
      [{}, {}],
    ];
    for (const [headers, head] of stay) assert.equal(method.invite?.(request(headers, head)), undefined);
    assert.equal(method.challenge(request({})), 'Session realm="web", login="/.auth/login"');
    const long = { ...target, query: 'x'.repeat(2_000) };
    const short = method.invite?.(request(navigate, { target: long }));
    assert.equal(short?.headers.get('location'), '/.auth/login');
  });

  it('has a token refreshed that is about to run out, and uses the new one', async () => {
    const { cookie, id } = await session({ tokenExpiresAt: Date.now() + 1_000 });
    const method = compile();
    refreshing = async () => {
      const present = await records.sessions.find(id);
      assert.ok(present !== undefined);
      return records.sessions.update({ ...present, accessToken: 'token-2', tokenExpiresAt: Date.now() + 600_000 }, []);
    };
    const exchange = request({ Cookie: cookie });
    assert.ok((await method.authenticate(exchange)) !== undefined);
    assert.equal(exchange.upstreamHeaders.set.get('authorization'), 'Bearer token-2');
  });

  it('goes on with a token that lives where it cannot be refreshed, and never with an expired one', async () => {
    const method = compile();
    refreshing = () => Promise.reject(new StoreUnavailable('down'));
    const alive = await session({ tokenExpiresAt: Date.now() + 5_000 });
    const exchange = request({ Cookie: alive.cookie });
    assert.ok(!((await method.authenticate(exchange)) instanceof Problem));
    assert.equal(exchange.upstreamHeaders.set.get('authorization'), 'Bearer token-1');
    const expired = await session({ tokenExpiresAt: Date.now() - 1 });
    const refused = await method.authenticate(request({ Cookie: expired.cookie }));
    assert.ok(refused instanceof Problem);
    assert.deepEqual([refused.code, refused.status], ['identity-unavailable', 503]);
    refreshing = () => Promise.resolve(false);
    assert.equal(await method.authenticate(request({ Cookie: expired.cookie })), undefined);
    const without = await session({ tokenExpiresAt: Date.now() - 1, refreshToken: undefined });
    assert.equal(await method.authenticate(request({ Cookie: without.cookie })), undefined);
  });

  it('lets no token into a field that would break it (attack 23)', async () => {
    const { cookie } = await session({ accessToken: 'a\r\nX-Evil: 1' });
    const exchange = request({ Cookie: cookie });
    assert.ok((await compile().authenticate(exchange)) instanceof Problem);
    assert.equal(exchange.upstreamHeaders.set.get('authorization'), undefined);
  });

  it('answers 503 where the store is down', async () => {
    const down = () => Promise.reject(new StoreUnavailable('down'));
    const { cookie } = await session();
    const method = compile({}, { sessions: { ...records.sessions, find: down } });
    const refused = await method.authenticate(request({ Cookie: cookie }));
    assert.ok(refused instanceof Problem);
    assert.equal(refused.code, 'identity-unavailable');
  });

  it('does not compile with a login that is not there', () => {
    assert.throws(() => compile({ use: 'webb' }), /not among `logins`; there are: web, other/);
    assert.equal(loginConfig.safeParse({}).success, false);
    assert.equal(loginConfig.safeParse({ use: 'web', attachTokens: true }).success, false);
  });
});
