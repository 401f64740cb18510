import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret, TOTP } from 'otpauth';
import { demoSecrets } from '../../examples/demo/secrets.ts';
import { createSessionCookies, deriveCookieKey, sessionCookieName } from '../../src/identity/session-cookie.ts';
import { HeaderList } from '../../src/lib/header-list.ts';
import { createTransactions } from '../../src/login/transaction.ts';
import type { PageVisit, Visitor } from '../../src/oauth/accounts/test-visitor.ts';
import { openRecords } from '../../src/stores/open-records.ts';
import { createSealer, parseSealingKey } from '../../src/stores/sealer.ts';
import type { Demo } from './demo.ts';
import { DemoCaller } from './demo-caller.ts';
import { openTlsFetch } from './oauth-fetch.ts';
import { fill } from './oauth-pages.ts';
import { SecretNotes } from './secret-notes.ts';
import { until } from './until.ts';

/** What came of using a demo in every way it knows. */
export interface DemoUse {
  /** Every secret there was, by what it is. */
  readonly secrets: ReadonlyMap<string, string>;
  /** Every reply that refused something, head and body. */
  readonly refusals: readonly string[];
  /** Asks once more, as whoever has nothing to show, so that nothing of a caller is held for a reply under way. */
  askForNothing(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Uses a demo through its public and its internal listener with everything that opens it, and with what should not: as a program, a
 * holder of keys, a person with and without a second factor, a device and an administrator.
 */
export async function useDemo(demo: Demo): Promise<DemoUse> {
  const noted = new SecretNotes();
  const client = openTlsFetch({ ca: [await readFile(join(demo.directory, 'dev-ca/ca.pem'), 'utf8')] });
  const at = new DemoCaller(demo, noted, client.fetch);
  try {
    await noteOwnSecrets(at);
    await actAsProgram(at);
    await actAsKeyHolder(at);
    await actAsPerson(at);
    await actAsAppOfOthers(at);
    await actAsDevice(at);
    await actAsAdministrator(at);
    await noteStoredSecrets(at);
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    secrets: noted.secrets,
    refusals: noted.refusals,
    async askForNothing() {
      for (let round = 0; round < 20; round += 1) await at.ask('/v1/widgets', { headers: { Connection: 'close' } });
    },
    close: () => client.close(),
  };
}

const CALLBACK = 'https://app.example.com/callback';
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const WRONG_PASSWORD = 'this was typed into the wrong field';

async function noteOwnSecrets(at: DemoCaller): Promise<void> {
  const { clientSecret, notesSecret, apiKey, password } = await demoSecrets();
  at.notes.secret('client secret of the program', clientSecret, 'demo-program');
  at.notes.secret('client secret of the login', notesSecret, 'demo-notes');
  at.notes.key('declared API key', apiKey);
  at.notes.secret('password of ada', password);
  at.notes.key('bootstrap key', /sp_admin_\w+/.exec(at.demo.text())?.[0] ?? '');
  at.notes.secret('sealing key', (await readFile(join(at.demo.directory, 'sealing-key'), 'utf8')).trim());
}

async function actAsProgram(at: DemoCaller): Promise<void> {
  const secret = at.notes.known('client secret of the program');
  const grant = { grant_type: 'client_credentials', scope: 'widgets:read', resource: `${at.base}/v1` };
  const { access_token } = await at.token(grant, { id: 'demo-program', secret });
  const token = at.notes.secret('access token of the program', access_token);
  for (let round = 0; round < 4; round += 1) await at.expect(200, '/v1/widgets', bearer(token));
  await at.expect(401, '/v1/widgets', bearer(at.notes.secret('tampered token', `${token.slice(0, -9)}AAAAAAAAA`)));
  await at.expect(401, '/v1/widgets', { Authorization: `DPoP ${token}`, DPoP: token });
  await at.expect(403, '/v1/widgets', bearer(token), { method: 'POST', body: '{}' });
  await at.expect(401, `/v1/widgets?access_token=${token}`, {});
  const wrong = at.notes.secret('wrong client secret', `${secret}x`, 'demo-program');
  await at.token(grant, { id: 'demo-program', secret: wrong }, 401);
  const inBody = new URLSearchParams({ ...grant, client_id: 'demo-program', client_secret: wrong });
  assert.equal((await at.ask('/oauth/token', { method: 'POST', body: inBody })).status, 401);
}

async function actAsKeyHolder(at: DemoCaller): Promise<void> {
  const declared = at.notes.known('declared API key');
  await at.expect(200, '/v1/widgets', { 'X-API-Key': declared });
  await at.expect(500, `/v1/error?api_key=${declared}`, { 'X-API-Key': declared });
  await at.expect(401, `/v1/widgets?api_key=${declared}`, {});
  await at.expect(401, '/v1/widgets', {
    'X-API-Key': at.notes.secret(
      'mistyped key',
      declared.replace(/.$/, (last) => (last === 'z' ? 'y' : 'z')),
    ),
  });
  await at.made('/consumers', { name: 'acme' });
  const made = await at.made('/consumers/acme/keys', { name: 'main', scopes: ['widgets:read'] });
  const first = at.notes.key('made API key', made.key);
  await at.expect(200, '/v1/widgets', { 'X-API-Key': first });
  const rotated = await at.made(`/keys/${made.id}/rotate`, { overlap: '0s' });
  await at.expect(200, '/v1/widgets', { 'X-API-Key': at.notes.key('rotated API key', rotated.key) });
  await until('the rotated key to be refused', async () => {
    const reply = await at.ask('/v1/widgets', { headers: { Connection: 'close', 'X-API-Key': first } });
    return reply.status === 401;
  });
}

/** Signs in to the app, after a slip of the fingers; calls its API, and comes with a session that is none. */
async function actAsPerson(at: DemoCaller): Promise<void> {
  const visitor = at.browse();
  let page = await visitor.get(`${at.base}/.auth/login?return_to=%2F`);
  at.notes.secret('wrong password', WRONG_PASSWORD);
  page = await visitor.submit(page, 'password', { username: 'ada', password: WRONG_PASSWORD });
  page = await visitor.submit(page, 'password', { username: 'ada', password: at.notes.known('password of ada') });
  page = await visitor.submit(page, 'allow');
  assert.equal(page.url, `${at.base}/`);
  noteTransaction(at);
  const name = sessionCookieName('web');
  const session = visitor.cookies.get(name)?.value ?? '';
  const Cookie = `${name}=${session}`;
  for (let round = 0; round < 4; round += 1) await at.expect(200, '/api/notes', { Cookie });
  await at.expect(200, '/.auth/session', { Cookie });
  const forged = at.notes.secret('forged session', `${session.slice(0, -8)}AAAAAAAA`);
  await at.expect(401, '/api/notes', { Cookie: `${name}=${forged}` });
  await at.expect(403, '/api/notes', { Cookie, Origin: 'https://evil.example' }, { method: 'POST' });
}

/** A person with a second factor, at an app of somebody else; its refresh token is used twice. */
async function actAsAppOfOthers(at: DemoCaller): Promise<void> {
  const app = await at.client({
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
  });
  const password = at.notes.secret('password of tess', randomBytes(12).toString('base64url'));
  await at.made('/users', { username: 'tess', password });
  const visitor = at.browse();
  const early = await authorize(at, visitor, app.id, (first) =>
    visitor.submit(first, 'password', { username: 'tess', password }),
  );
  await at.token({ ...early, code_verifier: `${early.code_verifier}x` }, app, 400);

  const totp = await setUpTotp(at, visitor, password);
  const stranger = at.browse();
  const right = await authorize(at, stranger, app.id, async (first) => {
    const second = await stranger.submit(first, 'password', { username: 'tess', password });
    const wrong = await stranger.submit(second, 'code', { code: totp.generate({ timestamp: 0 }) });
    return await stranger.submit(wrong, 'code', { code: totp.generate({ timestamp: Date.now() + 30_000 }) });
  });
  const tokens = at.notes.tokens('app', await at.token(right, app));
  await at.expect(200, '/v1/widgets', bearer(tokens.access));
  const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh };
  at.notes.tokens('app', await at.token(refresh, app));
  const question = { token: tokens.access, client_id: app.id };
  assert.equal((await at.post('/oauth/introspect', question, app)).status, 200);
  await at.token(refresh, app, 400);
  await at.token(right, app, 400);
  assert.equal((await at.post('/oauth/revoke', question, app)).status, 200);
}

async function actAsDevice(at: DemoCaller): Promise<void> {
  const device = await at.client({ redirect_uris: [], grant_types: [DEVICE_GRANT, 'refresh_token'] });
  const wanted = { client_id: device.id, scope: 'openid offline_access widgets:read', resource: `${at.base}/v1` };
  const reply = await at.post('/oauth/device/authorize', wanted, device);
  const asked = Object(await reply.json());
  at.notes.secret('user code', asked.user_code);
  const grant = {
    grant_type: DEVICE_GRANT,
    device_code: at.notes.secret('device code', asked.device_code),
  };
  await at.token(grant, device, 400);
  await at.token(
    { ...grant, device_code: at.notes.secret('wrong device code', randomBytes(32).toString('base64url')) },
    device,
    400,
  );
  const visitor = at.browse();
  let page = await visitor.get(asked.verification_uri_complete);
  page = await fill(visitor, page, { user_code: asked.user_code });
  page = await fill(visitor, page, { confirm: 'yes' });
  page = await visitor.submit(page, 'password', { username: 'ada', password: at.notes.known('password of ada') });
  page = await visitor.submit(page, 'allow');
  assert.equal(page.status, 200);
  const tokens = at.notes.tokens('device', await at.token(grant, device));
  await at.expect(200, '/v1/widgets', bearer(tokens.access));
}

async function actAsAdministrator(at: DemoCaller): Promise<void> {
  const bootstrap = at.notes.known('bootstrap key');
  const url = `http://127.0.0.1:${at.demo.env['DEMO_INTERNAL_PORT']}/admin/v1/consumers`;
  const statuses: number[] = [];
  for (const key of [bootstrap, at.notes.known('declared API key'), `${bootstrap}x`]) {
    const reply = await fetch(url, { headers: { 'X-API-Key': key } });
    at.notes.reply(reply, await reply.text());
    statuses.push(reply.status);
  }
  assert.equal(statuses[0], 200);
  for (const status of statuses.slice(1)) assert.ok(status === 401 || status === 403, String(status));
}

/** The tokens of sessions, and private keys, are known to the gateway alone: its records say what to look for. */
async function noteStoredSecrets(at: DemoCaller): Promise<void> {
  const sealer = createSealer([parseSealingKey(at.notes.known('sealing key'), 'the sealing key')]);
  const file = join(at.demo.directory, 'records.db');
  const records = await openRecords({ driver: 'sqlite', file }, { sealer, readOnly: true });
  const [session] = (await records.sessions.list({}, { limit: 10 })).items;
  at.notes.secret('access token of the session', session?.accessToken);
  at.notes.secret('refresh token of the session', session?.refreshToken);
  at.notes.secret('ID token of the session', session?.idToken);
  for (const use of ['oauth', 'identity'] as const)
    for (const key of await records.signingKeys.list(use)) at.notes.secret('private key', key.privateJwk['d']);
  await records.close();
}

/** Goes to the authorization endpoint and back; resolves with what the token endpoint is asked with. */
async function authorize(
  at: DemoCaller,
  visitor: Visitor,
  clientId: string,
  signIn: (page: PageVisit) => Promise<PageVisit>,
) {
  const verifier = at.notes.secret('PKCE verifier', randomBytes(32).toString('base64url'));
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid offline_access widgets:read',
    prompt: 'consent',
    resource: `${at.base}/v1`,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const page = await signIn(await visitor.get(`${at.base}/oauth/authorize?${query}`));
  const { away } = await visitor.submit(page, 'allow');
  const code = away?.searchParams.get('code') ?? '';
  return { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
}

/** Turns on one-time codes on the account page. */
async function setUpTotp(at: DemoCaller, visitor: Visitor, password: string): Promise<TOTP> {
  const page = await visitor.submit(await visitor.get(`${at.base}/oauth/account`), 'password', {
    username: 'tess',
    password,
  });
  const secret = at.notes.secret('TOTP secret', /otpauth:[^"]*[?&;]secret=([A-Z2-7]+)/.exec(page.body)?.[1]);
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  await fill(visitor, page, { code: totp.generate() });
  return totp;
}

/** Verifiers of the gateway's own sign-ins are sealed in cookies. */
function noteTransaction(at: DemoCaller): void {
  const key = deriveCookieKey(parseSealingKey(at.notes.known('sealing key'), 'the sealing key'));
  const headers = new HeaderList(at.notes.cookies.flatMap((pair) => ['Cookie', pair]));
  const found = createTransactions(createSessionCookies(key), Date.now).find(headers, 'web', at.notes.state);
  at.notes.secret('PKCE verifier of the login', found?.verifier);
  at.notes.secret('nonce of the login', found?.nonce);
}

function bearer(token: string): { readonly Authorization: string } {
  return { Authorization: `Bearer ${token}` };
}
