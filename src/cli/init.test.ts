import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { skipBecause } from '../../test/support/require-tool.ts';
import { startUpstream, type TestUpstream } from '../../test/support/upstream.ts';
import { loadConfig } from '../config/load.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { runCommand } from './program.ts';

const entry = new URL('../main.ts', import.meta.url);

describe('sallyport init', () => {
  let directory: string;
  let upstream: TestUpstream;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-init-'));
    upstream = await startUpstream();
  });
  after(async () => {
    await upstream.close();
    await rm(directory, { recursive: true });
  });

  let count = 0;
  /** Runs init into a directory of its own. */
  async function init(flags: readonly string[], given: Readonly<Record<string, string>> = {}) {
    count += 1;
    const output = join(directory, `${count}.yaml`);
    const files = new Map<string, string>();
    for (const [name, text] of Object.entries(given)) {
      files.set(name, join(directory, `${count}-${name}`));
      await writeFile(join(directory, `${count}-${name}`), text);
    }
    const printed = { out: '', err: '' };
    const code = await runCommand(
      ['init', '--yes', '--output', output, ...flags.map((flag) => files.get(flag) ?? flag)],
      {
        version: '0.0.0',
        entry,
        env: {},
        terminal: {
          out: (line) => {
            printed.out += `${line}\n`;
          },
          err: (line) => {
            printed.err += `${line}\n`;
          },
        },
      },
    );
    return { code, output, ...printed };
  }

  it('writes a file that loads from the URL of an API', async () => {
    const { code, output, out, err } = await init([
      '--upstream',
      `${upstream.url}/v2/`,
      '--name',
      'shop',
      '--host',
      'api.example.com',
    ]);
    assert.equal(code, 0, err);
    const { apis, upstreams } = await loaded(output);
    assert.equal(apis[0]?.name, 'shop');
    assert.equal(apis[0]?.path, '/v2');
    assert.equal(apis[0]?.rewrite, undefined);
    assert.deepEqual(apis[0]?.hosts, ['api.example.com']);
    assert.deepEqual(upstreams[apis[0]?.upstream ?? '']?.targets, [upstream.url]);
    assert.match(await readFile(output, 'utf8'), /^# yaml-language-server: \$schema=\S+sallyport\.schema\.json\n/);
    assert.match(out, /sallyport start --config/);
    assert.equal(err, '', 'the upstream answers, so there is nothing to warn of');
  });

  it('warns where nothing listens, and writes the file all the same', async () => {
    const { code, output, err } = await init(['--upstream', 'http://127.0.0.1:1']);
    assert.equal(code, 0);
    assert.match(err, /warning: http:\/\/127\.0\.0\.1:1 did not answer: nothing listens there/);
    await loaded(output);
  });

  for (const version of ['3.0.3', '3.1.0']) {
    it(`takes name, upstream and path from an OpenAPI ${version} file`, async () => {
      const api = description(version, [
        {
          url: `http://{host}:${upstream.port}/v{major}`,
          variables: { host: { default: '127.0.0.1' }, major: { default: '3' } },
        },
      ]);
      for (const text of [
        JSON.stringify(api),
        `openapi: ${version}\ninfo: { title: "The Widget's Shop" }\nservers:\n  - url: ${upstream.url}/v3\npaths: {}\n`,
      ]) {
        const { code, output, err } = await init(['--openapi', 'api.yaml'], { 'api.yaml': text });
        assert.equal(code, 0, err);
        const { apis, upstreams } = await loaded(output);
        assert.equal(apis[0]?.name, 'the-widget-s-shop');
        assert.equal(apis[0]?.path, '/v3');
        assert.deepEqual(upstreams[apis[0]?.upstream ?? '']?.targets, [upstream.url]);
      }
    });
  }

  it('keeps the path of the description where --upstream names another server, and rewrites where --path differs', async () => {
    const api = JSON.stringify(description('3.1.0', [{ url: '/v4' }]));
    const { code, output, err } = await init(['--openapi', 'api.json', '--upstream', upstream.url, '--path', '/shop'], {
      'api.json': api,
    });
    assert.equal(code, 0, err);
    const { apis } = await loaded(output);
    assert.deepEqual([apis[0]?.path, apis[0]?.rewrite], ['/shop', '/v4']);
  });

  it('prints JSON for machines', async () => {
    const { code, out, output } = await init(['--json', '--upstream', upstream.url]);
    assert.equal(code, 0);
    const answer: unknown = JSON.parse(out);
    assert.ok(typeof answer === 'object' && answer !== null && 'api' in answer && 'file' in answer);
    assert.deepEqual(answer.api, { name: 'api', path: '/', upstream: upstream.url });
    assert.equal(answer.file, output);
  });

  it('does not overwrite without --force, and replaces the whole file with it', async () => {
    const { output } = await init(['--upstream', upstream.url]);
    await writeFile(output, 'mine');
    const again = await init(['--upstream', upstream.url, '--output', output]);
    assert.equal(again.code, 2);
    assert.match(again.err, /is there already; overwrite it with --force/);
    assert.equal(await readFile(output, 'utf8'), 'mine');
    assert.equal((await init(['--upstream', upstream.url, '--output', output, '--force'])).code, 0);
    await loaded(output);
  });

  const faults = [
    {
      name: 'a URL that is not http',
      flags: ['--upstream', 'ftp://example.com'],
      code: 2,
      says: /--upstream: "ftp:\/\/example\.com" is no http or https URL/,
    },
    {
      name: 'a URL with a password',
      flags: ['--upstream', 'http://a:hunter2@127.0.0.1'],
      code: 2,
      says: /credentials/,
    },
    { name: 'no upstream at all', flags: [], code: 2, says: /--upstream <url>, or --openapi <file>/ },
    {
      name: 'a name, host and path that cannot be',
      flags: ['--upstream', 'http://127.0.0.1', '--name', 'A b', '--host', 'x:1', '--path', 'v1'],
      code: 2,
      says: /--name[\s\S]*--host[\s\S]*--path/,
    },
    {
      name: 'another kind of file',
      flags: ['--upstream', 'http://127.0.0.1', '--output', 'sallyport.toml'],
      code: 2,
      says: /ends in \.yaml/,
    },
    {
      name: 'a description that is not there',
      flags: ['--openapi', 'missing.yaml'],
      code: 3,
      says: /missing\.yaml cannot be read: there is no such file/,
    },
    {
      name: 'a description that is no YAML',
      flags: ['--openapi', 'api'],
      text: 'a: [1',
      code: 3,
      says: /:\d+:\d+ is neither YAML nor JSON/,
    },
    {
      name: 'a description that is something else',
      flags: ['--openapi', 'api'],
      text: 'a: 1',
      code: 3,
      says: /no OpenAPI description/,
    },
    {
      name: 'Swagger 2.0',
      flags: ['--openapi', 'api'],
      text: 'swagger: "2.0"',
      code: 3,
      says: /convert it to OpenAPI 3/,
    },
    {
      name: 'OpenAPI 4',
      flags: ['--openapi', 'api'],
      text: 'openapi: 4.0.0',
      code: 3,
      says: /3\.0 and 3\.1 can be read/,
    },
    {
      name: 'a description without title',
      flags: ['--openapi', 'api'],
      text: 'openapi: 3.1.0\ninfo: {}',
      code: 3,
      says: /info\.title/,
    },
    {
      name: 'a server without host',
      flags: ['--openapi', 'api'],
      text: 'openapi: 3.1.0\ninfo: { title: A }\nservers: [{ url: /v1 }]',
      code: 2,
      says: /names no host; give --upstream/,
    },
    {
      name: 'aliases that unfold without end',
      flags: ['--openapi', 'api'],
      text: bomb(),
      code: 3,
      says: /cannot be unfolded/,
    },
  ];
  for (const { name, flags, text, code, says } of faults) {
    it(`refuses ${name}, and leaves nothing behind`, async () => {
      const before = new Set(await readdir(directory));
      const outcome = await init(flags, text === undefined ? {} : { api: text });
      assert.equal(outcome.code, code, outcome.err);
      assert.match(outcome.err, says);
      assert.doesNotMatch(outcome.err, /hunter2/);
      const added = (await readdir(directory)).filter((file) => !before.has(file) && !file.endsWith('-api'));
      assert.deepEqual(added, []);
    });
  }

  const noTerminal = process.platform === 'linux' ? false : skipBecause('`script` is another program here');

  it('asks on a terminal', { skip: noTerminal, timeout: 20_000 }, async (test) => {
    const file = join(directory, 'asked.yaml');
    const { code, shown } = await onTerminal(file, test.signal, [
      { asked: 'What is known of the API?', type: '\r' },
      { asked: 'Where does it run?', type: `${'\x7f'.repeat(40)}${upstream.url}/v5\r` },
      { asked: 'What is the API called?', type: `${'\x7f'.repeat(3)}asked\r` },
      { asked: 'Under which path', type: '\r' },
      { asked: 'Which host', type: '\r' },
    ]);
    assert.equal(code, 0, shown);
    const { apis } = await loaded(file);
    assert.deepEqual([apis[0]?.name, apis[0]?.path, apis[0]?.hosts], ['asked', '/v5', []]);
  });

  it('writes nothing after Ctrl-C at a question', { skip: noTerminal, timeout: 20_000 }, async (test) => {
    const file = join(directory, 'cancelled.yaml');
    const { code, shown } = await onTerminal(file, test.signal, [{ asked: 'What is known', type: '\x03' }]);
    assert.equal(code, 2, shown);
    assert.match(shown, /Nothing was written/);
    await assert.rejects(readFile(file), { code: 'ENOENT' });
  });
});

/** Runs init on a terminal of 100 columns, and types each answer when its question stands there. */
async function onTerminal(
  file: string,
  signal: AbortSignal,
  answers: readonly { readonly asked: string; readonly type: string }[],
): Promise<{ readonly code: number | null; readonly shown: string }> {
  const command = `stty cols 100 rows 40; exec '${process.execPath}' '${fileURLToPath(entry)}' init --output '${file}'`;
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], { stdio: 'pipe', signal });
  terminal.on('error', () => {}); // the test timed out, and says so itself
  let shown = '';
  let answered = 0;
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    const next = answers[answered];
    if (next === undefined || !shown.includes(next.asked)) return;
    answered += 1;
    terminal.stdin.write(next.type);
  });
  await once(terminal, 'close');
  assert.equal(answered, answers.length, shown);
  return { code: terminal.exitCode, shown };
}

async function loaded(file: string): Promise<GatewayConfig> {
  const result = await loadConfig(file, { env: {}, dev: false });
  assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.faults));
  return result.config;
}

function description(version: string, servers: readonly object[]) {
  return {
    openapi: version,
    info: { title: "The Widget's Shop", version: '1' },
    servers,
    paths: { '/a': { get: {}, post: {} } },
  };
}

/** Nine levels of ten aliases each. */
function bomb(): string {
  let text = 'a0: &a0 [x]\n';
  for (let level = 1; level < 10; level += 1)
    text += `a${level}: &a${level} [${new Array(10).fill(`*a${level - 1}`).join(', ')}]\n`;
  return `${text}openapi: 3.1.0\n`;
}
