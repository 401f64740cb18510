import { setTimeout as sleep } from 'node:timers/promises';
import { refreshTokenGrant } from 'openid-client';
import { sessionName } from '../identity/session-cookie.ts';
import type { AuditType } from '../stores/audit.ts';
import { type Events, type Session, StoreUnavailable } from '../stores/stores.ts';
import { isOf } from './current-session.ts';
import type { LoginParts } from './parts.ts';
import type { Provider } from './provider.ts';
import { noteFailure, providerFailure } from './provider-failure.ts';

export interface SessionRefresher {
  /** Whether the session still stands. Rejects with StoreUnavailable where that, or a needed token, cannot be had now. */
  refresh(id: string): Promise<boolean>;
  /** Its idle time begins anew. */
  touch(id: string): Promise<boolean>;
}

/**
 * Renews the tokens of sessions. A provider that rotates refresh tokens takes a second use of one for theft and ends everything,
 * so a refresh happens once: callers of this process join it, other processes are kept out by a lock in the counters, and see by the
 * version of the session that it has been done.
 */
export function createSessionRefresher(
  parts: LoginParts,
  providerOf: (login: string) => Provider | undefined,
): SessionRefresher {
  const running = new Map<string, Promise<boolean>>();
  /** Providers that gave no token, and until when they are left alone. */
  const resting = new WeakMap<Provider, number>();

  function refresh(id: string): Promise<boolean> {
    const present = running.get(id);
    if (present !== undefined) return present;
    const started = refreshUnderLock(id).finally(() => running.delete(id));
    running.set(id, started);
    return started;
  }

  async function refreshUnderLock(id: string): Promise<boolean> {
    const first = await parts.records.sessions.find(id);
    if (first === undefined) return false;
    if (!isDue(first)) return true;
    const lock = `login-refresh:${sessionName(id)}`;
    for (let waited = 0; !(await parts.counters.once(lock, LOCK_MS)); waited += LOOK_AGAIN_MS) {
      if (waited >= LOCK_MS) throw new StoreUnavailable('another process holds the refresh of a session for too long');
      await sleep(LOOK_AGAIN_MS);
      const seen = await parts.records.sessions.find(id);
      if (seen === undefined) return false;
      if (!isDue(seen)) return true;
    }
    try {
      // Read under the lock: what another process renewed a moment ago must not be renewed with its old token.
      const session = await parts.records.sessions.find(id);
      if (session === undefined) return false;
      return isDue(session) ? await renew(session) : true;
    } finally {
      await parts.counters.clear(lock);
    }
  }

  async function renew(session: Session): Promise<boolean> {
    const provider = providerOf(session.login);
    const { refreshToken } = session;
    if (provider === undefined || !isOf(provider.settings, session)) return end(session, 'login-removed');
    if (refreshToken === undefined) return isExpired(session) ? end(session, 'token-expired') : true;
    if (parts.clock() < (resting.get(provider) ?? 0))
      return keepWhatWorks(session, 'the provider gave none a moment ago');
    try {
      const { resource } = provider.settings;
      const tokens = await refreshTokenGrant(
        await provider.configuration(),
        refreshToken,
        resource === undefined ? {} : { resource },
      );
      const subject = tokens.claims()?.sub;
      // OpenID Connect Core §12.2: another person must not come out of it.
      if (subject !== undefined && subject !== session.subject) return end(session, 'another-subject');
      const now = parts.clock();
      return await store(session, {
        accessToken: tokens.access_token,
        refreshToken: tokens.refresh_token ?? refreshToken,
        idToken: tokens.id_token ?? session.idToken,
        scopes: tokens.scope?.split(' ').filter((scope) => scope !== '') ?? session.scopes,
        tokenExpiresAt: tokens.expires_in === undefined ? undefined : now + tokens.expires_in * 1_000,
      });
    } catch (error) {
      const failure = providerFailure(error);
      if (failure?.kind === 'grant-refused') return end(session, 'refresh-refused');
      if (failure === undefined && !(error instanceof StoreUnavailable)) throw error;
      const message = 'the tokens of a session could not be refreshed';
      await noteFailure(parts, provider.settings, { error, message });
      resting.set(provider, parts.clock() + REST_MS);
      return keepWhatWorks(session, 'the provider gave none');
    }
  }

  /** The new tokens are the only ones that work now, so they must not be lost to somebody who has touched the session meanwhile. */
  async function store(read: Session, tokens: Tokens): Promise<boolean> {
    let present: Session | undefined = read;
    for (let attempt = 0; present !== undefined && attempt < ATTEMPTS; attempt += 1) {
      const renewed: Session = { ...present, ...tokens };
      if (await parts.records.sessions.update(renewed, eventsOf(renewed, 'session.refreshed', undefined))) return true;
      present = await parts.records.sessions.find(read.id);
    }
    if (present === undefined) return false;
    throw new StoreUnavailable('the renewed tokens of a session could not be stored');
  }

  async function end(session: Session, reason: string): Promise<false> {
    await parts.records.sessions.remove(session.id, eventsOf(session, 'session.removed', reason));
    return false;
  }

  function keepWhatWorks(session: Session, reason: string): true {
    if (!isExpired(session)) return true;
    throw new StoreUnavailable(`a session needs a new access token, and ${reason}`);
  }

  function isExpired({ tokenExpiresAt }: Session): boolean {
    return tokenExpiresAt !== undefined && parts.clock() >= tokenExpiresAt;
  }

  /** Somewhat earlier than a policy asks, so that clocks that differ a little agree. */
  function isDue({ tokenExpiresAt }: Session): boolean {
    return tokenExpiresAt !== undefined && parts.clock() >= tokenExpiresAt - DUE_BEFORE_MS;
  }

  async function touch(id: string): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const session = await parts.records.sessions.find(id);
      if (session === undefined) return false;
      const idle = providerOf(session.login)?.settings.idle;
      if (idle === undefined) return false;
      const idleUntil = Math.min(parts.clock() + idle, session.expiresAt);
      // Every worker tells of the same use; one write in a while is enough.
      if (idleUntil - session.idleUntil < Math.min(TOUCH_STEP_MS, idle / 4)) return true;
      if (await parts.records.sessions.update({ ...session, idleUntil }, [])) return true;
    }
    return true;
  }

  return { refresh, touch };
}

type Tokens = Pick<Session, 'accessToken' | 'refreshToken' | 'idToken' | 'scopes' | 'tokenExpiresAt'>;

function eventsOf(session: Session, type: AuditType, reason: string | undefined): Events {
  const detail = { login: session.login, issuer: session.issuer, ...(reason === undefined ? {} : { reason }) };
  return [{ type, actor: 'system', subject: `session:${sessionName(session.id)}`, detail }];
}

/** Longer than a fetch from the provider may take, twice: discovery and the refresh itself. */
const LOCK_MS = 25_000;
const LOOK_AGAIN_MS = 50;
const REST_MS = 5_000;
const DUE_BEFORE_MS = 30_000;
const TOUCH_STEP_MS = 30_000;
const ATTEMPTS = 5;
