import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import { type DemoApi, startDemoApi } from './api.ts';

describe('the demo API', () => {
  let api: DemoApi;
  before(async () => {
    api = await startDemoApi({ port: 0, tickMs: 20 });
  });
  after(async () => {
    await api.close();
  });

  async function call(method: string, path: string, body?: unknown, contentType = 'application/json') {
    const reply = await fetch(`${api.url}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': contentType } }),
    });
    const text = await reply.text();
    const json: unknown = reply.headers.get('content-type') === 'application/json' ? JSON.parse(text) : undefined;
    return { status: reply.status, headers: reply.headers, text, json };
  }

  it('lists widgets page by page until there are no more', async () => {
    const seen: unknown[] = [];
    let path: string | undefined = '/widgets?limit=2';
    while (path !== undefined) {
      const { json } = await call('GET', path);
      assert.ok(isPage(json));
      assert.ok(json.items.length <= 2);
      seen.push(...json.items.map(({ id }) => id));
      assert.equal(json.total, 5);
      path = json.next === null ? undefined : `/widgets?limit=2&after=${json.next}`;
    }
    assert.deepEqual(seen, [1, 2, 3, 4, 5]);
  });

  for (const query of ['limit=0', 'limit=101', 'limit=x', 'after=-1']) {
    it(`refuses ?${query}`, async () => assert.equal((await call('GET', `/widgets?${query}`)).status, 400));
  }

  it('creates, shows, replaces and deletes a widget', async () => {
    const created = await call('POST', '/widgets', { name: 'Cog', colour: 'red', price: 5 });
    assert.equal(created.status, 201);
    const path = new URL(created.headers.get('location') ?? '', `${api.url}/widgets`).pathname;
    assert.match(path, /^\/widgets\/\d+$/);
    const id = Number(path.slice('/widgets/'.length));
    assert.deepEqual((await call('GET', path)).json, { id, name: 'Cog', colour: 'red', price: 5 });
    const replaced = await call('PUT', path, { name: 'Cog', colour: 'blue', price: 6 });
    assert.deepEqual(replaced.json, { id, name: 'Cog', colour: 'blue', price: 6 });
    assert.equal((await call('DELETE', path)).status, 204);
    for (const method of ['GET', 'DELETE']) assert.equal((await call(method, path)).status, 404);
  });

  it('names every fault of a widget at once', async () => {
    const { status, json } = await call('POST', '/widgets', { name: '', colour: 'pink', price: 0.5, weight: 3 });
    assert.equal(status, 422);
    for (const word of ['name', 'colour', 'price', 'weight']) assert.match(JSON.stringify(json), new RegExp(word));
  });

  it('takes JSON only, and not too much of it', async () => {
    assert.equal((await call('POST', '/widgets', {}, 'text/plain')).status, 415);
    assert.equal((await call('POST', '/widgets', { name: 'x'.repeat(70_000) })).status, 413);
    const broken = await fetch(`${api.url}/widgets`, {
      method: 'POST',
      body: '{',
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(broken.status, 400);
  });

  it('says which methods it takes', async () => {
    const reply = await call('PATCH', '/widgets/1');
    assert.equal(reply.status, 405);
    assert.equal(reply.headers.get('allow'), 'GET, HEAD, PUT, DELETE');
  });

  it('sends ticks and changes as events', async () => {
    const leave = new AbortController();
    const reply = await fetch(`${api.url}/events`, { signal: leave.signal });
    assert.equal(reply.headers.get('content-type'), 'text/event-stream');
    assert.ok(reply.body !== null);
    await call('POST', '/widgets', { name: 'Announced', colour: 'grey', price: 1 });
    let text = '';
    for await (const chunk of reply.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (/event: created\ndata: .*Announced/.test(text) && text.includes('event: tick\n')) break;
    }
    leave.abort();
    assert.match(text, /^id: \d+$/m);
  });

  it('echoes WebSocket messages, text as text and bytes as bytes', async () => {
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}/echo`);
    const received: string[] = [];
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () => {
        socket.send('hello');
        socket.send(Buffer.from([1, 2]));
      });
      socket.on('message', (data, isBinary) => {
        received.push(isBinary ? `bytes ${data.toString('hex')}` : `text ${data}`);
        if (received.length === 2) resolve();
      });
    });
    assert.deepEqual(received, ['text hello', 'bytes 0102']);
    socket.close();
    await new Promise((closed) => socket.on('close', closed));
  });

  it('upgrades at /echo only', async () => {
    const status = await new Promise((resolve, reject) => {
      request(`${api.url}/widgets`, {
        headers: { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
      })
        .on('response', (reply) => {
          reply.resume();
          resolve(reply.statusCode);
        })
        .on('error', reject)
        .end();
    });
    assert.equal(status, 404);
  });

  it('shows the request as it came, and tells too much when it fails', async () => {
    const reply = await fetch(`${api.url}/headers?a=1`, { headers: { 'x-seen': 'yes' } });
    const seen = await reply.text();
    assert.match(seen, /"x-seen: yes"/);
    assert.match(seen, /"\/headers\?a=1"/);
    const failed = await call('GET', '/error');
    assert.equal(failed.status, 500);
    assert.match(failed.text, /hunter2[\s\S]*at handle .*api\.ts/);
    assert.equal(failed.headers.get('x-powered-by'), 'Demo 1.0');
  });

  it('answers late when asked, within bounds', async () => {
    assert.deepEqual((await call('GET', '/slow?seconds=0')).json, { waited: 0 });
    assert.equal((await call('GET', '/slow?seconds=301')).status, 400);
  });

  it('has what its description says, and answers nothing else', async () => {
    const description: unknown = parse(readFileSync(join(import.meta.dirname, 'widgets.openapi.yaml'), 'utf8'));
    assert.ok(isDescription(description));
    for (const [template, operations] of Object.entries(description.paths)) {
      if (template === '/events' || template === '/echo') continue; // without an end, or no HTTP reply: tested above
      const path = template === '/slow' ? '/slow?seconds=0' : template.replace('{id}', '1');
      for (const method of ['get', 'post', 'put', 'delete']) {
        // Without a body: the API refuses it, in a way the description must know.
        const { status } = await call(method.toUpperCase(), path);
        const described = operations[method]?.responses ?? {};
        if (operations[method] === undefined)
          assert.ok([404, 405].includes(status), `${method} ${path} is not described`);
        else assert.ok(String(status) in described, `${method} ${path} answers ${status}, which is not described`);
      }
    }
    assert.equal((await call('GET', '/nothing')).status, 404);
  });
});

function isPage(value: unknown): value is { items: { id: number }[]; total: number; next: number | null } {
  return typeof value === 'object' && value !== null && 'items' in value && 'total' in value && 'next' in value;
}

function isDescription(
  value: unknown,
): value is { paths: Record<string, Record<string, { responses?: Record<string, unknown> }>> } {
  return typeof value === 'object' && value !== null && 'paths' in value;
}
