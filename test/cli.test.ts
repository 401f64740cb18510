import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import manifest from '../package.json' with { type: 'json' };

const root = fileURLToPath(new URL('..', import.meta.url));
const golden = join(root, 'test/golden/explain');
const explained = ['--config', 'test/golden/explain/gateway.yaml'];

describe('the command line', () => {
  let directory: string;
  let good: string;
  let faulty: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-cli-'));
    good = join(directory, 'good.yaml');
    faulty = join(directory, 'faulty.yaml');
    await writeFile(good, config('authenticate: none'));
    await writeFile(faulty, config('autenticate: none\n    rewrit: /x'));
  });
  after(() => rm(directory, { recursive: true }));

  it('prints its version', async () => {
    const plain = await sallyport('version');
    assert.equal(plain.code, 0);
    assert.ok(plain.stdout.startsWith(`sallyport ${manifest.version} (Node ${process.versions.node},`));
    assert.equal(json(await sallyport('version', '--json'))['version'], manifest.version);
  });

  it('explains itself with --help, for every command', async () => {
    const help = await sallyport('--help');
    assert.equal(help.code, 0);
    for (const command of ['init', 'start', 'check', 'explain', 'reload', 'version']) {
      assert.match(help.stdout, new RegExp(`^  ${command} `, 'm'));
      const { code, stdout } = await sallyport(command, '--help');
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^Usage: sallyport ${command} `));
    }
  });

  for (const args of [['unknown'], [], ['check', '--unknown'], ['explain', 'GET'], ['start', '--json']]) {
    it(`ends with 2 for \`sallyport ${args.join(' ')}\``, async () => {
      const { code, stdout, stderr } = await sallyport(...args);
      assert.equal(code, 2);
      assert.equal(stdout, '');
      assert.notEqual(stderr, '');
    });
  }

  it('check passes a good file', async () => {
    const { code, stdout } = await sallyport('check', '--config', good);
    assert.equal(code, 0);
    assert.match(stdout, /good\.yaml loads\.\n {2}Nothing risky was found\./);
    assert.deepEqual(json(await sallyport('check', '--config', good, '--json')), {
      ok: true,
      file: good,
      faults: [],
      warnings: [],
      findings: [],
    });
  });

  it('check names every fault of a file with its line, and ends with 3', async () => {
    const { code, stdout, stderr } = await sallyport('check', '--config', faulty);
    assert.equal(code, 3);
    assert.equal(stdout, '');
    assert.match(stderr, /faulty\.yaml:8:5 .*autenticate.*→ .*authenticate/);
    assert.match(stderr, /faulty\.yaml:9:5 .*rewrit/);
    const answer = await sallyport('check', '--config', faulty, '--json');
    assert.equal(answer.code, 3);
    const { ok, faults } = json(answer);
    assert.equal(ok, false);
    assert.ok(
      Array.isArray(faults) && faults.length >= 2 && faults.every(({ line, message }) => line > 0 && message !== ''),
    );
  });

  it('check says so where there is no file', async () => {
    const { code, stderr } = await sallyport('check', '--config', join(directory, 'none.yaml'));
    assert.equal(code, 3);
    assert.match(stderr, /there is no such file/);
  });

  it('check fails on a high finding', async () => {
    const file = join(directory, 'risky.yaml');
    await writeFile(file, config('authenticate: none').replace('127.0.0.1:4000', 'api.example.com'));
    await writeFile(file, (await readFile(file, 'utf8')).replace('http://api.example.com', 'http://203.0.113.7'));
    const { code, stdout } = await sallyport('check', '--config', file);
    assert.equal(code, 3);
    assert.match(stdout, /high .*203\.0\.113\.7.*\[plain-text-upstream\]/);
  });

  const requests = [
    { file: 'one-widget', args: ['GET', '/v1/widgets/3'] },
    {
      file: 'preflight',
      args: ['OPTIONS', 'https://localhost:8443/v1/widgets', '--header', 'Origin: http://localhost:5173'],
    },
    { file: 'no-route', args: ['GET', '/v2/widgets'] },
    { file: 'other-listener', args: ['GET', '/v1/widgets', '--listener', 'internal'] },
    { file: 'metrics-from-outside', args: ['GET', '/metrics'] },
    { file: 'metrics', args: ['GET', '/metrics', '--listener', 'internal'] },
    { file: 'method-not-allowed', args: ['POST', '/metrics', '--listener', 'internal'] },
    { file: 'open-route', args: ['GET', '/v1/healthz'] },
    { file: 'app', args: ['GET', '/app/me'] },
    { file: 'authorization-server', args: ['POST', '/oauth/token'] },
    { file: 'resource-metadata', args: ['GET', '/.well-known/oauth-protected-resource/v1'] },
    { file: 'login', args: ['GET', '/.auth/login'] },
    { file: 'admin-api', args: ['GET', '/admin/v1/keys', '--listener', 'internal'] },
    { file: 'ambiguous', args: ['GET', '/v1/%2e%2e/widgets%2F3'] },
  ];
  for (const { file, args } of requests) {
    it(`explain ${args.join(' ')} is ${file}.txt`, async () => {
      const { code, stdout, stderr } = await sallyport('explain', ...args, ...explained);
      assert.equal(code, 0, stderr);
      assert.ok(!stdout.includes('a-secret-that'));
      const path = join(golden, `${file}.txt`);
      if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(path, stdout);
      assert.equal(stdout, await readFile(path, 'utf8'), 'run with UPDATE_GOLDEN=1 where the change is meant');
    });
  }

  it('explain prints JSON for machines', async () => {
    const matched = json(await sallyport('explain', 'get', '/v1/widgets/3', ...explained, '--json'));
    assert.equal(matched['outcome'], 'matched');
    assert.deepEqual(matched['params'], { id: '3' });
    assert.equal(json(await sallyport('explain', 'GET', '/v2', ...explained, '--json'))['outcome'], 'no route');
    const notLoaded = await sallyport('explain', 'GET', '/', '--config', faulty, '--json');
    assert.equal(notLoaded.code, 3);
    assert.equal(json(notLoaded)['outcome'], 'not loaded');
  });

  it('explain refuses what cannot be asked', async () => {
    const listener = await sallyport('explain', 'GET', '/', ...explained, '--listener', 'privat');
    assert.equal(listener.code, 2);
    assert.match(listener.stderr, /there are public, internal/);
    const field = await sallyport('explain', 'GET', '/', ...explained, '--header', 'no field');
    assert.equal(field.code, 2);
    assert.match(field.stderr, /Name: value/);
  });

  it('reload ends with 4 where no gateway runs, and with 3 for a faulty file', async () => {
    const { code, stderr } = await sallyport('reload', '--config', good);
    assert.equal(code, 4);
    assert.match(stderr, /no gateway is running on .*; start one with: sallyport start/);
    const answer = await sallyport('reload', '--config', good, '--json');
    assert.equal(answer.code, 4);
    assert.equal(json(answer)['ok'], false);
    assert.equal((await sallyport('reload', '--config', faulty)).code, 3);
  });

  it('start ends with 3 for a faulty file', async () => {
    const { code, stderr } = await sallyport('start', '--config', faulty);
    assert.equal(code, 3);
    assert.match(stderr, /autenticate/);
  });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program as a user does, from the root of the project. */
async function sallyport(...args: readonly string[]): Promise<Ended> {
  const command = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  command.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  command.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  await once(command, 'close');
  return { code: command.exitCode, stdout, stderr };
}

function json({ stdout }: Ended): Readonly<Record<string, unknown>> {
  return JSON.parse(stdout); // an object, by what is asserted of it
}

function config(rest: string): string {
  return `listeners:
  - name: public
    address: 127.0.0.1:0
apis:
  - name: widgets
    path: /v1
    upstream: http://127.0.0.1:4000
    ${rest}
`;
}
