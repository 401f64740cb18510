import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { adminProblems } from '../src/admin/admin-problems.ts';
import { endpoints } from '../src/admin/endpoints.ts';
import { StoreUnavailable } from '../src/stores/stores.ts';
import { type RunningAdminApp, startAdminApp } from './support/admin-app.ts';

describe('the admin API refuses', () => {
  let app: RunningAdminApp;
  before(async () => {
    app = await startAdminApp();
  });
  after(async () => {
    await app.stop();
    assert.deepEqual(app.faults, []);
  });

  async function count(): Promise<number> {
    return (await app.records.consumers.list({ limit: 1000 })).items.length;
  }

  describe('requests of web pages elsewhere, with every endpoint (attack 58)', () => {
    const pages = [
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site' },
      { Origin: 'https://evil.example' },
      { Origin: 'null' },
      { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://gateway.example' },
    ];
    for (const headers of pages)
      it(JSON.stringify(headers), async () => {
        for (const { method, path } of endpoints) {
          const answer = await app.call(method, path.replaceAll(/[{}]/g, ''), { json: { name: 'x' }, headers });
          assert.equal(answer.status, 403, `${method} ${path}`);
          assert.equal(answer.body.type, 'urn:problem-type:sallyport:admin:cross-site');
          assert.equal(answer.headers['access-control-allow-origin'], undefined);
        }
        assert.equal(await count(), 0);
      });

    it('a preflight gets no permission', async () => {
      const answer = await app.call('OPTIONS', '/consumers', { headers: { Origin: 'https://evil.example' } });
      assert.equal(answer.status, 403);
      assert.equal(answer.headers['access-control-allow-methods'], undefined);
    });

    it('but not those of programs, or of a page of its own', async () => {
      for (const headers of [
        {},
        { 'Sec-Fetch-Site': 'same-origin', Origin: 'https://gateway.example' },
        { 'Sec-Fetch-Site': 'none' },
      ])
        assert.equal((await app.call('GET', '/consumers', { headers })).status, 200);
    });

    it('and notes it once for many', async () => {
      const { items } = await app.records.audit.list({ type: 'admin.refused' }, { limit: 10 });
      assert.deepEqual(
        items.map(({ detail, actor }) => [detail, actor]),
        [[{ reason: 'cross-site' }, 'local:1000']],
      );
    });
  });

  it('callers without the scope of an endpoint, for each of them', async () => {
    for (const { method, path, scope } of endpoints) {
      const other = scope === 'admin:read' ? 'admin:write' : 'admin:read';
      for (const scopes of [[], [other], ['administrator'], ['openid', 'email']]) {
        const answer = await app.call(method, path.replaceAll(/[{}]/g, ''), { scopes });
        assert.equal(answer.status, 403, `${method} ${path} with ${scopes}`);
        assert.equal(answer.body.type, 'urn:problem-type:sallyport:admin:insufficient-scope');
      }
    }
    for (const scopes of [['admin'], ['admin:read']])
      assert.equal((await app.call('GET', '/keys', { scopes })).status, 200);
    const written = await app.call('POST', '/consumers', { scopes: ['admin:write'], json: { name: 'by-scope' } });
    assert.equal(written.status, 201);
    await app.call('DELETE', '/consumers/by-scope');
  });

  it('paths and methods it does not have', async () => {
    for (const path of [
      '',
      '/',
      '/consumer',
      '/consumers/',
      '/consumers/a/b',
      '/consumers//keys',
      '/consumers/%zz',
      '/consumers/%00',
      '/__proto__',
      '/keys/constructor',
    ])
      assert.equal((await app.call('GET', path)).status, 404, path);
    const wrong = await app.call('PUT', '/consumers');
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers['allow'], 'GET, POST');
    assert.equal((await app.call('GET', '/keys/import')).status, 405);
    const head = await app.call('HEAD', '/consumers');
    assert.equal(head.status, 200);
    assert.equal(head.text, '');
  });

  it('bodies of another type or coding', async () => {
    const text = JSON.stringify({ name: 'typed' });
    const wrong: Record<string, string>[] = [
      {},
      { 'Content-Type': 'text/plain' },
      { 'Content-Type': 'application/x-www-form-urlencoded' },
      { 'Content-Type': 'application/json2' },
      { 'Content-Type': 'text/plain; application/json' },
      { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
    ];
    for (const headers of wrong) {
      const answer = await app.call('POST', '/consumers', { text, headers });
      assert.equal(answer.status, 415, JSON.stringify(headers));
    }
    assert.equal(await count(), 0);
    for (const type of ['Application/JSON', 'application/json; charset=utf-8', ' application/json ']) {
      assert.equal(
        (await app.call('POST', '/consumers', { text, headers: { 'Content-Type': type } })).status,
        201,
        type,
      );
      await app.call('DELETE', '/consumers/typed');
    }
  });

  const json = { 'Content-Type': 'application/json' };

  it('bodies that are too large, with or without a length', async () => {
    const text = JSON.stringify({ name: 'large', metadata: { a: 'x'.repeat(8_388_608) } });
    const answer = await app.call('POST', '/consumers', { text, headers: json });
    assert.equal(answer.status, 413);
    const chunked = await app.call('POST', '/consumers', {
      text,
      headers: { ...json, 'Transfer-Encoding': 'chunked' },
    });
    assert.equal(chunked.status, 413);
    assert.equal(await count(), 0);
  });

  const malformed: Record<string, string | Buffer> = {
    'no body': '',
    'half a body': '{"name":',
    'two values': '{} {}',
    'bytes that are no UTF-8': Buffer.from([0x22, 0xff, 0x22]),
    '10,000 levels': `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
    '17 levels inside metadata': `{"name":"x","metadata":${'{"a":'.repeat(17)}1${'}'.repeat(17)}}`,
    'the key __proto__': '{"name":"x","__proto__":{"disabled":true}}',
    'constructor inside': '{"name":"x","metadata":{"constructor":{"prototype":{}}}}',
  };
  for (const [name, text] of Object.entries(malformed))
    it(`malformed bodies: ${name}`, async () => {
      const answer = await app.call('POST', '/consumers', { text, headers: json });
      assert.equal(answer.status, 400);
      assert.equal(answer.body.type, 'urn:problem-type:sallyport:admin:malformed');
      assert.equal(Reflect.get({}, 'disabled'), undefined);
      assert.equal(await count(), 0);
    });

  it('bodies with faults, all of them at once, without repeating a value', async () => {
    const answer = await app.call('POST', '/consumers', {
      json: { name: 'Not a name!', metadata: [], disabled: 'my-secret-in-the-wrong-field', pasword: 'hunter2hunter2' },
    });
    assert.equal(answer.status, 400);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.deepEqual(answer.body.errors, [
      {
        pointer: '#/name',
        message: 'is not a name',
        hint: 'write 1 to 64 of letters, digits, . _ and -, beginning with a letter or digit, and not like an id (con_, usr_, cli_)',
      },
      { pointer: '#/metadata', message: 'must be an object' },
      { pointer: '#/disabled', message: 'must be true or false' },
      { pointer: '#/pasword', message: 'there is no such field here', hint: 'leave it out' },
    ]);
    assert.ok(!answer.text.includes('secret') && !answer.text.includes('hunter2'));
    const empty = await app.call('PATCH', '/consumers/x', { json: {} });
    assert.equal(empty.body.errors[0].message, 'changes nothing');
    for (const body of [null, [], 'text', 7, { metadata: {} }])
      assert.equal((await app.call('POST', '/consumers', { json: body })).status, 400, JSON.stringify(body));
    assert.equal(
      (await app.call('POST', '/consumers', { json: { name: 'x', metadata: { a: 'x'.repeat(9_000) } } })).status,
      400,
    );
  });

  it('parameters it does not have, twice or out of bounds', async () => {
    const wrong = [
      'limit=0',
      'limit=201',
      'limit=-1',
      'limit=1e2',
      'limit=',
      'limit=5&limit=6',
      'after=x',
      'after=',
      'page=2',
      '__proto__=1',
      'limit=%00',
    ];
    for (const query of wrong) assert.equal((await app.call('GET', `/consumers?${query}`)).status, 400, query);
    for (const path of [
      '/status?x=1',
      '/signing-keys?x=1',
      '/audit?type=no.type',
      '/audit?after=eA',
      '/audit/export?after=-1',
      '/audit/verification?expected=1',
    ])
      assert.equal((await app.call('GET', path)).status, 400, path);
    assert.equal((await app.call('POST', '/consumers?x=1', { json: { name: 'x' } })).status, 400);
    assert.equal((await app.call('GET', '/consumers?limit=200')).status, 200);
  });

  it('nothing of a client that goes away in the middle of its body, and has no fault of its own in it', async () => {
    const headers = { ...json, 'Content-Length': '1000' };
    const options = {
      socketPath: join(app.dataDir, 'control.sock'),
      method: 'POST',
      path: '/admin/v1/consumers',
      headers,
    };
    const call = request({ ...options, agent: false });
    const broken = once(call, 'error');
    // Once it is written it is on its way to the server.
    await new Promise<void>((resolve) => call.write('{"name":"half"', () => resolve()));
    call.destroy(new Error('gone'));
    await broken;
    assert.equal((await app.call('GET', '/consumers/half')).status, 404);
  });

  it('every reply, refusals too, is to be stored by nobody', async () => {
    for (const path of ['/consumers', '/nothing', '/keys/none', '/audit/export'])
      assert.equal((await app.call('GET', path)).headers['cache-control'], 'no-store', path);
  });
});

describe('the admin API when something fails', () => {
  it('says that the records are away, and that it may be tried again', async () => {
    const app = await startAdminApp({
      status: () => {
        throw new StoreUnavailable('database at 10.0.0.1 is away');
      },
    });
    const { status, headers, text } = await app.call('GET', '/status');
    assert.equal(status, 503);
    assert.equal(headers['retry-after'], '1');
    assert.ok(!text.includes('10.0.0.1'));
    await app.stop();
  });

  it('tells the log of its own faults and the client only where to look', async () => {
    const fault = new Error('a secret of the inside');
    const app = await startAdminApp({
      status: () => {
        throw fault;
      },
    });
    const { status, body, text } = await app.call('GET', '/status');
    assert.equal(status, 500);
    assert.match(body.detail, /request-1/);
    assert.ok(!text.includes('secret'));
    assert.deepEqual(app.faults, [fault]);
    assert.equal((await app.call('GET', '/consumers')).status, 200);
    await app.stop();
  });
});

it('every problem is explained in docs/admin-api.md, and no other', async () => {
  const text = await readFile(new URL('../docs/admin-api.md', import.meta.url), 'utf8');
  const explained = [...text.matchAll(/^\| `([a-z-]+)` \| (\d{3}) \|/gm)].map(
    ([, code, status]) => `${code} ${status}`,
  );
  assert.deepEqual(
    explained,
    Object.entries(adminProblems).map(([code, { status }]) => `${code} ${status}`),
  );
});
