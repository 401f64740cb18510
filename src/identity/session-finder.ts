import { LRUCache } from 'lru-cache';
import type { AuditRecord } from '../stores/audit.ts';
import type { Records, Session } from '../stores/stores.ts';
import type { ControlLink } from './link.ts';
import type { LiveSession, SessionFinder } from './services.ts';
import type { SessionCookies } from './session-cookie.ts';

export interface SessionFinderOptions {
  readonly records: { readonly sessions: Pick<Records['sessions'], 'find'> };
  readonly link: ControlLink;
  readonly cookies: SessionCookies;
  /** The most bytes of sessions that are held, tokens and claims included. */
  readonly capacityBytes: number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

export interface CachedSessionFinder extends SessionFinder {
  /** Hears of changes to sessions elsewhere. */
  forget(records: readonly AuditRecord[]): void;
}

/**
 * Sessions by their id. What was read is used for less than a second and then read again, so that a session that ended elsewhere is
 * over here within a second, whether or not anybody tells: no feed has to be trusted. A feed makes it sooner. Its records name
 * sessions by a hash that only the store can make, so any change to a session empties the whole cache: that costs each
 * active session one indexed read, no more than the second does anyway.
 */
export function createSessionFinder(options: SessionFinderOptions): CachedSessionFinder {
  const { records, link, cookies, clock } = options;
  const held = new LRUCache<string, Held>({
    maxSize: options.capacityBytes,
    maxEntrySize: LARGEST_ENTRY,
    sizeCalculation: ({ session }, id) => sizeOf(session) + id.length,
  });
  const reads = new Map<string, Promise<LiveSession | undefined>>();
  const refreshes = new Map<string, Promise<LiveSession | undefined>>();
  const touched = new LRUCache<string, number>({ max: MOST_TOUCHED });
  // Grows when the cache is emptied: a read that was on its way then may have seen the store before the change.
  let era = 0;

  function find(id: string): LiveSession | undefined | Promise<LiveSession | undefined> {
    const now = clock();
    const known = held.get(id);
    if (known !== undefined && now - known.readAt < TRUSTED_MS && now >= known.readAt) return alive(id, known.session);
    return once(reads, id, read);
  }

  async function read(id: string): Promise<LiveSession | undefined> {
    const before = era;
    const readAt = clock();
    const session = liveSession(await records.sessions.find(id));
    if (before === era) held.set(id, { session, readAt });
    return alive(id, session);
  }

  /** The store answers what has not expired; a session that is held may have expired since. */
  function alive(id: string, session: LiveSession | undefined): LiveSession | undefined {
    const now = clock();
    if (session === undefined || now >= session.expiresAt || now >= session.idleUntil) return undefined;
    touch(id, now);
    return session;
  }

  /** Tells the control plane at most once a minute that a session is in use. Where that fails, the next request tells it again. */
  function touch(id: string, now: number): void {
    if (now - (touched.get(id) ?? Number.NEGATIVE_INFINITY) < TOUCH_EVERY_MS) return;
    touched.set(id, now);
    link.ask('session.touch', { id }).catch(() => touched.delete(id));
  }

  async function refresh(id: string): Promise<LiveSession | undefined> {
    const stands = await link.ask('session.refresh', { id });
    held.delete(id);
    reads.delete(id);
    return stands ? find(id) : undefined;
  }

  return {
    find,
    refresh: (id) => once(refreshes, id, refresh),
    open: (cookie) => cookies.openSession(cookie)?.id,
    forget(changes) {
      if (!changes.some(({ type }) => type === 'session.removed' || type === 'session.refreshed')) return;
      era += 1;
      held.clear();
      reads.clear();
    },
  };
}

interface Held {
  readonly session: LiveSession | undefined;
  readonly readAt: number;
}

/** Joins callers that ask for the same at the same time. */
function once(
  running: Map<string, Promise<LiveSession | undefined>>,
  id: string,
  work: (id: string) => Promise<LiveSession | undefined>,
): Promise<LiveSession | undefined> {
  const present = running.get(id);
  if (present !== undefined) return present;
  const started = work(id).finally(() => {
    if (running.get(id) === started) running.delete(id);
  });
  running.set(id, started);
  return started;
}

function liveSession(stored: Session | undefined): LiveSession | undefined {
  if (stored === undefined) return undefined;
  const { refreshToken, idToken: _hint, ...session } = stored;
  return { ...session, refreshable: refreshToken !== undefined };
}

/** UTF-16 code units, near enough to bytes to bound memory by. */
function sizeOf(session: LiveSession | undefined): number {
  if (session === undefined) return 64;
  return 512 + (session.accessToken?.length ?? 0) + JSON.stringify(session.claims).length;
}

const TRUSTED_MS = 800;
const TOUCH_EVERY_MS = 60_000;
const MOST_TOUCHED = 100_000;
const LARGEST_ENTRY = 256 * 1024;
