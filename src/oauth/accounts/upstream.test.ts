import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '../../lib/json.ts';
import { createAccounts } from './accounts.ts';
import { fleetApp, PASSWORD, type SignInServer, startSignInServer } from './test-sign-in-server.ts';
import { authorizeUrl, formsOf, openVisitor, type PageVisit, type Visitor } from './test-visitor.ts';
import { createUpstreamFetch } from './upstream-fetch.ts';
import { createUpstreamProvider } from './upstream-provider.ts';
import { userOfPerson } from './upstream-user.ts';

/** Two real servers: people have their accounts at the first, and the second lets them in. */
describe('sign-in at another provider', () => {
  let there: SignInServer;
  let here: SignInServer;
  let clientId: string;
  const secret = 'a secret of at least thirty-two characters';
  before(async () => {
    there = await startSignInServer();
    here = await startSignInServer({ upstream: (issuer) => upstreamOf(issuer, true) });
    await there.register({
      id: 'harbour',
      name: 'Harbour',
      redirect_uris: [`${here.issuer}/account/callback`],
      secret,
      token_endpoint_auth_method: 'client_secret_basic',
      scope: 'openid profile',
    });
    clientId = await here.register(fleetApp(here));
    await there.addUser('ada');
  });
  after(async () => {
    await here.close();
    await there.close();
  });

  function upstreamOf(_issuer: string, createUsers: boolean) {
    return createUpstreamProvider({
      issuer: there.issuer,
      clientId: 'harbour',
      clientSecret: secret,
      scopes: ['profile'],
      createUsers,
      title: 'the Admiralty',
    });
  }

  /** Follows the link of the page to the provider, signs in there, and comes back with what the provider answers. */
  async function goThere(
    visitor: Visitor,
    page: PageVisit,
    how: { readonly username?: string; readonly person?: Visitor; readonly edit?: (request: URL) => void } = {},
  ): Promise<URL> {
    const href = /<a class="button full" href="([^"]*)"/.exec(page.body)?.[1] ?? '';
    const { away } = await visitor.get(new URL(href.replaceAll('&amp;', '&'), page.url).href);
    assert(away !== undefined);
    assert.equal(away.searchParams.get('code_challenge_method'), 'S256');
    assert(away.searchParams.has('nonce') && away.searchParams.has('state'));
    const { username = 'ada', person = openVisitor(there), edit } = how;
    edit?.(away);
    let shown = await person.get(away.href);
    if (shown.away === undefined) shown = await person.submit(shown, 'password', { username, password: PASSWORD });
    if (shown.away === undefined) {
      const [form] = formsOf(shown);
      assert(form);
      shown = await person.post(form.action, { ...form.fields, action: 'allow' });
    }
    assert(shown.away !== undefined, shown.body);
    return shown.away;
  }

  async function signIn(username = 'ada'): Promise<PageVisit> {
    const visitor = openVisitor(here);
    const page = await visitor.get(authorizeUrl(here, { clientId }));
    assert.match(page.body, /Continue with the Admiralty/);
    return await visitor.get((await goThere(visitor, page, { username })).href);
  }

  test('makes an account the first time and finds it the second', async () => {
    assert.match((await signIn()).body, /Allow Fleet app\?/);
    assert.match((await signIn()).body, /Allow Fleet app\?/);
    const { items } = await here.records.users.list({ limit: 10 });
    assert.equal(items.length, 1);
    const [user] = items;
    const person = await there.records.users.findByUsername('ada');
    assert.equal(user?.upstream, `${there.issuer}|${person?.id}`);
    assert.deepEqual([user?.username, user?.claims['name'], user?.passwordHash], ['ada', 'Ada', undefined]);
    assert.deepEqual(here.faults, []);
  });

  test('does not link by name: a local account of that name is left alone', async () => {
    const local = await here.addUser('bob');
    await there.addUser('bob');
    assert.match((await signIn('bob')).body, /signed in as <strong>bob-[0-9a-f]{12}</);
    assert.equal((await here.records.users.find(local.id))?.upstream, undefined);

    // Nor do apps: they are told the name that is unique here, not the one from there.
    const person = await there.records.users.findByUsername('bob');
    const made = await here.records.users.findByUpstream(`${there.issuer}|${person?.id}`);
    assert.equal(made?.claims['preferred_username'], 'bob');
    const told = await createAccounts(here.records).claimsOf(made.id);
    assert.equal(told?.['preferred_username'], made.username);
  });

  test('says of a person what the provider says today, and what was added here', async () => {
    const { users } = here.records;
    const told = (claims: JsonObject) =>
      userOfPerson(
        { issuer: there.issuer, subject: 'grace', authenticatedAt: undefined, claims },
        { users, createUsers: true, event: ({ id }) => ({ type: 'user.created', actor: 'anonymous', subject: id }) },
      );
    const grace = await told({ name: 'Grace', email: 'grace@example.com', email_verified: true });
    assert(grace);
    await users.update(grace.id, { claims: { ...grace.claims, department: 'pilots' } }, []);
    // The new address is not verified because the old one was.
    await told({ name: 'Grace', email: 'admin@example.com' });
    const { claims } = (await users.find(grace.id)) ?? {};
    assert.deepEqual(claims, { name: 'Grace', email: 'admin@example.com', department: 'pilots' });
  });

  test('a disabled account stays out', async () => {
    await there.addUser('dan');
    await signIn('dan');
    const dan = await here.records.users.findByUsername('dan');
    await here.records.users.update(dan?.id ?? '', { disabled: true }, []);
    const refused = await signIn('dan');
    assert.equal(refused.status, 403);
    assert.match(refused.body, /You have no account here/);
  });

  test('is as fresh as the app asks for, by what the provider says of when it was', async (t) => {
    await there.addUser('fay');
    const start = Math.floor(Date.now() / 1000);
    t.mock.timers.enable({ apis: ['Date'], now: start * 1000 });
    const person = openVisitor(there);
    async function come(more: Record<string, string>, edit: (request: URL) => void): Promise<PageVisit> {
      const visitor = openVisitor(here);
      const page = await visitor.get(authorizeUrl(here, { clientId, more }));
      return await visitor.get((await goThere(visitor, page, { username: 'fay', person, edit })).href);
    }
    async function signedInAt(): Promise<unknown> {
      const fay = await here.records.users.findByUsername('fay');
      const { items } = await here.records.artifacts.list({ model: 'Session', accountId: fay?.id ?? '' }, { limit: 9 });
      return items.map(({ payload }) => payload['loginTs']).sort();
    }
    const asked = (query: Record<string, string | null>) => (request: URL) => {
      for (const [name, value] of Object.entries(query)) assert.equal(request.searchParams.get(name), value, name);
    };

    const first = await come({ login_hint: 'fay' }, asked({ login_hint: 'fay', prompt: null, max_age: null }));
    assert.match(first.body, /Allow Fleet app/);
    t.mock.timers.tick(600_000);
    assert.match((await come({ max_age: '3600' }, asked({ max_age: '3600', prompt: null }))).body, /Allow Fleet app/);
    assert.deepEqual(await signedInAt(), [start, start]);

    const older = await come({ max_age: '60' }, ({ searchParams }) => searchParams.set('max_age', '3600'));
    assert.match(older.body, /did not work/);
    const untold = await come({ prompt: 'login' }, ({ searchParams }) => {
      searchParams.delete('prompt');
      searchParams.delete('max_age');
    });
    assert.match(untold.body, /did not work/);
    assert.deepEqual(await signedInAt(), [start, start]);

    const anew = await come({ prompt: 'login' }, asked({ prompt: 'login', max_age: '0' }));
    assert.match(anew.body, /Allow Fleet app/);
    assert.deepEqual(await signedInAt(), [start, start, start + 600]);
  });

  test('an answer counts once, in the browser that asked, with its state', async () => {
    const visitor = openVisitor(here);
    const answer = await goThere(visitor, await visitor.get(authorizeUrl(here, { clientId })));
    const victim = openVisitor(here);
    await victim.get(authorizeUrl(here, { clientId }));
    assert.match((await victim.get(answer.href)).body, /Start again/);

    const checks = visitor.cookies.get('sallyport_upstream');
    assert(checks);
    victim.cookies.set('sallyport_upstream', checks);
    assert.match((await victim.get(answer.href)).body, /Start again/);

    const changed = new URL(answer);
    changed.searchParams.set('state', 'another');
    const twin = new Map(visitor.cookies);
    const wrong = await visitor.get(changed.href);
    assert.equal(wrong.status, 400);
    for (const [name, value] of twin) visitor.cookies.set(name, value);
    // The checks were used up by the try before.
    assert.match((await visitor.get(answer.href)).body, /Start again/);
  });

  test('an error of the provider is a page that says to try again', async () => {
    const visitor = openVisitor(here);
    const page = await visitor.get(`${here.issuer}/account?return_to=/docs`);
    const href = /<a class="button full" href="([^"]*)"/.exec(page.body)?.[1] ?? '';
    const { away } = await visitor.get(new URL(href, page.url).href);
    const back = new URL(`${here.issuer}/account/callback`);
    const iss = there.issuer;
    back.search = new URLSearchParams({
      error: 'access_denied',
      error_description: '<b>no</b>',
      state: away?.searchParams.get('state') ?? '',
      iss,
    }).toString();
    const answer = await visitor.get(back.href);
    assert.equal(answer.status, 400);
    assert(!answer.body.includes('<b>no'));
    assert.match(answer.body, /did not work/);
  });

  test('leads to the account page, and back to where the person came from', async () => {
    const visitor = openVisitor(here);
    const page = await visitor.get(`${here.issuer}/account?return_to=/docs`);
    const account = await visitor.get((await goThere(visitor, page)).href);
    assert.match(account.body, /Signed in as <strong>ada</);
    assert.match(account.body, /href="\/docs"/);
    assert(!account.body.includes('current-password'));
  });

  test('local passwords open nothing where people sign in elsewhere', async () => {
    const root = await here.addUser('root');
    const visitor = openVisitor(here);
    const page = await visitor.get(authorizeUrl(here, { clientId }));
    // The form to cancel has a token that is good for every action here.
    const form = formsOf(page).find(({ fields }) => fields['action'] === 'cancel');
    assert(form);
    const right = { ...form.fields, action: 'password', username: 'root', password: PASSWORD };
    assert.equal((await visitor.post(form.action, right)).status, 400);
    const sessions = await here.records.artifacts.list({ model: 'Session', accountId: root.id }, { limit: 1 });
    assert.deepEqual(sessions.items, []);
    assert.match((await visitor.get(page.url)).body, /Continue with the Admiralty/);
  });

  test('without createUsers only those who are known come in', async () => {
    const closed = await startSignInServer({ upstream: (issuer) => upstreamOf(issuer, false) });
    try {
      await there.records.clients.update(
        'harbour',
        {
          metadata: {
            ...(await there.records.clients.find('harbour'))?.metadata,
            redirect_uris: [`${closed.issuer}/account/callback`],
          },
        },
        [],
      );
      const visitor = openVisitor(closed);
      const page = await visitor.get(`${closed.issuer}/account`);
      const answer = await visitor.get((await goThere(visitor, page)).href);
      assert.equal(answer.status, 403);
      assert.deepEqual((await closed.records.users.list({ limit: 10 })).items, []);
    } finally {
      await closed.close();
    }
  });

  test('a provider that is away is a 503, and is asked again', async () => {
    let away: SignInServer | undefined = await startSignInServer();
    const { issuer } = away;
    await away.close();
    away = undefined;
    const upstream = () =>
      createUpstreamProvider({
        issuer,
        clientId: 'x',
        clientSecret: 'y',
        scopes: [],
        createUsers: true,
        title: 'Gone',
      });
    const at = await startSignInServer({ upstream });
    try {
      const visitor = openVisitor(at);
      await visitor.get(`${at.issuer}/account`);
      assert.equal((await visitor.get(`${at.issuer}/account/upstream`)).status, 503);
      assert.equal((await visitor.get(`${at.issuer}/account/upstream`)).status, 503);
      assert.equal(at.faults.length, 2);
    } finally {
      await at.close();
    }
  });
});

describe('reaching a provider', () => {
  test('a public issuer cannot send us into this network (attack 44)', async () => {
    const outside = createUpstreamFetch('https://login.example.com', undefined);
    try {
      const options = { method: 'GET', headers: {}, body: undefined, redirect: 'manual' } as const;
      for (const url of ['https://127.0.0.1:1/token', 'https://169.254.169.254/latest', 'http://127.0.0.1:1/token']) {
        await assert.rejects(outside.fetch(url, options), /may not be reached/);
      }
    } finally {
      await outside.close();
    }
  });
});
