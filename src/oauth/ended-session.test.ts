import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import type { Records } from '../stores/stores.ts';
import { openBrowser, type TestBrowser } from './test-browser.ts';
import { authorize, CALLBACK } from './test-flows.ts';
import { startTestServer, type TestServer } from './test-server.ts';

interface SignedIn {
  readonly at: TestServer;
  readonly browser: TestBrowser;
  readonly clientId: string;
  /** Ends everything of the person right before the next session is written: the request that writes it found it alive. */
  endInBetween(): void;
}

/** Somebody signed in, on a server whose sessions can be ended in the middle of a request. */
async function withSession(run: (signedIn: SignedIn) => Promise<void>): Promise<void> {
  let armed = false;
  const wrap = (records: Records): Records => ({
    ...records,
    artifacts: {
      ...records.artifacts,
      async upsert(artifact, events) {
        if (armed && artifact.model === 'Session') {
          armed = false;
          await records.artifacts.revokeAll({ accountId: 'ada' }, []);
        }
        await records.artifacts.upsert(artifact, events);
      },
    },
  });
  const at = await startTestServer({}, wrap);
  try {
    const { id: clientId } = await at.register({ name: 'App', redirect_uris: [CALLBACK] });
    const browser = openBrowser(at.issuer);
    await authorize(at, { clientId, browser });
    assert.equal(await answerTo(browser, at, clientId), 'code');
    const endInBetween = () => {
      armed = true;
    };
    await run({ at, browser, clientId, endInBetween });
    assert.equal(armed, false, 'no session was written');
    assert.deepEqual(at.faults, []);
  } finally {
    await at.close();
  }
}

/** What an app that must not show a page hears: `code`, or the error. */
async function answerTo(browser: TestBrowser, at: TestServer, clientId: string): Promise<string> {
  const { visit } = await authorize(at, { clientId, browser, parameters: { prompt: 'none' } });
  return visit.away?.searchParams.get('error') ?? 'code';
}

async function sessionsLeft({ records }: TestServer): Promise<number> {
  return (await records.artifacts.list({ model: 'Session', accountId: 'ada' }, { limit: 10 })).items.length;
}

describe('a session that is ended while a request has it', () => {
  test('is not written back when the request ends', async () => {
    await withSession(async ({ at, browser, clientId, endInBetween }) => {
      endInBetween();
      await browser.visit(`${at.issuer}/device`);
      assert.equal(await sessionsLeft(at), 0);
      assert.equal(await answerTo(browser, at, clientId), 'login_required');
    });
  });

  test('is not written back under a new id either', async () => {
    await withSession(async ({ at, browser, clientId, endInBetween }) => {
      const asked = await browser.visit(`${at.issuer}/logout?client_id=${clientId}`);
      // The pages of these tests are JSON of what they were told. Who stays signed in gets a new id.
      const { form } = JSON.parse(asked.body) as { form: { action: string; fields: Record<string, string> } };
      endInBetween();
      await browser.visit(form.action, form.fields);
      assert.equal(await sessionsLeft(at), 0);
      assert.equal(await answerTo(browser, at, clientId), 'login_required');
    });
  });

  test('one that nobody ended goes on, under its new id alone', async () => {
    await withSession(async ({ at, browser, clientId }) => {
      await authorize(at, { clientId, browser, parameters: { prompt: 'login' } });
      assert.equal(await sessionsLeft(at), 1);
      assert.equal(await answerTo(browser, at, clientId), 'code');
    });
  });
});

test('a sign-in that its browser has not followed to the end ends with everything of the person', async () => {
  const wrap = (records: Records): Records => ({
    ...records,
    artifacts: {
      ...records.artifacts,
      async upsert(artifact, events) {
        await records.artifacts.upsert(artifact, events);
        const isDone = artifact.model === 'Interaction' && artifact.payload['result'] !== undefined;
        if (isDone) await records.artifacts.revokeAll({ accountId: 'ada' }, []);
      },
    },
  });
  const at = await startTestServer({}, wrap);
  try {
    const { id: clientId } = await at.register({ name: 'App', redirect_uris: [CALLBACK] });
    const { visit } = await authorize(at, { clientId });
    assert.equal(visit.status, 400);
    assert.match(visit.body, /interaction session not found/);
    assert.equal(await sessionsLeft(at), 0);
  } finally {
    await at.close();
  }
});

test('a session ends so long after the sign-in, however much it is used, and a new sign-in begins anew', async () => {
  const at = await startTestServer({ lifetimes: { session: 12 * 3600 } });
  const start = Date.now();
  mock.timers.enable({ apis: ['Date'], now: start });
  try {
    const { id: clientId } = await at.register({ name: 'App', redirect_uris: [CALLBACK] });
    const browser = openBrowser(at.issuer);
    const answerAfter = async (hours: number) => {
      mock.timers.setTime(start + hours * 3_600_000);
      return await answerTo(browser, at, clientId);
    };
    await authorize(at, { clientId, browser });
    assert.equal(await answerAfter(6), 'code');
    assert.equal(await answerAfter(11), 'code');
    assert.equal(await answerAfter(13), 'login_required');
    await authorize(at, { clientId, browser });
    assert.equal(await answerAfter(20), 'code');
    await authorize(at, { clientId, browser, parameters: { prompt: 'login' } });
    assert.equal(await answerAfter(31), 'code');
    assert.equal(await answerAfter(33), 'login_required');
    assert.deepEqual(at.faults, []);
  } finally {
    mock.timers.reset();
    await at.close();
  }
});
