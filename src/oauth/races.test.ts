import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Records } from '../stores/stores.ts';
import { openBrowser } from './test-browser.ts';
import { authorize, basic, CALLBACK, post } from './test-flows.ts';
import { startTestServer, type TestServer } from './test-server.ts';

/** Holds what was read of one model until so many have read it: each of them then believes to be the first. */
function readTogether(model: string, readers: number): { readonly wrap: (records: Records) => Records; arm(): void } {
  let waiting: (() => void)[] = [];
  let armed = false;
  const wrap = (records: Records): Records => ({
    ...records,
    artifacts: {
      ...records.artifacts,
      async find(asked, id) {
        const found = await records.artifacts.find(asked, id);
        if (!armed || asked !== model) return found;
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          if (waiting.length < readers) return;
          armed = false;
          for (const go of waiting) go();
          waiting = [];
        });
        return found;
      },
    },
  });
  return {
    wrap,
    arm() {
      armed = true;
    },
  };
}

async function withApp(
  model: string,
  run: (at: TestServer, app: { id: string; secret: string }, arm: () => void) => Promise<void>,
): Promise<void> {
  const gate = readTogether(model, RACERS);
  const at = await startTestServer({}, gate.wrap);
  try {
    await run(at, await at.register({ name: 'App', redirect_uris: [CALLBACK] }), gate.arm);
    assert.deepEqual(at.faults, []);
  } finally {
    await at.close();
  }
}

const RACERS = 4;

/** Of all answers at most one has tokens; those do not live, and the audit log knows why. */
async function assertNobodyGained(at: TestServer, app: { id: string; secret: string }, answers: readonly Answer[]) {
  const won = answers.filter(({ status }) => status === 200);
  assert.ok(won.length <= 1, `${won.length} were answered with tokens`);
  for (const { body } of answers.filter(({ status }) => status !== 200)) assert.equal(body['error'], 'invalid_grant');
  for (const { body } of won) {
    const token = String(body['access_token']);
    assert.deepEqual((await post(`${at.issuer}/introspect`, { token }, basic(app))).body, { active: false });
    const form = { grant_type: 'refresh_token', refresh_token: String(body['refresh_token']) };
    assert.equal((await post(`${at.issuer}/token`, form, basic(app))).body['error'], 'invalid_grant');
  }
  const { items } = await at.records.audit.list({ type: 'grant.reuse-detected' }, { limit: 10 });
  assert.ok(items.length >= 1);
}

type Answer = Awaited<ReturnType<typeof post>>;

test('of racing uses of one refresh token at most one is answered with tokens, and those do not live', async () => {
  await withApp('RefreshToken', async (at, app, arm) => {
    const { visit, verifier } = await authorize(at, { clientId: app.id });
    const code = String(visit.away?.searchParams.get('code'));
    const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
    const { body } = await post(`${at.issuer}/token`, form, basic(app));
    arm();
    const again = { grant_type: 'refresh_token', refresh_token: String(body['refresh_token']) };
    const use = () => post(`${at.issuer}/token`, again, basic(app));
    await assertNobodyGained(at, app, await Promise.all(Array.from({ length: RACERS }, use)));
  });
});

test('attack 42: of racing uses of one code at most one is answered with tokens, and those do not live', async () => {
  await withApp('AuthorizationCode', async (at, app, arm) => {
    const { visit, verifier } = await authorize(at, { clientId: app.id });
    const code = String(visit.away?.searchParams.get('code'));
    arm();
    const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
    const use = () => post(`${at.issuer}/token`, form, basic(app));
    await assertNobodyGained(at, app, await Promise.all(Array.from({ length: RACERS }, use)));
  });
});

test('guesses at user codes that come at once are no more than those one by one, and right codes cost nothing', async () => {
  const slow = (records: Records): Records => ({
    ...records,
    artifacts: {
      ...records.artifacts,
      async findByUserCode(model, userCode) {
        await setTimeout(100);
        return await records.artifacts.findByUserCode(model, userCode);
      },
    },
  });
  const at = await startTestServer({}, slow);
  try {
    const { id } = await at.register({
      name: 'Television',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
      token_endpoint_auth_method: 'none',
    });
    const { body } = await post(`${at.issuer}/device/authorize`, { client_id: id, scope: 'widgets:read' });
    const openForm = async () => {
      const browser = openBrowser(at.issuer);
      // The pages of these tests are JSON of what they were told.
      const { form } = JSON.parse((await browser.visit(`${at.issuer}/device`)).body) as Shown;
      return async (user_code: string) =>
        JSON.parse((await browser.visit(form.action, { ...form.fields, user_code })).body) as Shown;
    };
    for (let round = 0; round < 2; round += 1) {
      const forms = await Promise.all(Array.from({ length: 15 }, openForm));
      const shown = await Promise.all(forms.map((enter) => enter(String(body['user_code']))));
      for (const { userCode } of shown) assert.equal(userCode, body['user_code']);
    }
    const forms = await Promise.all(Array.from({ length: 40 }, openForm));
    const answers = await Promise.all(forms.map((enter) => enter('BBBB-BBBB')));
    assert.equal(answers.filter(({ problem }) => problem === 'unknown-code').length, 20);
  } finally {
    await at.close();
  }
});

interface Shown {
  readonly form: { readonly action: string; readonly fields: Record<string, string> };
  readonly problem?: string;
  readonly userCode?: string;
}
