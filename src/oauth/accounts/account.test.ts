import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sessionNamed } from '../../stores/test-records.ts';
import { PASSWORD, type SignInServer, startFleet } from './test-sign-in-server.ts';
import { authorizeUrl, formsOf, openVisitor, type PageVisit, type Visitor } from './test-visitor.ts';

const NEW = 'another harbour, another dawn';

describe('the account page', () => {
  let at: SignInServer;
  let clientId: string;
  before(async () => {
    ({ at, clientId } = await startFleet());
  });
  after(() => at.close());

  async function enter(
    username: string,
    query = '',
    password = PASSWORD,
  ): Promise<{ visitor: Visitor; page: PageVisit }> {
    const visitor = openVisitor(at);
    const page = await visitor.submit(await visitor.get(`${at.issuer}/account${query}`), 'password', {
      username,
      password,
    });
    return { visitor, page };
  }

  /** Signs in at an app and allows it. */
  async function connect(username: string): Promise<Visitor> {
    const visitor = openVisitor(at);
    const consent = await visitor.submit(await visitor.get(authorizeUrl(at, { clientId })), 'password', {
      username,
      password: PASSWORD,
    });
    const [form] = formsOf(consent);
    assert(form);
    const done = await visitor.post(form.action, { ...form.fields, action: 'allow' });
    assert(done.away?.searchParams.has('code'));
    return visitor;
  }

  test('the password is changed, and with it everything else ends', async () => {
    const user = await at.addUser('ada');
    const app = await connect('ada');
    const elsewhere = await enter('ada');
    const { visitor, page } = await enter('ada');
    const before = visitor.cookies.get('sallyport_account')?.value;
    const wrong = await visitor.submit(page, 'change-password', { current: 'not it', new: NEW, everywhere: 'yes' });
    assert.match(wrong.body, /present password is wrong/);
    const weak = await visitor.submit(page, 'change-password', { current: PASSWORD, new: 'Password1234' });
    assert.match(weak.body, /first that are tried/);
    const done = await visitor.submit(page, 'change-password', { current: PASSWORD, new: NEW, everywhere: 'yes' });
    assert.match(done.body, /The password is changed/);
    assert.notEqual(visitor.cookies.get('sallyport_account')?.value, before);

    assert.match((await elsewhere.visitor.get(`${at.issuer}/account`)).body, /<h1>Sign in/);
    assert.match((await app.get(authorizeUrl(at, { clientId }))).body, /<h1>Sign in/);
    assert.deepEqual(await at.server.grants.listOf(user.id), []);
    const { items } = await at.records.audit.list({ subject: `user:${user.id}` }, { limit: 10 });
    const change = items.find((record) => record.type === 'user.updated');
    assert.deepEqual(change?.detail, { changed: ['password'], tokensRevoked: true });
    assert.match((await enter('ada')).page.body, /is wrong/);
    assert.match((await enter('ada', '', NEW)).page.body, /Signed in as/);
  });

  test('what ends everywhere ends at the logins of the gateway too, for nobody else', async () => {
    const [jo, kim] = [await at.addUser('jo'), await at.addUser('kim')];
    const later = Date.now() + 900_000;
    const ends = { tokenExpiresAt: later, expiresAt: later, idleUntil: later };
    const isSignedIn = async (name: string) => (await at.records.sessions.find(name)) !== undefined;
    for (const [name, issuer, subject] of [
      ['jo at once', at.issuer, jo.id],
      ['kim', at.issuer, kim.id],
      ['jo of another provider', 'https://login.example.com', jo.id],
    ] as const)
      await at.records.sessions.create(sessionNamed(name, { issuer, subject, ...ends }), []);

    const { visitor, page } = await enter('jo');
    assert.match((await visitor.submit(page, 'end-all')).body, /Every browser is signed out/);
    assert.equal(await isSignedIn('jo at once'), false);
    assert(await isSignedIn('kim'));
    assert(await isSignedIn('jo of another provider'));
    const { items } = await at.records.audit.list({ type: 'session.removed' }, { limit: 10 });
    assert.deepEqual(
      items.map(({ actor, subject }) => ({ actor, subject })),
      [{ actor: `user:${jo.id}`, subject: `user:${jo.id}` }],
    );

    await at.records.sessions.create(sessionNamed('jo later', { issuer: at.issuer, subject: jo.id, ...ends }), []);
    const again = await enter('jo');
    const fields = { current: PASSWORD, new: NEW, everywhere: 'yes' };
    assert.match((await again.visitor.submit(again.page, 'change-password', fields)).body, /The password is changed/);
    assert.equal(await isSignedIn('jo later'), false);
  });

  test('the access of one app is taken back, and a browser signed out; nobody else\u2019s', async () => {
    const bea = await at.addUser('bea');
    await at.addUser('eve');
    const app = await connect('bea');
    const { visitor, page } = await enter('bea');
    assert.match(page.body, /Fleet app/);
    const fields = (name: string) => formsOf(page).find((form) => form.fields['action'] === name)?.fields ?? {};
    const grant = fields('revoke')['grant'] ?? '';
    const session = fields('end-session')['session'] ?? '';

    const eve = await enter('eve');
    const own = formsOf(eve.page).find((form) => form.fields['action'] === 'end-all');
    assert(own);
    for (const stolen of [
      { action: 'revoke', grant },
      { action: 'end-session', session },
      { action: 'remove-passkey', passkey: 'x' },
    ]) {
      assert.match((await eve.visitor.post(own.action, { ...own.fields, ...stolen })).body, /not there any more/);
    }
    assert.equal((await at.server.grants.listOf(bea.id)).length, 1);

    assert.match((await visitor.submit(page, 'revoke')).body, /The app has no access any more/);
    assert.deepEqual(await at.server.grants.listOf(bea.id), []);
    assert.match((await visitor.submit(page, 'end-session')).body, /That browser is signed out/);
    assert.match((await app.get(authorizeUrl(at, { clientId }))).body, /<h1>Sign in/);
  });

  test('a disabled account is shown out at once', async () => {
    const user = await at.addUser('cora');
    const { visitor } = await enter('cora');
    await at.records.users.update(user.id, { disabled: true }, []);
    assert.match((await visitor.get(`${at.issuer}/account`)).body, /<h1>Sign in/);
  });

  test('the session is new at each sign-in: one that was planted opens nothing (session fixation)', async () => {
    await at.addUser('finn');
    const visitor = openVisitor(at);
    visitor.cookies.set('sallyport_account', { value: 'A'.repeat(43), path: '/oauth/account' });
    await visitor.submit(await visitor.get(`${at.issuer}/account`), 'password', {
      username: 'finn',
      password: PASSWORD,
    });
    const entered = visitor.cookies.get('sallyport_account')?.value;
    assert(entered !== undefined && entered !== 'A'.repeat(43));
    const planted = openVisitor(at);
    planted.cookies.set('sallyport_account', { value: 'A'.repeat(43), path: '/oauth/account' });
    assert.match((await planted.get(`${at.issuer}/account`)).body, /<h1>Sign in/);
  });

  test('signing out ends the session on this side', async () => {
    await at.addUser('gus');
    const { visitor, page } = await enter('gus');
    const stolen = visitor.cookies.get('sallyport_account');
    assert(stolen);
    assert.match((await visitor.submit(page, 'sign-out')).body, /You are signed out/);
    const thief = openVisitor(at);
    thief.cookies.set('sallyport_account', stolen);
    assert.match((await thief.get(`${at.issuer}/account`)).body, /<h1>Sign in/);
  });

  test('only a way back on this host is shown, and it survives the sign-in (attack 46)', async () => {
    await at.addUser('hal');
    const good = await enter('hal', '?return_to=%2Fdocs%3Fa%3D1');
    assert.match(good.page.body, /href="\/docs\?a=1"/);
    for (const evil of ['//evil.example', '/\\evil.example', 'https://evil.example/', 'javascript:alert(1)']) {
      const { page } = await enter('hal', `?return_to=${encodeURIComponent(evil)}`);
      assert(!page.body.includes('evil.example') && !page.body.includes('javascript:'), evil);
    }
  });

  test('the last way into an account without a password stays', async () => {
    const passkey = { id: 'abc', publicKey: 'def', counter: 0, transports: [], name: 'Key', createdAt: 0 };
    const user = await at.addUser('ivy', { passkeys: [passkey] });
    const visitor = openVisitor(at);
    // Signs in while there is a password; a second factor is due, so the session is begun before the passkey is there.
    await at.records.users.update(user.id, { passkeys: [] }, []);
    const page = await visitor.submit(await visitor.get(`${at.issuer}/account`), 'password', {
      username: 'ivy',
      password: PASSWORD,
    });
    await at.records.users.update(user.id, { passkeys: [passkey], passwordHash: undefined }, []);
    const now = await visitor.get(page.url);
    assert.match((await visitor.submit(now, 'remove-passkey')).body, /only way into your account/);
    assert.equal((await at.records.users.find(user.id))?.passkeys.length, 1);
  });
});
