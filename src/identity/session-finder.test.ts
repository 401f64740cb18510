import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { AuditRecord, AuditType } from '../stores/audit.ts';
import { type Session, type Sessions, StoreUnavailable } from '../stores/stores.ts';
import type { ControlLink } from './link.ts';
import { createSessionCookies } from './session-cookie.ts';
import { createSessionFinder } from './session-finder.ts';

/** A finder on a store and a control plane that count what they are asked. The store itself has tests of its own. */
function ground(session: Partial<Session> = {}) {
  const state = { reads: 0, asked: [] as string[], now: 1_000_000, stands: true, down: false };
  let stored: Session | undefined = { ...SESSION, ...session };
  const sessions: Pick<Sessions, 'find'> = {
    async find(id) {
      state.reads += 1;
      if (state.down) throw new StoreUnavailable('down');
      return id === SESSION.id ? stored : undefined;
    },
  };
  const link: ControlLink = {
    async ask(question) {
      state.asked.push(question);
      if (state.down) throw new StoreUnavailable('down');
      // Both questions about sessions are answered by a boolean.
      return state.stands as never;
    },
  };
  const finder = createSessionFinder({
    records: { sessions },
    link,
    cookies: createSessionCookies(randomBytes(32)),
    capacityBytes: 1024 * 1024,
    clock: () => state.now,
  });
  const store = (next: Session | undefined): void => {
    stored = next;
  };
  return { state, finder, store };
}

describe('finding sessions in a worker', () => {
  it('reads a busy session at most every 800 ms, for all who want it', async () => {
    const { state, finder } = ground();
    await Promise.all([finder.find('s1'), finder.find('s1'), finder.find('s1')]);
    assert.equal(state.reads, 1);
    state.now += 799;
    assert.equal((await finder.find('s1'))?.subject, 'alice');
    assert.equal(state.reads, 1);
    state.now += 1;
    await finder.find('s1');
    assert.equal(state.reads, 2);
  });

  it('knows within a second of a session that has ended, without being told', async () => {
    const { state, finder, store } = ground();
    await finder.find('s1');
    store(undefined);
    state.now += 1_000;
    assert.equal(await finder.find('s1'), undefined);
  });

  for (const type of ['session.removed', 'session.refreshed'] as const) {
    it(`knows at once when told of ${type}`, async () => {
      const { finder, store } = ground();
      await finder.find('s1');
      store(undefined);
      finder.forget([record(type)]);
      assert.equal(await finder.find('s1'), undefined);
    });
  }

  it('does not keep what was read before it was told', async () => {
    const { finder, store } = ground();
    const reading = finder.find('s1');
    store(undefined);
    finder.forget([record('session.removed')]);
    await reading;
    assert.equal(await finder.find('s1'), undefined);
  });

  it('keeps sessions through news of other things', async () => {
    const { state, finder } = ground();
    await finder.find('s1');
    finder.forget([record('key.revoked'), record('session.created')]);
    await finder.find('s1');
    assert.equal(state.reads, 1);
  });

  it('hands out no token that only the control plane needs', async () => {
    const { finder, store } = ground({ idToken: 'the-id-token' });
    const session = await finder.find('s1');
    assert.deepEqual([session?.accessToken, session?.refreshable], ['old', true]);
    assert.ok(session !== undefined && !('refreshToken' in session) && !('idToken' in session));
    store({ ...SESSION, refreshToken: undefined });
    assert.equal((await finder.refresh('s1'))?.refreshable, false);
  });

  it('ends a held session at its time', async () => {
    const { state, finder } = ground({ idleUntil: 1_000_500 });
    assert.ok((await finder.find('s1')) !== undefined);
    state.now += 500;
    assert.equal(await finder.find('s1'), undefined);
  });

  it('says that it is in use once a minute, and again where nobody heard', async () => {
    const { state, finder } = ground();
    for (let second = 0; second < 60; second += 1) {
      await finder.find('s1');
      state.now += 1_000;
    }
    assert.deepEqual(state.asked, ['session.touch']);
    await finder.find('s1');
    assert.equal(state.asked.length, 2);
  });

  it('refreshes once for all who ask, and answers what is stored then', async () => {
    const { state, finder, store } = ground();
    await finder.find('s1');
    store({ ...SESSION, accessToken: 'new' });
    const [one, two] = await Promise.all([finder.refresh('s1'), finder.refresh('s1')]);
    assert.equal(one?.accessToken, 'new');
    assert.equal(two?.accessToken, 'new');
    assert.equal(state.asked.filter((question) => question === 'session.refresh').length, 1);
    state.stands = false;
    assert.equal(await finder.refresh('s1'), undefined);
  });

  it('rejects where the store does not answer, and remembers nothing of that', async () => {
    const { state, finder } = ground();
    state.down = true;
    await assert.rejects(async () => finder.find('s1'), StoreUnavailable);
    state.down = false;
    assert.ok((await finder.find('s1')) !== undefined);
  });
});

const SESSION: Session = {
  id: 's1',
  login: 'web',
  issuer: 'https://issuer.example',
  clientId: 'gateway',
  subject: 'alice',
  sid: undefined,
  claims: {},
  accessToken: 'old',
  refreshToken: 'r',
  idToken: undefined,
  scopes: [],
  tokenExpiresAt: undefined,
  expiresAt: 10_000_000,
  idleUntil: 10_000_000,
  createdAt: 0,
  version: 1,
};

function record(type: AuditType): AuditRecord {
  return { type, actor: 'system', subject: '', seq: 1, at: 0, previous: '', hash: '' };
}
