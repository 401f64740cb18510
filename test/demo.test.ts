import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import manifest from '../package.json' with { type: 'json' };
import { freePort } from './support/gateway.ts';
import { skipUnless } from './support/require-tool.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const shell = promisify(execFile);

describe('npm start', { skip: skipUnless('curl') }, () => {
  let directory: string;
  let env: NodeJS.ProcessEnv;
  let demo: ReturnType<typeof run>;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-demo-'));
    env = {
      ...process.env,
      DEMO_PORT: String(await freePort()),
      DEMO_REDIRECT_PORT: String(await freePort()),
      DEMO_INTERNAL_PORT: String(await freePort()),
      DEMO_DATA_DIR: directory,
    };
    demo = run(env);
    await demo.printed('explain GET');
  });
  after(async () => {
    demo.process.kill('SIGINT');
    if (demo.process.exitCode === null) await once(demo.process, 'exit');
    await rm(directory, { recursive: true, force: true });
  });

  /** A line it printed, run as it stands there. */
  async function runPrinted(pattern: RegExp): Promise<string> {
    const line = demo
      .text()
      .split('\n')
      .find((candidate) => pattern.test(candidate));
    assert.ok(line !== undefined, `no such line in:\n${demo.text()}`);
    const { stdout } = await shell('sh', ['-c', line.trim()], { cwd: root, env });
    return stdout;
  }

  it('prints three commands, and each of them works as printed', async () => {
    assert.equal(demo.text().match(/^ {2}curl /gm)?.length, 3);
    const widgets: unknown = JSON.parse(await runPrinted(/^ {2}curl .*\/v1\/widgets$/));
    assert.ok(typeof widgets === 'object' && widgets !== null && 'items' in widgets && Array.isArray(widgets.items));
    assert.equal(widgets.items.length, 5);

    const masked = await runPrinted(/^ {2}curl .*\/v1\/error$/);
    assert.match(masked, /^HTTP\/[\d.]+ 500/);
    assert.match(masked, /application\/problem\+json/);
    assert.doesNotMatch(masked, /hunter2|postgres|\.ts:|x-powered-by|demo\/1\.0/i);

    assert.match(await runPrinted(/^ {2}curl .*\/metrics$/), /^# HELP /);
  });

  it('explains a request with the command it prints', async () => {
    assert.match(await runPrinted(/^ {2}npx node .*explain/), /route +widgets \/ widget /);
  });

  it('carries what the demo API offers', async () => {
    const curl = ['-sS', '--cacert', join(directory, 'dev-ca/ca.pem')];
    const base = `https://localhost:${env['DEMO_PORT']}/v1`;
    const events = await shell('curl', [...curl, '-N', '--max-time', '3', `${base}/events`]).catch((ended) => ended); // it goes on until told to stop
    assert.match(events.stdout, /event: tick/);
    const seen = await shell('curl', [...curl, '-H', 'X-Forwarded-For: 203.0.113.9', `${base}/headers`]);
    assert.match(seen.stdout, /X-Forwarded-Proto: https/);
    assert.doesNotMatch(seen.stdout, /203\.0\.113\.9/);
    const redirect = await shell('curl', ['-sSI', `http://localhost:${env['DEMO_REDIRECT_PORT']}/v1/widgets`]);
    assert.match(redirect.stdout, /^HTTP\/1\.1 308[\s\S]*Location: https:\/\/localhost:\d+\/v1\/widgets/);
  });

  it('says which port is taken, and how to choose another', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const address = squatter.address();
    assert.ok(address !== null && typeof address === 'object');
    try {
      const second = run({ ...env, DEMO_PORT: String(address.port) });
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
});

/** Runs the command of `npm start`. */
function run(env: NodeJS.ProcessEnv) {
  const [, script = ''] = manifest.scripts.start.split(' ');
  const child = spawn(process.execPath, [script], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      for (const look of waiting) look();
    });
  }
  return {
    process: child,
    text: () => text,
    /** Resolves when it has printed this; rejects where it ends before. */
    printed: (part: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (text.includes(part)) resolve();
        };
        waiting.add(look);
        child.once('exit', () => reject(new Error(`it ended before it printed ${JSON.stringify(part)}:\n${text}`)));
        look();
      }),
  };
}
