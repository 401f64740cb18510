import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { hashPassword, verifyPassword } from '../../identity/password.ts';
import { PASSWORD, type SignInServer, startSignInServer } from './test-sign-in-server.ts';
import { formsOf, openVisitor, type PageVisit, type Visitor } from './test-visitor.ts';

const OWNERS = 'another harbour, another dawn';
const THIEFS = 'a harbour that is not theirs';

describe('a form of the account page that is held back at its last bytes', () => {
  let at: SignInServer;
  let looked = (): void => undefined;
  before(async () => {
    at = await startSignInServer({
      records: (real) => ({
        ...real,
        users: {
          ...real.users,
          async find(id) {
            const found = await real.users.find(id);
            looked();
            return found;
          },
        },
      }),
    });
  });
  after(() => at.close());

  async function enter(username: string): Promise<{ readonly visitor: Visitor; readonly page: PageVisit }> {
    const visitor = openVisitor(at);
    const page = await visitor.get(`${at.issuer}/account`);
    return { visitor, page: await visitor.submit(page, 'password', { username, password: PASSWORD }) };
  }

  /** Sends all of the form but its end, waits for the server to have looked at the session, and hands out the way to send the rest. */
  async function park({
    visitor,
    page,
  }: Awaited<ReturnType<typeof enter>>): Promise<() => Promise<number | undefined>> {
    const form = formsOf(page).find(({ fields }) => fields['action'] === 'change-password');
    assert(form);
    const body = new URLSearchParams({ ...form.fields, current: PASSWORD, new: THIEFS }).toString();
    const { promise, resolve } = Promise.withResolvers<void>();
    looked = resolve;
    const sent = request(form.action, {
      method: 'POST',
      headers: {
        origin: new URL(at.issuer).origin,
        cookie: [...visitor.cookies].map(([name, { value }]) => `${name}=${value}`).join('; '),
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': String(body.length),
      },
    });
    sent.write(body.slice(0, -1));
    await promise;
    return async () => {
      sent.end(body.slice(-1));
      // `once` gives what the event carries: the response.
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    };
  }

  test('changes nothing once everything was ended', async () => {
    const user = await at.addUser('ada');
    const finish = await park(await enter('ada'));
    const owner = await enter('ada');
    await owner.visitor.submit(owner.page, 'change-password', { current: PASSWORD, new: OWNERS, everywhere: 'yes' });
    assert.equal(await finish(), 403);
    assert(await verifyPassword(OWNERS, (await at.records.users.find(user.id))?.passwordHash));
  });

  test('is held to the password that holds by then', async () => {
    const user = await at.addUser('bea');
    const finish = await park(await enter('bea'));
    await at.records.users.update(user.id, { passwordHash: await hashPassword(OWNERS) }, []);
    assert.equal(await finish(), 400);
    assert(await verifyPassword(OWNERS, (await at.records.users.find(user.id))?.passwordHash));
  });
});
