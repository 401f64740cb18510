import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { runCommand } from '../src/cli/program.ts';
import { parseApiKey } from '../src/lib/api-key.ts';
import { type RunningAdminApp, startAdminApp } from './support/admin-app.ts';

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command as a function, with what is piped in and the environment given. */
async function sallyport(
  argv: readonly string[],
  { input = '', env = {} }: { readonly input?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Said> {
  const lines: { out: string[]; err: string[] } = { out: [], err: [] };
  const code = await runCommand(argv, {
    version: '0.0.0',
    entry: new URL(import.meta.url),
    env,
    input: Readable.from(input === '' ? [] : [Buffer.from(input)]),
    terminal: { out: (line) => void lines.out.push(line), err: (line) => void lines.err.push(line) },
  });
  return { code, out: lines.out.join('\n'), err: lines.err.join('\n') };
}

describe('commands over the admin API', () => {
  let app: RunningAdminApp;
  let directory: string;
  before(async () => {
    app = await startAdminApp();
    directory = await mkdtemp(join(tmpdir(), 'sp-admin-cli-'));
  });
  after(async () => {
    await app.stop();
    await rm(directory, { recursive: true });
    assert.deepEqual(app.faults, []);
  });

  /** On the control socket of the running app. */
  function run(line: string, options: { readonly input?: string } = {}): Promise<Said> {
    return sallyport([...line.split(' '), '--data-dir', app.dataDir], options);
  }
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects by asserting on it
  async function json(line: string, options: { readonly input?: string } = {}): Promise<any> {
    const { code, out, err } = await run(`${line} --json`, options);
    assert.equal(code, 0, err || out);
    return JSON.parse(out);
  }

  it('consumers: create, list, show, disable, enable, remove', async () => {
    assert.match((await run('consumers list')).out, /There is no consumer yet; make one with/);
    const created = await run('consumers create partner --metadata {"team":"billing"}');
    assert.match(
      created.out,
      /^Created the consumer partner, con_[\w-]{22}\.\nA key for it: sallyport keys create partner/,
    );
    const listed = (await run('consumers list')).out.split('\n');
    assert.match(listed[0] ?? '', /^NAME +ID +STATE +FROM +CREATED$/);
    assert.match(listed[1] ?? '', /^partner +con_[\w-]{22} +enabled +admin +20/);
    assert.equal((await json('consumers show partner')).metadata.team, 'billing');
    assert.match((await run('consumers disable partner')).out, /is disabled: none of its keys opens anything/);
    assert.equal((await json('consumers show partner')).disabled, true);
    await run('consumers enable partner');
    assert.equal((await json('consumers show partner')).disabled, false);
    const unasked = await run('consumers remove partner');
    assert.equal(unasked.code, 2);
    assert.match(unasked.err, /Nobody can be asked here: say it with --yes/);
    assert.equal((await run('consumers show partner')).code, 0);
    assert.equal((await run('consumers remove partner --yes')).code, 0);
    const gone = await run('consumers show partner');
    assert.equal(gone.code, 3);
    assert.equal(gone.err, 'There is no consumer with this id or name.');
  });

  it('keys: create, list, show, rotate, revoke', async () => {
    await run('consumers create holder');
    const created = await run(
      'keys create holder --name first --scope read write --api widgets --cidr 10.0.0.0/8 --expires-in 90d',
    );
    assert.equal(created.code, 0, created.err);
    const text = /^ {2}(sp_live_\w+)$/m.exec(created.out)?.[1] ?? '';
    const id = parseApiKey(text)?.id ?? '';
    assert.match(created.out, /Store it now: it is shown this once and kept nowhere\.$/);
    const stored = (await app.records.keys.find(id))?.key;
    assert.deepEqual(
      [stored?.name, stored?.scopes, stored?.apis, stored?.cidrs],
      ['first', ['read', 'write'], ['widgets'], ['10.0.0.0/8']],
    );

    const list = await run('keys list --consumer holder');
    assert.match(list.out, new RegExp(`^${id} +first +con_[\\w-]+ +live +active +read write`, 'm'));
    const show = await run(`keys show ${id}`);
    for (const { out } of [list, show]) assert.ok(out.includes(id) && !out.includes(text.slice(-38)));

    // The whole key may be pasted; only its id goes on.
    const rotated = await json(`keys rotate ${text} --overlap 1h`);
    assert.equal(rotated.replaces.id, id);
    assert.match((await run('keys list')).out, new RegExp(`^${id} .* overlap `, 'm'));
    const again = await run(`keys rotate ${id}`);
    assert.equal(again.code, 3);
    assert.match(again.err, /is revoked, expired or replaced already/);
    assert.equal((await run(`keys revoke ${rotated.id}`)).code, 2);
    assert.match((await run(`keys revoke ${rotated.id} --yes`)).out, /is revoked\.$/);
    assert.match((await run('keys list')).out, new RegExp(`^${rotated.id} .* revoked `, 'm'));

    const first = await json('keys create holder --name once --idempotency-key k1');
    const second = await run('keys create holder --name once --idempotency-key k1');
    assert.match(second.out, new RegExp(`The key ${first.id} was made by an earlier command`));
    assert.ok(!second.out.includes('sp_live_'));

    const faulty = await run('keys create holder --scope bad" --api widgts');
    assert.equal(faulty.code, 3);
    assert.match(faulty.err, /nothing was changed\.\n {2}scopes\/0 {2}is not a scope {2}→ /);
    const refused = await run('keys create holder --api widgts --json');
    assert.equal(refused.code, 3);
    assert.equal(JSON.parse(refused.out).ok, false);
    assert.equal(JSON.parse(refused.out).errors[0].hint, 'write widgets');
  });

  it('keys import: makes the keys into a file that only its owner reads', async () => {
    const source = join(directory, 'requests.jsonl');
    const output = join(directory, 'keys.jsonl');
    const lines = Array.from({ length: 501 }, (_, n) => JSON.stringify({ consumer: 'holder', name: `import ${n}` }));
    await writeFile(source, [...lines, '{"consumer":"nobody","name":"x"}'].join('\n'));
    const said = await run(`keys import ${source} --output ${output}`);
    assert.equal(said.code, 3);
    assert.match(
      said.err,
      /^500 lines read, 500 keys made, 0 refused\n|:502 {2}#\/consumer is no consumer → create it first/m,
    );
    assert.match(said.err, /:502 {2}#\/consumer is no consumer → create it first/);
    assert.match(said.out, /^501 keys made from 502 lines; they are in .*keys\.jsonl/);
    const made = (await readFile(output, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(made.length, 501);
    assert.ok(made.every(({ id, key }) => parseApiKey(key)?.id === id));
    assert.equal((await stat(output)).mode & 0o777, 0o600);
    assert.ok(!said.out.includes('sp_live_') && !said.err.includes('sp_live_'));

    const count = await app.records.keys.count();
    const taken = await run(`keys import ${source} --output ${output}`);
    assert.equal(taken.code, 2);
    assert.match(taken.err, /is there already or cannot be written; nothing was sent/);
    assert.equal((await run(`keys import ${directory}/none --output ${output}2`)).code, 2);
    assert.equal(await app.records.keys.count(), count);
    const piped = await run(`keys import - --output ${output}3`, { input: '{"consumer":"holder","name":"piped"}\n' });
    assert.equal(piped.code, 0, piped.err);
    assert.equal(await app.records.keys.count(), count + 1);
  });

  it('clients: create, list, show, rotate-secret, disable, enable, remove', async () => {
    const created = await run('clients create Batch --grant client_credentials --scope read write');
    const id = /client_id {6}(\S+)/.exec(created.out)?.[1] ?? '';
    const secret = /client_secret {2}(\S+)/.exec(created.out)?.[1] ?? '';
    assert.ok(secret.length >= 43, created.err);
    assert.equal((await app.records.clients.find(id))?.metadata['scope'], 'read write');
    assert.match((await run('clients list')).out, new RegExp(`^${id} +Batch +enabled +admin`, 'm'));
    assert.ok(!(await run(`clients show ${id}`)).out.includes(secret));
    const rotated = await json(`clients rotate-secret ${id} --yes`);
    assert.notEqual(rotated.secret, secret);
    assert.match((await run(`clients disable ${id}`)).out, /is disabled, and its tokens are revoked/);
    assert.equal((await json(`clients show ${id}`)).disabled, true);
    assert.equal((await run(`clients enable ${id}`)).code, 0);
    assert.equal((await run(`clients remove ${id}`)).code, 2);
    assert.equal((await run(`clients remove ${id} --yes`)).code, 0);
    assert.equal((await run(`clients show ${id}`)).code, 3);

    const metadata = join(directory, 'metadata.json');
    await writeFile(metadata, '{"require_pushed_authorization_requests":true}');
    const web = await json(
      `clients create Web --id web --redirect-uri https://app.example.com/cb --dpop --metadata ${metadata}`,
    );
    assert.equal(web.metadata.require_pushed_authorization_requests, true);
    assert.equal(web.metadata.dpop_bound_access_tokens, true);
    const bad = await run('clients create Bad --redirect-uri javascript:alert(1)');
    assert.equal(bad.code, 3);
    assert.match(bad.err, /redirect_uris\/0 {2}uses the scheme javascript:/);
    await writeFile(metadata, 'no json');
    assert.equal((await run(`clients create X --metadata ${metadata}`)).code, 2);
  });

  const password = 'a horse and some staples';

  it('users: create, list, show, set-password, reset-factors, disable, enable, remove', async () => {
    const created = await run('users create Ada@Example.com --password-stdin --claims {"name":"Ada"}', {
      input: `${password}\n`,
    });
    assert.match(created.out, /^Created the user ada@example\.com, usr_/);
    const user = await app.records.users.findByUsername('ada@example.com');
    assert.match(user?.passwordHash ?? '', /^\$argon2id\$/);
    assert.match((await run('users list')).out, /^ada@example\.com +usr_\S+ +enabled +password /m);
    assert.match((await run('users show ada@example.com')).out, /name/);
    assert.equal(
      (await run('users set-password ada@example.com --password-stdin', { input: `${password} two` })).code,
      0,
    );
    assert.notEqual((await app.records.users.findByUsername('ada@example.com'))?.passwordHash, user?.passwordHash);
    const weak = await run('users set-password ada@example.com --password-stdin', { input: 'short' });
    assert.equal(weak.code, 3);
    assert.match(weak.err, /needs at least 12 characters/);
    assert.match((await run('users reset-factors ada@example.com --yes')).out, /has no second factor any more/);
    await run('users disable ada@example.com');
    assert.equal((await json('users show ada@example.com')).disabled, true);
    await run('users enable ada@example.com');
    assert.equal((await json('users show ada@example.com')).disabled, false);
    assert.equal((await run('users remove ada@example.com --yes')).code, 0);
    assert.equal((await run('users show ada@example.com')).code, 3);
    const bare = await json('users create grace --no-password');
    assert.equal(bare.password, false);
  });

  it('users: a password is never taken from the command line, nor from nowhere', async () => {
    assert.equal((await run(`users create eve --password ${password.replaceAll(' ', '-')}`)).code, 2);
    const nowhere = await run('users create eve');
    assert.equal(nowhere.code, 2);
    assert.match(nowhere.err, /typed on a terminal, or piped in with --password-stdin/);
    for (const input of ['', '\n', 'one\ntwo\n', 'x'.repeat(5_000)])
      assert.equal((await run('users create eve --password-stdin', { input })).code, 2);
    assert.equal(await app.records.users.findByUsername('eve'), undefined);
  });

  it('sessions: list and end, one thing at a time', async () => {
    assert.equal((await run('sessions list')).out, 'Nobody is signed in at a login of the gateway.');
    assert.equal((await run('sessions list --grants')).out, 'No client was allowed anything.');
    assert.equal((await run('sessions end')).code, 2);
    assert.equal((await run('sessions end abc --user grace --yes')).code, 2);
    for (const [target, question] of [
      ['abc', /^End the session abc\? Nobody can be asked here: say it with --yes\.$/],
      ['--grant abc', /^Revoke the grant abc and its tokens\? Nobody/],
      ['--user grace', /^Sign grace out everywhere and revoke its tokens\? Nobody/],
    ] as const) {
      const unasked = await run(`sessions end ${target}`);
      assert.equal(unasked.code, 2);
      assert.match(unasked.err, question);
    }
    assert.equal((await run('sessions end abc --yes')).code, 3);
    assert.equal((await run('sessions end --grant abc --yes')).code, 3);
    assert.equal((await run('sessions end --user grace --yes')).out, 'grace has ended.');
    const [last] = (await app.records.audit.list({}, { limit: 1 })).items;
    assert.deepEqual([last?.type, last?.detail?.['tokensRevoked']], ['user.updated', true]);
  });

  it('signing-keys: list and rotate', async () => {
    assert.equal((await run('signing-keys list')).out, 'There is no signing key yet.');
    assert.equal((await run('signing-keys rotate oauth')).code, 0);
    assert.deepEqual(app.rotations, ['oauth by local:1000']);
    assert.equal((await run('signing-keys rotate all')).code, 2);
  });

  describe('audit', () => {
    it('list filters and says where there is more', async () => {
      const { out } = await run('audit list --type user.created --limit 1');
      assert.match(
        out,
        /^SEQ +AT +TYPE +ACTOR +SUBJECT +DETAIL\n\d+ +20\S+Z +user\.created +local:1000 +user:usr_\S+ +\{/,
      );
      assert.match(out, /The first 1 are shown; --limit shows more\.$/);
      assert.equal((await run('audit list --actor nobody')).out, 'There is no such record.');
      assert.equal((await run('audit list --type nonsense')).code, 3);
    });

    it('export writes what verify --file finds whole, and any change of it broken', async () => {
      const file = join(directory, 'audit.jsonl');
      assert.equal((await run(`audit export --output ${file}`)).code, 0);
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      const whole = await readFile(file, 'utf8');
      assert.equal((await run('audit export')).out, whole.trim());
      const nowhere = ['--data-dir', '/nowhere'];
      const verify = (name: string) => sallyport(['audit', 'verify', '--file', name, ...nowhere]);
      const said = await verify(file);
      assert.equal(said.code, 0);
      assert.match(
        said.out,
        /in order, without gaps, and each names the hash of the one before\.\n.*only a gateway with the key/,
      );

      const lines = whole.trim().split('\n');
      const swapped = [...lines.slice(0, 4), lines[5], lines[4], ...lines.slice(6)];
      const changes = {
        removed: lines.toSpliced(4, 1),
        swapped,
        unreadable: lines.toSpliced(4, 1, '{'),
        relinked: lines.toSpliced(4, 1, (lines[4] ?? '').replace(/"hash":"../, '"hash":"zz')),
      };
      for (const [name, changed] of Object.entries(changes)) {
        const broken = join(directory, `${name}.jsonl`);
        await writeFile(broken, `${changed.join('\n')}\n`);
        const { code, out } = await verify(broken);
        assert.equal(code, 3, name);
        assert.match(out, name === 'relinked' ? /Record 6 / : /Record 5 /, name);
      }
      assert.equal((await verify(join(directory, 'none'))).code, 2);
    });

    it('verify asks the gateway, and ends with 3 and the place where the log is broken', async () => {
      const said = await run('audit verify');
      assert.equal(said.code, 0);
      const noted = /--expect (\d+:[\w-]{43})$/.exec(said.out)?.[1] ?? '';
      assert.equal((await run(`audit verify --expect ${noted}`)).code, 0);
      assert.equal((await run('audit verify --expect nonsense')).code, 3);
      const seq = Number(noted.split(':')[0]);
      const cut = await run(`audit verify --expect ${seq + 5}:${noted.split(':')[1]}`);
      assert.equal(cut.code, 3);
      assert.match(cut.out, new RegExp(`The log is not as it was written\\. Record ${seq + 1} `));
      assert.equal((await json('audit verify')).intact, true);
    });
  });

  describe('find the gateway', () => {
    it('elsewhere with --url and a key from the environment, which no output repeats', async () => {
      const env = { SALLYPORT_ADMIN_KEY: 'sp_admin_secret' };
      const said = await sallyport(['consumers', 'list', '--url', app.url], { env });
      assert.equal(said.code, 0, said.err);
      assert.match(said.out, /^holder /m);
      const without = await sallyport(['consumers', 'list', '--url', app.url]);
      assert.equal(without.code, 2);
      assert.match(without.err, /set SALLYPORT_ADMIN_KEY/);
      for (const url of [
        'http://gateway.example',
        'ftp://x',
        'nonsense',
        'https://user:pw@gateway.example',
        'https://gateway.example?x=1',
      ]) {
        const refused = await sallyport(['consumers', 'list', '--url', url], { env });
        assert.equal(refused.code, 2, url);
        assert.match(refused.err, /^--url: /);
        assert.ok(!refused.err.includes('sp_admin_secret'));
      }
    });

    it('or say that none runs', async () => {
      const said = await sallyport(['keys', 'list', '--data-dir', directory]);
      assert.equal(said.code, 4);
      assert.match(said.err, /^no gateway is running on .*control\.sock; start one with: sallyport start/);
      const answer = await sallyport(['keys', 'list', '--data-dir', directory, '--json']);
      assert.deepEqual([answer.code, JSON.parse(answer.out).ok], [4, false]);
      const closed = await sallyport(['keys', 'list', '--url', 'http://127.0.0.1:1'], {
        env: { SALLYPORT_ADMIN_KEY: 'x' },
      });
      assert.equal(closed.code, 4);
      const faulty = await sallyport(['keys', 'list', '--config', join(directory, 'none.yaml')]);
      assert.equal(faulty.code, 3);
      assert.match(faulty.err, /--data-dir <directory> or --url <url>/);
    });
  });

  it('names from elsewhere cannot steer the terminal', async () => {
    await app.records.consumers.create(
      { id: 'x', name: 'evil\u001b[2J\u202e', metadata: {}, disabled: false, source: 'admin', createdAt: 1 },
      [],
    );
    const { out } = await run('consumers list');
    assert.match(out, /evil\\u\{1b\}\[2J\\u\{202e\}/);
  });

  it('every group and command explains itself', async () => {
    for (const group of ['consumers', 'keys', 'clients', 'users', 'sessions', 'signing-keys', 'audit']) {
      const help = await sallyport([group, '--help']);
      assert.equal(help.code, 0);
      const commands = [...help.out.matchAll(/^ {2}([a-z-]+) (?:\[|<)/gm)]
        .map(([, name = '']) => name)
        .filter((name) => name !== 'help' && name !== 'generate'); // it asks no gateway
      assert.ok(commands.length >= 2, group);
      for (const name of commands) assert.match((await sallyport([group, name, '--help'])).out, /--data-dir/);
    }
  });
});
