import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DEMO_USER } from '../examples/demo/secrets.ts';
import { verifyPassword } from '../src/identity/password.ts';
import { openRecords } from '../src/stores/open-records.ts';
import { createSealer, parseSealingKey } from '../src/stores/sealer.ts';
import type { User, Users } from '../src/stores/stores.ts';
import { type Demo, runDemo, signInToDemo, startDemo } from './support/demo.ts';
import { skipUnless } from './support/require-tool.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const shell = promisify(execFile);

describe('npm start', { skip: skipUnless('curl') }, () => {
  let demo: Demo;
  before(async () => {
    demo = await startDemo();
  });
  after(() => demo.stop());

  /** A line it printed, run as it stands there. */
  async function runPrinted(pattern: RegExp): Promise<string> {
    const line = demo
      .text()
      .split('\n')
      .find((candidate) => pattern.test(candidate));
    assert.ok(line !== undefined, `no such line in:\n${demo.text()}`);
    const { stdout } = await shell('sh', ['-c', line.trim()], { cwd: root, env: demo.env });
    return stdout;
  }

  const showsAllWidgets = (text: string): void => {
    const widgets: unknown = JSON.parse(text);
    assert.ok(typeof widgets === 'object' && widgets !== null && 'items' in widgets && Array.isArray(widgets.items));
    assert.equal(widgets.items.length, 5);
  };

  it('prints five commands: a token and a key open the API, and neither of them does not', async () => {
    assert.equal(demo.text().match(/^ {2}curl /gm)?.length, 5);
    showsAllWidgets(await runPrinted(/^ {2}curl .*Bearer.*client_credentials/));
    showsAllWidgets(await runPrinted(/^ {2}curl .*X-API-Key.*\/v1\/widgets$/));

    const refused = await runPrinted(/^ {2}curl .* -i https:.*\/v1\/widgets$/);
    assert.match(refused, /^HTTP\/[\d.]+ 401/);
    assert.match(refused, /"code":"unauthenticated"/);
    const metadata = `https://localhost:${demo.env['DEMO_PORT']}/.well-known/oauth-protected-resource/v1`;
    assert.ok(refused.includes(`Bearer resource_metadata="${metadata}"`), refused);
    assert.match(refused, /www-authenticate: .*DPoP /i);
    assert.match(refused, /www-authenticate: ApiKey realm="widgets", header="x-api-key"/i);
  });

  it('masks what the API tells of its failures, and measures itself', async () => {
    const masked = await runPrinted(/^ {2}curl .*\/v1\/error$/);
    assert.match(masked, /^HTTP\/[\d.]+ 500/);
    assert.match(masked, /application\/problem\+json/);
    assert.doesNotMatch(masked, /hunter2|postgres|\.ts:|x-powered-by|demo\/1\.0/i);
    assert.match(await runPrinted(/^ {2}curl .*\/metrics$/), /^# HELP /);
  });

  it('explains a request with the command it prints', async () => {
    assert.match(await runPrinted(/^ {2}npx node .*explain/), /route +widgets \/ widget /);
  });

  it('lets somebody sign in with a browser, and no token ever gets there', {
    skip: skipUnless('chromium'),
  }, async () => {
    const { browser, context, page, url, seen } = await signInToDemo(demo);
    try {
      await page.locator('#text, input[name=text]').first().fill('call the API');
      await page.getByRole('button', { name: 'Add' }).click();
      await page.getByText('call the API').waitFor();
      const kept = await page.evaluate('document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })');
      assert.equal(kept, '{}', 'scripts see no cookie and keep nothing');
      const [session] = (await context.cookies()).filter(({ name }) => name.startsWith('__Host-sallyport-'));
      assert.ok(session?.httpOnly === true && session.secure);
      for (const text of [...seen, page.url()]) assert.doesNotMatch(text, TOKEN);

      await page.getByRole('button', { name: 'Sign out' }).click(); // in the app
      await page.waitForURL(/\/oauth\/logout/);
      await page.getByRole('button', { name: 'Sign out' }).click(); // at the authorization server
      await page.getByRole('link', { name: 'Sign in' }).waitFor();
      assert.equal(page.url(), url);
      const after = await page.request.get(new URL('/api/notes', url).href);
      assert.equal(after.status(), 401, 'the session has ended');
      // The hint of RP-initiated logout is an ID token, and opens nothing (docs/login.md).
      for (const text of seen) assert.doesNotMatch(text.replace(/id_token_hint=[^&]+/, ''), TOKEN);
    } finally {
      await browser.close();
    }
  });

  it('carries what the demo API offers', async () => {
    const key = /X-API-Key: (sp_live_\w+)/.exec(demo.text())?.[1] ?? '';
    const curl = ['-sS', '--cacert', join(demo.directory, 'dev-ca/ca.pem'), '-H', `X-API-Key: ${key}`];
    const base = `https://localhost:${demo.env['DEMO_PORT']}/v1`;
    const events = await shell('curl', [...curl, '-N', '--max-time', '3', `${base}/events`]).catch((ended) => ended); // it goes on until told to stop
    assert.match(events.stdout, /event: tick/);
    const seen = await shell('curl', [
      ...curl,
      '-H',
      'X-Forwarded-For: 203.0.113.9',
      '-H',
      'X-User-Id: root',
      `${base}/headers`,
    ]);
    assert.match(seen.stdout, /X-Forwarded-Proto: https/);
    assert.match(seen.stdout, /X-User-Id: config-demo-partner/);
    assert.doesNotMatch(seen.stdout, /203\.0\.113\.9|root|X-API-Key/);
    const redirect = await shell('curl', ['-sSI', `http://localhost:${demo.env['DEMO_REDIRECT_PORT']}/v1/widgets`]);
    assert.match(redirect.stdout, /^HTTP\/1\.1 308[\s\S]*Location: https:\/\/localhost:\d+\/v1\/widgets/);
  });

  it('says which port is taken, and how to choose another', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const address = squatter.address();
    assert.ok(address !== null && typeof address === 'object');
    try {
      const second = runDemo({ ...demo.env, DEMO_PORT: String(address.port) });
      await once(second.process, 'exit');
      assert.equal(second.process.exitCode, 1);
      assert.match(
        second.text(),
        new RegExp(`Port ${address.port} \\(HTTPS\\) is taken\\. Choose another: DEMO_PORT=\\d+ npm start`),
      );
    } finally {
      squatter.close();
    }
  });

  it('starts again over what it left, also after a crash: what it has printed goes on to work', async () => {
    const printed = printedLines(demo);
    const gateway = Number(/"pid":(\d+)/.exec(demo.text())?.[1]);
    process.kill(gateway, 'SIGKILL');
    await once(demo.process, 'exit');
    assert.match(demo.text(), /The gateway has ended by itself/);
    // As of an older demo, whose password was another one.
    await withAccount(demo.directory, (users, { id }) =>
      users.update(id, { passwordHash: undefined, updatedAt: 0 }, []),
    );

    demo = await startDemo(demo.env);
    assert.deepEqual(printedLines(demo), printed);
    assert.doesNotMatch(demo.text(), /first key of the admin API/, 'that is shown once');
    showsAllWidgets(await runPrinted(/^ {2}curl .*Bearer.*client_credentials/));
    showsAllWidgets(await runPrinted(/^ {2}curl .*X-API-Key.*\/v1\/widgets$/));
    const [, password = ''] = /password (\S+)$/m.exec(demo.text()) ?? [];
    const hash = await withAccount(demo.directory, async (_users, { passwordHash }) => passwordHash);
    assert.ok(await verifyPassword(password, hash ?? ''), 'the printed password is the account\u2019s');
  });
});

/** Two segments of a compact JWS. */
const TOKEN = /eyJ[A-Za-z0-9_-]{20,}\.eyJ/;

function printedLines(demo: Demo): readonly string[] {
  return demo
    .text()
    .split('\n')
    .filter((line) => line.startsWith('  '));
}

/** Does something with the printed user's account in the records of a demo. */
async function withAccount<Outcome>(
  directory: string,
  act: (users: Users, account: User) => Promise<Outcome>,
): Promise<Outcome> {
  const key = await readFile(join(directory, 'sealing-key'), 'utf8');
  const sealer = createSealer([parseSealingKey(key.trim(), 'the sealing key')]);
  const file = join(directory, 'records.db');
  const records = await openRecords({ driver: 'sqlite', file }, { sealer, readOnly: false });
  try {
    const account = await records.users.findByUsername(DEMO_USER);
    assert.ok(account !== undefined);
    return await act(records.users, account);
  } finally {
    await records.close();
  }
}
