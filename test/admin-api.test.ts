import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parseApiKey } from '../src/lib/api-key.ts';
import type { AuditRecord } from '../src/stores/audit.ts';
import { sessionName } from '../src/stores/session-name.ts';
import { StoreUnavailable } from '../src/stores/stores.ts';
import { type RunningAdminApp, startAdminApp } from './support/admin-app.ts';

const DAY = 86_400_000;

describe('the admin API', () => {
  let app: RunningAdminApp;
  before(async () => {
    app = await startAdminApp();
  });
  after(async () => {
    await app.stop();
    assert.deepEqual(app.faults, []);
  });

  async function lastEvent(): Promise<AuditRecord> {
    const [record] = (await app.records.audit.list({}, { limit: 1 })).items;
    assert.ok(record);
    return record;
  }

  async function made(path: string, json: object): Promise<Record<string, string>> {
    const { status, body, text } = await app.call('POST', path, { json });
    assert.equal(status, 201, text);
    return body;
  }

  it('says how the gateway is', async () => {
    assert.deepEqual((await app.call('GET', '/status')).body, { version: '0.0.0', generation: 1 });
  });

  describe('consumers', () => {
    it('are created, shown, changed, disabled and removed, each with its audit record', async () => {
      const consumer = await made('/consumers', { name: 'partner', metadata: { team: 'billing' } });
      assert.match(consumer['id'] ?? '', /^con_[\w-]{22}$/);
      assert.equal((await app.call('GET', `/consumers/${consumer['id']}`)).body.name, 'partner');
      const event = await lastEvent();
      assert.deepEqual(
        { ...event, seq: 0, at: 0, previous: '', hash: '' },
        {
          seq: 0,
          at: 0,
          previous: '',
          hash: '',
          type: 'consumer.created',
          actor: 'local:1000',
          subject: `consumer:${consumer['id']}`,
          address: '192.0.2.7',
          requestId: 'request-1',
          detail: { name: 'partner' },
        },
      );

      const changed = await app.call('PATCH', '/consumers/partner', { json: { name: 'friend', disabled: true } });
      assert.equal(changed.status, 200);
      assert.deepEqual(
        { ...changed.body, createdAt: '' },
        {
          id: consumer['id'],
          name: 'friend',
          metadata: { team: 'billing' },
          disabled: true,
          source: 'admin',
          createdAt: '',
        },
      );
      assert.equal((await lastEvent()).type, 'consumer.updated');
      assert.equal((await app.records.consumers.find(consumer['id'] ?? ''))?.disabled, true);

      assert.equal((await app.call('DELETE', '/consumers/friend')).status, 204);
      assert.equal((await lastEvent()).type, 'consumer.removed');
      assert.equal((await app.call('GET', '/consumers/friend')).status, 404);
      assert.equal((await app.call('DELETE', '/consumers/friend')).status, 404);
      assert.equal((await app.call('PATCH', '/consumers/friend', { json: { disabled: true } })).status, 404);
    });

    it('have names of their own', async () => {
      await made('/consumers', { name: 'single' });
      const again = await app.call('POST', '/consumers', { json: { name: 'single' } });
      assert.equal(again.status, 409);
      assert.equal(again.body.type, 'urn:problem-type:sallyport:admin:conflict');
      assert.equal((await app.call('POST', '/consumers', { json: { name: 'con_x' } })).status, 400);
    });

    it('of the configuration file cannot be changed', async () => {
      const consumer = {
        id: 'declared',
        name: 'declared',
        metadata: {},
        disabled: false,
        source: 'config',
        createdAt: 1,
      } as const;
      await app.records.consumers.create(consumer, []);
      const before = await lastEvent();
      for (const [method, json] of [
        ['PATCH', { disabled: true }],
        ['DELETE', undefined],
      ] as const) {
        const { status, body } = await app.call(method, '/consumers/declared', { json });
        assert.equal(status, 409);
        assert.equal(body.type, 'urn:problem-type:sallyport:admin:managed-by-config');
        assert.match(body.detail, /declared in the configuration file; change it there and reload/);
      }
      assert.deepEqual(await lastEvent(), before);
      assert.deepEqual(await app.records.consumers.find('declared'), consumer);
    });

    it('are listed in parts, each exactly once', async () => {
      for (let count = 0; count < 25; count += 1) await made('/consumers', { name: `many-${count}` });
      const seen: string[] = [];
      let path = '/consumers?limit=7';
      for (;;) {
        const { body, headers } = await app.call('GET', path);
        seen.push(...body.items.map((item: { id: string }) => item.id));
        if (body.next === null) {
          assert.equal(headers['link'], undefined);
          break;
        }
        const link = /^<(\?[^>]+)>; rel="next"$/.exec(String(headers['link']))?.[1];
        assert.equal(link, `?limit=7&after=${body.next}`);
        path = `/consumers${link}`;
      }
      assert.equal(new Set(seen).size, seen.length);
      const all = await app.records.consumers.list({ limit: 500 });
      assert.deepEqual(
        seen,
        all.items.map(({ id }) => id),
      );
    });
  });

  describe('keys', () => {
    before(() => made('/consumers', { name: 'holder' }));

    it('are created with what they may do; the text is in this answer alone', async () => {
      const expiresAt = new Date(Date.now() + DAY).toISOString();
      const request = {
        name: 'first',
        environment: 'test',
        scopes: ['read'],
        apis: ['widgets'],
        cidrs: ['192.0.2.0/24'],
        metadata: { ticket: 7 },
        expiresAt,
      };
      const { key: text = '', id = '', ...shown } = await made('/consumers/holder/keys', request);
      assert.equal(parseApiKey(text)?.id, id);
      const answer = await app.call('GET', `/keys/${id}`);
      assert.deepEqual(answer.body, { id, ...shown });
      assert.deepEqual({ ...request, ...answer.body }, answer.body);
      const secret = text.slice(-38);
      const hash = parseApiKey(text)?.secretHash ?? '';
      const listed = await app.call('GET', '/keys?consumer=holder');
      const audited = await app.call('GET', `/audit?subject=key:${id}`);
      assert.equal(audited.body.items[0].type, 'key.created');
      for (const { text: said } of [answer, listed, audited]) {
        assert.ok(said.includes(id));
        assert.ok(!said.includes(secret) && !said.includes(hash));
      }
    });

    it('are rotated with an overlap, once', async () => {
      const old = await made('/consumers/holder/keys', { name: 'old', scopes: ['read', 'write'] });
      const { status, body } = await app.call('POST', `/keys/${old['id']}/rotate`, { json: { overlap: '1h' } });
      assert.equal(status, 201);
      assert.deepEqual(body.scopes, ['read', 'write']);
      assert.equal(parseApiKey(body.key)?.id, body.id);
      const stored = (await app.records.keys.find(old['id'] ?? ''))?.key;
      assert.equal(stored?.replacedBy, body.id);
      assert.equal(body.replaces.until, new Date(stored?.expiresAt ?? 0).toISOString());
      const again = await app.call('POST', `/keys/${old['id']}/rotate`, { json: {} });
      assert.equal(again.status, 409);
      const events = await app.records.audit.list({ subject: `key:${old['id']}` }, { limit: 5 });
      assert.equal(events.items[0]?.type, 'key.rotated');
      const bad = await app.call('POST', `/keys/${body.id}/rotate`, { json: { overlap: 'soon' } });
      assert.equal(bad.status, 400);
      assert.equal(bad.body.errors[0].pointer, '#/overlap');
    });

    it('are revoked, also twice, and removed', async () => {
      const key = await made('/consumers/holder/keys', { name: 'lost' });
      const first = await app.call('POST', `/keys/${key['id']}/revoke`);
      assert.equal(first.status, 200);
      assert.ok(first.body.revokedAt);
      assert.deepEqual((await app.call('POST', `/keys/${key['id']}/revoke`)).body, first.body);
      const events = await app.records.audit.list({ type: 'key.revoked' }, { limit: 5 });
      assert.deepEqual(
        events.items.map(({ subject }) => subject),
        [`key:${key['id']}`],
      );
      assert.equal((await app.call('DELETE', `/keys/${key['id']}`)).status, 204);
      assert.equal((await lastEvent()).type, 'key.removed');
      for (const [method, path] of [
        ['GET', ''],
        ['POST', '/revoke'],
        ['DELETE', ''],
      ] as const)
        assert.equal((await app.call(method, `/keys/${key['id']}${path}`)).status, 404);
      assert.equal((await app.call('POST', `/keys/${key['id']}/rotate`, { json: {} })).status, 404);
    });

    it('may open the admin API, which no configuration names', async () => {
      const request = { name: 'admin', environment: 'admin', scopes: ['admin'], apis: ['sallyport-admin'] };
      assert.deepEqual((await made('/consumers/holder/keys', request))['apis'], ['sallyport-admin']);
    });

    it('of nobody are not made, and faults come all at once', async () => {
      assert.equal((await app.call('POST', '/consumers/nobody/keys', { json: { name: 'x' } })).status, 404);
      assert.equal((await app.call('GET', '/keys?consumer=nobody')).status, 404);
      const { status, body } = await app.call('POST', '/consumers/holder/keys', {
        json: { name: ' ', scopes: ['a b'], cidrs: ['nowhere'], environment: 'LIVE' },
      });
      assert.equal(status, 400);
      assert.deepEqual(body.errors.map(({ pointer }: { pointer: string }) => pointer).toSorted(), [
        '#/cidrs/0',
        '#/environment',
        '#/name',
        '#/scopes/0',
      ]);
      assert.ok(body.errors.every(({ hint }: { hint: string }) => hint.length > 0));
      const api = await app.call('POST', '/consumers/holder/keys', { json: { name: 'x', apis: ['widgts'] } });
      assert.deepEqual(api.body.errors, [
        { pointer: '#/apis/0', message: 'is no API of the configuration', hint: 'write widgets' },
      ]);
      const smuggled = await app.call('POST', '/consumers/holder/keys', { json: { name: 'x', consumerId: 'other' } });
      assert.equal(smuggled.body.errors[0].pointer, '#/consumerId');
    });

    it('of the configuration file cannot be changed', async () => {
      const key = await made('/consumers/holder/keys', { name: 'x' });
      const stored = (await app.records.keys.find(key['id'] ?? ''))?.key;
      assert.ok(stored);
      await app.records.keys.insert([{ ...stored, id: 'configconfig', source: 'config' }], []);
      for (const [method, path, json] of [
        ['DELETE', '', undefined],
        ['POST', '/revoke', undefined],
        ['POST', '/rotate', {}],
      ] as const) {
        const { status, body } = await app.call(method, `/keys/configconfig${path}`, { json });
        assert.equal(status, 409);
        assert.equal(body.type, 'urn:problem-type:sallyport:admin:managed-by-config');
      }
      assert.equal((await app.records.keys.find('configconfig'))?.key.revokedAt, undefined);
    });
  });

  describe('clients', () => {
    it('are created with a secret that is shown once, rotated, disabled and removed', async () => {
      const { secret = '', ...client } = await made('/clients', {
        name: 'Batch job',
        grant_types: ['client_credentials'],
      });
      const path = `/clients/${client['id']}`;
      assert.ok(secret.length >= 43);
      assert.deepEqual((await app.call('GET', path)).body, client);
      const rotated = await app.call('POST', `${path}/rotate-secret`);
      assert.notEqual(rotated.body.secret, secret);
      for (const said of [await app.call('GET', '/clients'), await app.call('GET', '/audit')])
        assert.ok(!said.text.includes(secret) && !said.text.includes(rotated.body.secret));

      await grantTo({ accountId: 'usr_1', clientId: client['id'] ?? '', grantId: 'grant-1' });
      const disabled = await app.call('PATCH', path, { json: { disabled: true } });
      assert.equal(disabled.body.disabled, true);
      const events = (await app.records.audit.list({}, { limit: 2 })).items;
      assert.deepEqual(
        events.map(({ type, subject }) => [type, subject]),
        [
          ['grant.revoked', 'grant:grant-1'],
          ['client.updated', `client:${client['id']}`],
        ],
      );
      assert.deepEqual(events[1]?.detail, { changed: ['disabled'], disabled: true });
      assert.equal(await app.records.artifacts.find('AccessToken', 'token-of-grant-1'), undefined);

      assert.equal((await app.call('DELETE', path)).status, 204);
      assert.equal((await lastEvent()).type, 'client.removed');
      assert.equal((await app.call('GET', path)).status, 404);
    });

    it('are described anew as a whole', async () => {
      const client = await made('/clients', { name: 'Web', redirect_uris: ['https://app.example.com/cb'] });
      const path = `/clients/${client['id']}`;
      const changed = await app.call('PATCH', path, {
        json: { name: 'Web 2', redirect_uris: ['https://app.example.com/2'], scope: 'read' },
      });
      assert.equal(changed.status, 200, changed.text);
      assert.equal(changed.body.name, 'Web 2');
      assert.equal(changed.body.metadata.client_name, 'Web 2');
      assert.deepEqual(changed.body.metadata.redirect_uris, ['https://app.example.com/2']);
      const without = await app.call('PATCH', path, { json: { scope: null } });
      assert.equal(without.body.metadata.scope, 'openid offline_access');
      for (const uri of [
        'javascript:alert(1)',
        'https://*.example.com/',
        'http://app.example.com/',
        'https://app.example.com/../x',
      ]) {
        const { status, body } = await app.call('PATCH', path, { json: { redirect_uris: [uri] } });
        assert.equal(status, 400, uri);
        assert.equal(body.errors[0].pointer, '#/redirect_uris/0');
      }
      for (const json of [{ id: 'x' }, { secret: 'x' }, {}, { disabled: 'yes' }, { nonsense: 1 }])
        assert.equal((await app.call('PATCH', path, { json })).status, 400);
      assert.equal(
        (await app.call('POST', '/clients', { json: { name: 'x', redirect_uris: ['javascript:x'] } })).status,
        400,
      );
    });

    it('may ask for no scope of an API unless they are given it; one that registered itself is not narrowed unasked', async () => {
      const job = await made('/clients', { name: 'Job' });
      const stored = await app.records.clients.find(String(job['id']));
      assert.equal(stored?.metadata['scope'], 'openid');
      assert.ok(stored);
      const { scope: _scope, ...metadata } = stored.metadata;
      await app.records.clients.create({ ...stored, id: 'itself', metadata, source: 'registered' }, []);
      const change = async (json: object) => (await app.call('PATCH', '/clients/itself', { json })).body.metadata.scope;
      assert.equal(await change({ name: 'Other' }), undefined);
      assert.equal(await change({ scope: null }), 'openid');
    });

    it('stay, disabled, where their removal fails half-way, so that it can be asked for again', async (context) => {
      const { id = '' } = await made('/clients', { name: 'Leaving', redirect_uris: ['https://app.example.com/cb'] });
      await grantTo({ accountId: 'usr_1', clientId: id, grantId: 'grant-leaving' });
      const failing = context.mock.method(app.records.artifacts, 'revokeAll', async () => {
        throw new StoreUnavailable('too late');
      });
      assert.equal((await app.call('DELETE', `/clients/${id}`)).status, 503);
      failing.mock.restore();
      assert.equal((await app.call('GET', `/clients/${id}`)).body.disabled, true);
      assert.equal((await app.call('DELETE', `/clients/${id}`)).status, 204);
      assert.equal(await app.records.artifacts.find('Grant', 'grant-leaving'), undefined);
      assert.equal((await app.call('DELETE', `/clients/${id}`)).status, 404);
    });

    it('keep what another request changed between the reading and the writing of theirs', async (context) => {
      const { id = '' } = await made('/clients', { name: 'Raced', redirect_uris: ['https://app.example.com/cb'] });
      const { clients } = app.records;
      const find = clients.find.bind(clients);
      const reading = context.mock.method(clients, 'find', async (asked: string) => {
        const found = await find(asked);
        await clients.update(id, { disabled: true, name: 'Renamed' }, []);
        return found;
      });
      const changed = await app.call('PATCH', `/clients/${id}`, { json: { client_uri: 'https://app.example.com/' } });
      reading.mock.restore();
      assert.equal(changed.status, 200, changed.text);
      const stored = await clients.find(id);
      assert.deepEqual([stored?.disabled, stored?.name], [true, 'Renamed']);
      assert.deepEqual([changed.body.disabled, changed.body.name], [true, 'Renamed']);
      assert.deepEqual((await lastEvent()).detail, { changed: ['client_uri'] });
    });

    it('without a secret get none, and those of the file are left alone', async () => {
      const client = await made('/clients', { id: 'native', name: 'Native', redirect_uris: ['com.example.app:/cb'] });
      assert.equal(client['secret'], undefined);
      assert.equal((await app.call('POST', '/clients/native/rotate-secret')).status, 409);
      assert.equal(
        (await app.call('POST', '/clients', { json: { id: 'native', name: 'N', grant_types: ['client_credentials'] } }))
          .status,
        409,
      );
      const stored = await app.records.clients.find('native');
      assert.ok(stored);
      await app.records.clients.create({ ...stored, id: 'declared', source: 'config' }, []);
      for (const [method, path, json] of [
        ['PATCH', '', { disabled: true }],
        ['DELETE', '', undefined],
        ['POST', '/rotate-secret', undefined],
      ] as const)
        assert.equal(
          (await app.call(method, `/clients/declared${path}`, { json })).body.type,
          'urn:problem-type:sallyport:admin:managed-by-config',
        );
    });
  });

  async function grantTo(owner: { accountId: string; clientId: string; grantId: string }): Promise<void> {
    const { grantId } = owner;
    const rest = { expiresAt: Date.now() + DAY, userCode: undefined, uid: undefined, ...owner };
    await app.records.artifacts.upsert({
      ...rest,
      model: 'Grant',
      id: grantId,
      grantId: undefined,
      payload: { jti: grantId, openid: { scope: 'openid email' }, resources: { 'https://api.example/': 'read write' } },
    });
    await app.records.artifacts.upsert({ ...rest, model: 'AccessToken', id: `token-of-${grantId}`, payload: {} });
  }

  async function signIn(id: string, subject: string, issuer: string): Promise<void> {
    const now = Date.now();
    await app.records.sessions.create(
      {
        id,
        login: 'web',
        issuer,
        clientId: 'gateway',
        subject,
        sid: undefined,
        claims: {},
        accessToken: 'secret-access-token',
        refreshToken: 'secret-refresh-token',
        idToken: undefined,
        scopes: ['openid'],
        tokenExpiresAt: undefined,
        expiresAt: now + DAY,
        idleUntil: now + DAY,
        createdAt: now,
        version: 1,
      },
      [],
    );
  }

  describe('users', () => {
    const password = 'a horse and some staples';

    it('are created, and their passwords are never seen again', async () => {
      const user = await made('/users', { username: 'Ada@Example.com', password, claims: { name: 'Ada' } });
      assert.match(user['id'] ?? '', /^usr_/);
      assert.equal(user['username'], 'ada@example.com');
      const stored = await app.records.users.find(user['id'] ?? '');
      assert.match(stored?.passwordHash ?? '', /^\$argon2id\$/);
      for (const path of [`/users/${user['id']}`, '/users/ada@example.com', '/users', '/audit']) {
        const { text } = await app.call('GET', path);
        assert.ok(text.includes('ada@example.com'));
        assert.ok(!text.includes(password) && !text.includes('argon2'));
      }
    });

    it('with faults are told all of them, never the password', async () => {
      const { status, body, text } = await app.call('POST', '/users', {
        json: { username: '-', password: 'short-pw', claims: { sub: 'x' } },
      });
      assert.equal(status, 400);
      assert.deepEqual(
        body.errors.map(({ pointer }: { pointer: string }) => pointer),
        ['#/username', '#/password', '#/claims'],
      );
      assert.ok(!text.includes('short-pw'));
    });

    it('lose what they hold with their password, factors or account', async () => {
      const { id = '' } = await made('/users', { username: 'grace', password });
      const steps = [
        ['PUT', '/password', { password: `${password} two` }],
        ['POST', '/reset-factors', undefined],
        ['PATCH', '', { disabled: true }],
        ['POST', '/end-sessions', undefined],
        ['DELETE', '', undefined],
      ] as const;
      for (const [method, path, json] of steps) {
        await grantTo({ accountId: id, clientId: 'web', grantId: `grant-${method}${path}` });
        await signIn(`session-${method}${path}`, id, 'https://gateway.example/oauth');
        await signIn(`elsewhere-${method}${path}`, id, 'https://other.example/');
        const { status, text } = await app.call(method, `/users/grace${path}`, { json });
        assert.ok(status === 200 || status === 204, text);
        const latest = (await app.records.audit.list({}, { limit: 4 })).items;
        const events = method === 'DELETE' ? latest.slice(1) : latest.slice(0, 3);
        if (method === 'DELETE') assert.equal(latest[0]?.type, 'user.removed');
        assert.deepEqual(
          events.map(({ type }) => type),
          ['session.removed', 'grant.revoked', 'user.updated'],
        );
        assert.equal(events[2]?.detail?.['tokensRevoked'], true);
        assert.equal(await app.records.artifacts.find('Grant', `grant-${method}${path}`), undefined);
        assert.equal(await app.records.artifacts.find('AccessToken', `token-of-grant-${method}${path}`), undefined);
        assert.equal(await app.records.sessions.find(`session-${method}${path}`), undefined);
        assert.ok(
          await app.records.sessions.find(`elsewhere-${method}${path}`),
          'the sub of another issuer is somebody else',
        );
      }
      assert.equal((await app.call('GET', '/users/grace')).status, 404);
    });

    it('stay, disabled, where their removal fails half-way, so that it can be asked for again', async (context) => {
      const { id = '' } = await made('/users', { username: 'edsger', password });
      await signIn('session-edsger', id, 'https://gateway.example/oauth');
      const failing = context.mock.method(app.records.sessions, 'removeByName', async () => {
        throw new StoreUnavailable('too late');
      });
      assert.equal((await app.call('DELETE', '/users/edsger')).status, 503);
      failing.mock.restore();
      assert.equal((await app.call('GET', '/users/edsger')).body.disabled, true);
      assert.ok(await app.records.sessions.find('session-edsger'));
      assert.equal((await app.call('DELETE', '/users/edsger')).status, 204);
      assert.equal(await app.records.sessions.find('session-edsger'), undefined);
      assert.equal((await app.call('DELETE', '/users/edsger')).status, 404);
    });

    it('keep their sessions where only claims change', async () => {
      const { id = '' } = await made('/users', { username: 'alan', password });
      await signIn('session-alan', id, 'https://gateway.example/oauth');
      const changed = await app.call('PATCH', '/users/alan', {
        json: { claims: { name: 'Alan' }, username: 'Turing' },
      });
      assert.equal(changed.body.username, 'turing');
      assert.deepEqual((await app.records.users.find(id))?.claims, { name: 'Alan' });
      assert.ok((await app.records.users.find(id))?.passwordHash);
      assert.ok(await app.records.sessions.find('session-alan'));
      assert.equal((await app.call('PATCH', '/users/turing', { json: { claims: { iss: 'me' } } })).status, 400);
      assert.equal(
        (await app.call('PUT', '/users/turing/password', { json: { password: 'turing123456' } })).status,
        400,
      );
    });
  });

  describe('sessions and grants', () => {
    it('are listed without a token, and end', async () => {
      await signIn('cookie-value', 'usr_listed', 'https://gateway.example/oauth');
      const { body, text } = await app.call('GET', '/sessions?subject=usr_listed');
      assert.equal(body.items.length, 1);
      assert.ok(!text.includes('secret-') && !text.includes('cookie-value'));
      const path = `/sessions/${body.items[0].id}`;
      assert.equal((await app.call('DELETE', path)).status, 204);
      assert.equal((await lastEvent()).subject, `session:${sessionName('cookie-value')}`, 'as the login names it');
      assert.equal((await app.call('DELETE', path)).status, 404);
    });

    it('grants are listed by user and client, and revoked with their tokens', async () => {
      await grantTo({ accountId: 'usr_g', clientId: 'cli', grantId: 'grant-g' });
      const { body } = await app.call('GET', '/grants?user=usr_g&client=cli');
      assert.deepEqual(
        { ...body.items[0], expiresAt: '' },
        {
          id: 'grant-g',
          user: 'usr_g',
          client: 'cli',
          scopes: ['openid', 'email'],
          resources: { 'https://api.example/': ['read', 'write'] },
          expiresAt: '',
        },
      );
      assert.equal((await app.call('DELETE', '/grants/grant-g')).status, 204);
      assert.equal((await lastEvent()).subject, 'grant:grant-g');
      assert.equal(await app.records.artifacts.find('AccessToken', 'token-of-grant-g'), undefined);
      assert.equal((await app.call('DELETE', '/grants/grant-g')).status, 404);
    });
  });

  it('signing keys are listed without their private part, and rotated by whoever makes them', async () => {
    const key = {
      kid: 'kid-1',
      use: 'oauth',
      alg: 'ES256',
      publicJwk: { kty: 'EC' },
      privateJwk: { kty: 'EC', d: 'private-part' },
      createdAt: 1,
      activeAt: 2,
      retiredAt: undefined,
      removeAt: undefined,
    } as const;
    await app.records.signingKeys.rotate('oauth', () => ({ keys: [key], events: [] }));
    const { body, text } = await app.call('GET', '/signing-keys');
    assert.equal(body.items[0].kid, 'kid-1');
    assert.equal(body.items[0].state, 'active');
    assert.ok(!text.includes('private'));
    assert.equal((await app.call('POST', '/signing-keys/rotate', { json: { use: 'identity' } })).status, 200);
    assert.deepEqual(app.rotations, ['identity by local:1000']);
    assert.equal((await app.call('POST', '/signing-keys/rotate', { json: { use: 'x' } })).status, 400);
  });
});
