import assert from 'node:assert/strict';
import { openVisitor, type Visitor } from '../../src/oauth/accounts/test-visitor.ts';
import type { Demo } from './demo.ts';
import { makeThrough } from './identity-gateway.ts';
import type { FetchOptions, TlsFetch } from './oauth-fetch.ts';
import type { SecretNotes } from './secret-notes.ts';

export interface Credentials {
  readonly id: string;
  readonly secret: string;
}

/** Asks a demo over its public listener, and notes what it sets and refuses. */
export class DemoCaller {
  readonly demo: Demo;
  readonly notes: SecretNotes;
  /** The origin of the public listener. */
  readonly base: string;
  readonly #fetch: TlsFetch['fetch'];

  constructor(demo: Demo, notes: SecretNotes, fetch: TlsFetch['fetch']) {
    this.demo = demo;
    this.notes = notes;
    this.#fetch = fetch;
    this.base = `https://localhost:${demo.env['DEMO_PORT']}`;
  }

  /** The path begins at the public listener; redirects are not followed. */
  async ask(path: string, options: FetchOptions = {}): Promise<Response> {
    return await this.#recorded(`${this.base}${path}`, options);
  }

  browse(): Visitor {
    return openVisitor({ issuer: `${this.base}/oauth` }, (url, options) => this.#recorded(url, options));
  }

  /** Asks, and fails where the status is another one. */
  async expect(
    status: number,
    path: string,
    headers: Readonly<Record<string, string>>,
    more: FetchOptions = {},
  ): Promise<void> {
    // Each on a connection of its own, so that all workers see some of it.
    const reply = await this.ask(path, { ...more, headers: { Connection: 'close', ...headers } });
    assert.equal(reply.status, status, `${path}: ${await reply.text()}`);
  }

  /** Posts a form as a client. */
  async post(path: string, fields: Readonly<Record<string, string>>, { id, secret }: Credentials): Promise<Response> {
    const Authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
    return await this.ask(path, { method: 'POST', headers: { Authorization }, body: new URLSearchParams(fields) });
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects by asserting on it
  async token(grant: Readonly<Record<string, string>>, client: Credentials, status = 200): Promise<any> {
    const reply = await this.post('/oauth/token', grant, client);
    const body = await reply.text();
    assert.equal(reply.status, status, body);
    return JSON.parse(body);
  }

  /** Registers a client by the control socket. */
  async client(metadata: object): Promise<Credentials> {
    const scope = 'openid offline_access widgets:read';
    const { id, secret } = await this.made('/clients', { name: 'Client', scope, ...metadata });
    return { id, secret: this.notes.secret('client secret of a made client', secret, id) };
  }

  /** Has the admin API make something, by the control socket. */
  async made(path: string, body: object) {
    return await makeThrough(this.demo.directory, path, body);
  }

  async #recorded(url: string, options: FetchOptions): Promise<Response> {
    const reply = await this.#fetch(url, { redirect: 'manual', ...options });
    this.notes.reply(reply, await reply.clone().text());
    return reply;
  }
}
