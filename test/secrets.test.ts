import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { demoSecrets } from '../examples/demo/secrets.ts';
import { openRecords } from '../src/stores/open-records.ts';
import { createSealer, parseSealingKey } from '../src/stores/sealer.ts';
import { type Demo, type SignedIn, signInToDemo, startDemo } from './support/demo.ts';
import { skipUnless } from './support/require-tool.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

/** Done line 9: whatever the demo does, no secret of it comes out anywhere but where it is shown on purpose. */
describe('secrets of a demo run', { skip: skipUnless('chromium') || skipUnless('curl') }, () => {
  let demo: Demo;
  let signedIn: SignedIn;
  /** Every secret of this run, by what it is. */
  const secrets = new Map<string, string>();

  before(async () => {
    demo = await startDemo();
    const made = await demoSecrets();
    for (const [name, secret] of Object.entries(made)) secrets.set(name, secret);
    secrets.set('secret part of the API key', made.apiKey.split('_').at(-1) ?? '');
    signedIn = await signInToDemo(demo);
    await useWrongCredentials();
    const token = await printed(/^ {2}curl .*client_credentials/, /(curl [^$(]*-u .*\/oauth\/token)/);
    secrets.set('access token of the program', /"access_token":"([^"]+)/.exec(token)?.[1] ?? '');
    for (const { name, value } of await signedIn.context.cookies()) {
      // This one holds the name of an interaction, which is its address too; what proves the browser is its signature beside it.
      if (value !== '' && name !== '__Secure-sallyport_interaction') secrets.set(`cookie ${name}`, value);
    }
    secrets.set('authorization code', codeIn(signedIn.seen));
    secrets.set('bootstrap key', /sp_admin_\w+/.exec(demo.text())?.[0] ?? '');
    secrets.set('sealing key', readFileSync(join(demo.directory, 'sealing-key'), 'utf8').trim());
    await readRecords();
    await sallyport('reload', '--config', 'examples/demo/sallyport.yaml');
  });
  after(async () => {
    await signedIn?.browser.close();
    await demo?.stop();
  });

  /** The tokens of the session and the private keys are known to the gateway alone: its own records say what to look for. */
  async function readRecords(): Promise<void> {
    const sealer = createSealer([parseSealingKey(secrets.get('sealing key') ?? '', 'the sealing key')]);
    const settings = { driver: 'sqlite', file: join(demo.directory, 'records.db') } as const;
    const records = await openRecords(settings, { sealer, readOnly: true });
    const [session] = (await records.sessions.list({}, { limit: 10 })).items;
    secrets.set('access token of the session', session?.accessToken ?? '');
    secrets.set('refresh token of the session', session?.refreshToken ?? '');
    secrets.set('ID token of the session', session?.idToken ?? '');
    for (const use of ['oauth', 'identity'] as const)
      for (const key of await records.signingKeys.list(use))
        secrets.set(`private key ${key.kid}`, String(key.privateJwk['d']));
    await records.close();
  }

  async function useWrongCredentials(): Promise<void> {
    const base = `https://localhost:${demo.env['DEMO_PORT']}`;
    const { apiKey, clientSecret } = await demoSecrets();
    secrets.set('mistyped API key', `${apiKey.slice(0, -1)}_`);
    secrets.set('mistyped client secret', `${clientSecret}x`);
    secrets.set('wrong token', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl');
    const attempts = [
      ['-H', `X-API-Key: ${secrets.get('mistyped API key')}`, `${base}/v1/widgets`],
      ['-H', `Authorization: Bearer ${secrets.get('wrong token')}`, `${base}/v1/widgets`],
      ['-H', `X-API-Key: ${apiKey}`, `${base}/v1/error?api_key=${apiKey}&token=${secrets.get('wrong token')}`],
      [
        '-u',
        `demo-program:${secrets.get('mistyped client secret')}`,
        '-d',
        'grant_type=client_credentials',
        `${base}/oauth/token`,
      ],
      ['-d', `grant_type=refresh_token&refresh_token=${clientSecret}`, `${base}/oauth/token`],
      ['-H', `X-API-Key: ${apiKey}`, `http://127.0.0.1:${demo.env['DEMO_INTERNAL_PORT']}/admin/v1/keys`],
    ];
    for (const attempt of attempts)
      await run('curl', ['-sS', '-o', '/dev/null', '--cacert', join(demo.directory, 'dev-ca/ca.pem'), ...attempt]);
  }

  async function printed(line: RegExp, command: RegExp): Promise<string> {
    const found =
      demo
        .text()
        .split('\n')
        .find((candidate) => line.test(candidate)) ?? '';
    const inner = command.exec(found.slice(found.indexOf('$(') + 2))?.[1] ?? '';
    return (await run('sh', ['-c', inner], { cwd: root, env: demo.env })).stdout;
  }

  async function sallyport(...args: string[]): Promise<string> {
    const { stdout, stderr } = await run(process.execPath, ['src/main.ts', ...args], { cwd: root, env: demo.env });
    return stdout + stderr;
  }

  /** Fails with the name of a secret, and never with the secret. */
  function assertNone(text: string, where: string): void {
    for (const [name, secret] of secrets) assert.ok(!text.includes(secret), `${where} shows the ${name}`);
  }

  it('there are secrets to look for', () => {
    for (const [name, secret] of secrets) assert.ok(secret.length >= 16, `${name} was not found`);
    assert.ok(secrets.size >= 20, String(secrets.size));
  });

  it('none is in what was logged', () => {
    const lines = demo
      .text()
      .split('\n')
      .filter((line) => line.startsWith('{'));
    assert.ok(lines.length > 20);
    assertNone(lines.join('\n'), 'the log');
    const [bootstrap, ...more] = demo
      .text()
      .split('\n')
      .filter((line) => line.includes(secrets.get('bootstrap key') ?? '-'));
    assert.match(bootstrap ?? '', /shown this once/);
    assert.deepEqual(more, []);
  });

  it('none is in what commands and the admin API tell', async () => {
    const config = ['--config', 'examples/demo/sallyport.yaml'];
    const own = ['--data-dir', demo.directory];
    for (const args of [
      ['explain', 'GET', '/v1/widgets', ...config],
      ['explain', 'GET', '/v1/widgets', '--json', ...config],
      ['check', ...config],
      ['check', '--json', ...config],
      ['keys', 'list', '--json', ...own],
      ['consumers', 'list', '--json', ...own],
      ['clients', 'list', '--json', ...own],
      ['clients', 'show', 'demo-program', '--json', ...own],
      ['users', 'list', '--json', ...own],
      ['sessions', 'list', '--json', ...own],
      ['signing-keys', 'list', '--json', ...own],
      ['audit', 'list', '--limit', '200', '--json', ...own],
      ['audit', 'export', ...own],
    ])
      assertNone(await sallyport(...args), `sallyport ${args.slice(0, 2).join(' ')}`);
    const { stdout } = await run('curl', ['-sS', `http://127.0.0.1:${demo.env['DEMO_INTERNAL_PORT']}/metrics`]);
    assertNone(stdout, 'the metrics');
  });

  it('none is in what the browser got, but the code that it carries and its own cookies', async () => {
    const code = secrets.get('authorization code') ?? '';
    const [app] = signedIn.seen.filter((text) => text.includes('/api/notes'));
    assert.ok(app !== undefined);
    for (const text of signedIn.seen) assertNone(text.replaceAll(code, ''), 'what the browser got');
  });

  it('none is in the files of the records', () => {
    const files = readdirSync(demo.directory).filter((name) => name.startsWith('records.db'));
    assert.ok(files.length > 0);
    for (const name of files) assertNone(readFileSync(join(demo.directory, name), 'latin1'), name);
  });

  it('the audit log of all this verifies', async () => {
    assert.match(await sallyport('audit', 'verify', '--data-dir', demo.directory), /records are as they were written/);
  });
});

function codeIn(addresses: readonly string[]): string {
  const callback = addresses.find((address) => address.includes('/.auth/callback?'));
  return callback === undefined ? '' : (new URL(callback).searchParams.get('code') ?? '');
}
