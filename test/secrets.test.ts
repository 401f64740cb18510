import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Demo, startDemo } from './support/demo.ts';
import { type DemoUse, useDemo } from './support/demo-secrets.ts';
import { configurationsIn, dumpHeaps, type HeapDump } from './support/heap-dump.ts';
import { until } from './support/until.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);
const config = ['--config', 'examples/demo/sallyport.yaml'];

/** Done line 9: whatever the demo does, no secret of it comes out anywhere but where it is shown on purpose. */
describe('secrets of a demo run', { timeout: 120_000 }, () => {
  let demo: Demo;
  let use: DemoUse;
  before(async () => {
    // A debugger may attach when asked by SIGUSR1, at a port that nobody else has.
    const options = `${process.env['NODE_OPTIONS'] ?? ''} --inspect-port=127.0.0.1:0`;
    demo = await startDemo({ NODE_OPTIONS: options.trim() });
    use = await useDemo(demo);
    await sallyport('reload', ...config);
  });
  after(async () => {
    await use?.close();
    await demo?.stop();
  });

  async function sallyport(...args: readonly string[]): Promise<string> {
    const { stdout, stderr } = await run(process.execPath, ['src/main.ts', ...args], { cwd: root, env: demo.env });
    return stdout + stderr;
  }

  /** The names of the secrets in a text; never the secrets. */
  function secretsIn(text: string): readonly string[] {
    return [...use.secrets].filter(([, secret]) => text.includes(secret)).map(([name]) => name);
  }

  function assertNone(text: string, where: string): void {
    assert.deepEqual(secretsIn(text), [], `secrets in ${where}`);
  }

  it('there are secrets of every kind to look for', () => {
    for (const name of [
      'client secret of the program in Basic',
      'secret part of the declared API key',
      'password of ada',
      'wrong password',
      'TOTP secret',
      'bootstrap key',
      'sealing key',
      'cookie __Host-sallyport-web',
      'cookie __Host-sallyport_session',
      'cookie __Secure-sallyport_account',
      'authorization code',
      'PKCE verifier',
      'PKCE verifier of the login',
      'access token of the app',
      'refresh token of the session',
      'ID token of the device',
      'user code',
      'device code',
      'private key 3',
    ])
      assert.ok(use.secrets.has(name), name);
    assert.deepEqual(secretsIn([...use.secrets.values()].join('\n')), [...use.secrets.keys()]);
  });

  it('none is in what was logged and printed, but what the demo tells on purpose', () => {
    const welcome = /The gateway stands in front[\s\S]*Ctrl-C ends everything\./;
    const told = /^The first key of the admin API, shown this once: .*$/m;
    assert.match(demo.text(), welcome);
    assert.match(demo.text(), told);
    const rest = demo.text().replace(welcome, '').replace(told, '');
    assert.ok(rest.split('\n').filter((line) => line.startsWith('{')).length > 60);
    assertNone(rest, 'the log');
  });

  it('none is in a refusal', () => {
    assert.ok(use.refusals.length >= 40, String(use.refusals.length));
    assertNone(use.refusals.join('\n'), 'a refusal');
  });

  it('none is in what commands, the admin API and the metrics tell', async () => {
    const own = ['--data-dir', demo.directory];
    const commands = [
      ['explain', 'GET', '/v1/widgets', ...config],
      ['explain', 'GET', '/v1/widgets', '--json', ...config],
      ['check', ...config],
      ['check', '--json', ...config],
      ['keys', 'list', ...own],
      ['users', 'show', 'tess', '--json', ...own],
      ['audit', 'export', ...own],
    ];
    for (const args of commands) {
      const told = await sallyport(...args).catch((failed: { stdout: string }) => failed.stdout); // check ends with 3
      assert.notEqual(told.trim(), '', args.join(' '));
      assertNone(told, `sallyport ${args.slice(0, 2).join(' ')}`);
    }
    const internal = `http://127.0.0.1:${demo.env['DEMO_INTERNAL_PORT']}`;
    for (const path of ['consumers', 'keys', 'clients', 'users', 'sessions', 'signing-keys', 'audit', 'status']) {
      const headers = { 'X-API-Key': use.secrets.get('bootstrap key') ?? '' };
      const reply = await fetch(`${internal}/admin/v1/${path}`, { headers });
      assert.equal(reply.status, 200, path);
      assertNone(await reply.text(), `/admin/v1/${path}`);
    }
    assertNone(await (await fetch(`${internal}/metrics`)).text(), 'the metrics');
    assert.match(await sallyport('audit', 'verify', ...own), /records are as they were written/);
  });

  it('none is in the files of the data directory, but the key that seals the others', () => {
    const files = readdirSync(demo.directory, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    const names = files.map(({ name }) => name);
    assert.ok(names.includes('records.db') && names.includes('records.db-wal'), names.join());
    for (const { parentPath, name } of files)
      if (name !== 'sealing-key') assertNone(readFileSync(join(parentPath, name), 'latin1'), name);
  });

  describe('in the memory of the gateway', () => {
    let heaps: readonly HeapDump[];
    before(async () => {
      await use.askForNothing();
      process.kill(Number(/"pid":(\d+)/.exec(demo.text())?.[1]), 'SIGUSR1');
      const address = await until('the debugger', () => /Debugger listening on (ws:\S+)/.exec(demo.text())?.[1]);
      heaps = await dumpHeaps(address);
    });

    it('there is a configuration in every thread, and no secret in any', () => {
      assert.ok(heaps.length >= 2);
      for (const heap of heaps) {
        const held = configurationsIn(heap);
        assert.ok(held.length > 0, heap.thread);
        for (const text of held) {
          assert.ok(text.includes(`https://localhost:${demo.env['DEMO_PORT']}/v1`), heap.thread);
          assertNone(text, `the configuration in a ${heap.thread} thread`);
        }
      }
    });

    it('the control plane holds what it signs with and signs people in with, and nothing of those who come', () => {
      const needed = ['client secret of the login', 'private key', 'private key 2', 'private key 3'];
      for (const { text } of heaps.filter(({ thread }) => thread === 'main'))
        assert.deepEqual(
          secretsIn(text).filter((name) => !needed.includes(name)),
          [],
        );
    });

    it('a worker holds the access token that it attaches to requests, and nothing else', () => {
      for (const { text } of heaps.filter(({ thread }) => thread === 'worker'))
        assert.deepEqual(
          secretsIn(text).filter((name) => name !== 'access token of the session'),
          [],
        );
    });
  });
});
