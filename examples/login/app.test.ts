import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type LoginExample, startLoginExample } from './app.ts';

describe('the app of the sign-in example', () => {
  let app: LoginExample;
  before(async () => {
    app = await startLoginExample({ port: 0 });
  });
  after(() => app.close());

  function call(path: string, options: { method?: string; body?: unknown; subject?: string } = {}): Promise<Response> {
    const claims = Buffer.from(JSON.stringify({ sub: options.subject, scope: 'notes' })).toString('base64url');
    const authorization = options.subject === undefined ? {} : { authorization: `Bearer e30.${claims}.c2ln` };
    return fetch(`${app.url}${path}`, {
      method: options.method ?? 'GET',
      headers: { ...authorization, 'content-type': 'application/json' },
      body: options.body === undefined ? null : JSON.stringify(options.body),
    });
  }

  it('serves its page under a policy without inline scripts or styles, which it does not have', async () => {
    const page = await fetch(app.url);
    const html = await page.text();
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.match(
      page.headers.get('content-security-policy') ?? '',
      /^default-src 'none'; script-src 'self'; style-src 'self'/,
    );
    assert.ok(!page.headers.get('content-security-policy')?.includes('unsafe'));
    assert.doesNotMatch(html, /<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?:\/\//);
    for (const path of ['/app.js', '/style.css', '/icon.svg'])
      assert.equal((await fetch(app.url + path)).status, 200, path);
    assert.doesNotMatch(await (await fetch(`${app.url}/app.js`)).text(), /innerHTML|localStorage|document\.cookie/);
  });

  it('keeps the notes of people apart', async () => {
    const made = await call('/api/notes', { method: 'POST', body: { text: ' milk ' }, subject: 'ada' });
    assert.equal(made.status, 201);
    const note: unknown = await made.json();
    assert.partialDeepStrictEqual(note, { text: 'milk' });
    assert.deepEqual(await (await call('/api/notes', { subject: 'ada' })).json(), { items: [note] });
    assert.deepEqual(await (await call('/api/notes', { subject: 'bob' })).json(), { items: [] });
    const path = `/api/notes/${Object(note).id}`;
    assert.equal((await call(path, { method: 'DELETE', subject: 'bob' })).status, 404);
    assert.equal((await call(path, { method: 'DELETE', subject: 'ada' })).status, 204);
  });

  it('refuses what has no token, and what is no note', async () => {
    assert.equal((await call('/api/notes')).status, 401);
    for (const body of [{}, { text: '' }, { text: 7 }, { text: 'x'.repeat(501) }, null, 'x'.repeat(10_000)])
      assert.equal((await call('/api/notes', { method: 'POST', body, subject: 'ada' })).status, 422);
    assert.equal((await call('/api/nothing', { subject: 'ada' })).status, 404);
    assert.equal((await fetch(`${app.url}/../app.ts`)).status, 404);
  });

  it('shows the fields that came, credentials by their length only', async () => {
    const text = await (await call('/api/me', { subject: 'ada' })).text();
    assert.match(text, /"authorization","value":"Bearer … \(\d+ characters\)"/);
    assert.ok(!text.includes('e30.'));
    assert.partialDeepStrictEqual(JSON.parse(text), { caller: { subject: 'ada', scopes: ['notes'] } });
  });
});
