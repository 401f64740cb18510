import { keyRecord } from '../identity/key-keeper.ts';
import { ADMIN_API, ADMIN_ENVIRONMENT } from '../lib/admin-place.ts';
import { makeApiKey } from '../lib/api-key.ts';
import type { AuditEvent } from '../stores/audit.ts';
import { type ApiKey, Conflict, type Consumer, NotFound, type Records } from '../stores/stores.ts';

/** Always the same two, so that processes which start at once on the same records meet on them. */
const CONSUMER_ID = 'con_sallyport-admin';
const PLACE_ID = 'AdminBootstr';

/**
 * Makes the first credential of the admin API where there never was one, and resolves with its text, to be printed once;
 * undefined where there is nothing to do. Of several processes exactly one gets a text: a key that nobody knows holds the
 * place, and the rotation that puts the real key there succeeds once. What a crash leaves behind before that, the next start
 * takes up. Removing the key does not bring it back: the audit log remembers.
 */
export async function bootstrapAdmin(
  records: Pick<Records, 'consumers' | 'keys' | 'audit'>,
  now: number = Date.now(),
): Promise<{ readonly text: string; readonly id: string } | undefined> {
  const past = await records.audit.list({ type: 'admin.bootstrap' }, { limit: 1 });
  if (past.items.length > 0) return undefined;
  const consumer: Consumer = {
    id: CONSUMER_ID,
    name: ADMIN_API,
    metadata: { purpose: 'first credential of the admin API' },
    disabled: false,
    source: 'admin',
    createdAt: now,
  };
  await unlessThere(() =>
    records.consumers.create(consumer, [event('consumer.created', `consumer:${CONSUMER_ID}`, { name: ADMIN_API })]),
  );
  const place = adminKey(now, { ...makeApiKey(ADMIN_ENVIRONMENT), id: PLACE_ID });
  const free = await unlessThere(() => records.keys.insert([place], []));
  // The name stands for another consumer: who declared that has a way in.
  if (free === 'no consumer') return undefined;

  const { key: text, ...made } = makeApiKey(ADMIN_ENVIRONMENT);
  const key = adminKey(now, made);
  const won = await records.keys.rotate({ oldId: PLACE_ID, newKey: key, overlapUntil: now }, [
    event('admin.bootstrap', `key:${key.id}`, { consumer: CONSUMER_ID }),
    event('key.created', `key:${key.id}`, { consumer: CONSUMER_ID, scopes: key.scopes, apis: [ADMIN_API] }),
  ]);
  return won ? { text, id: key.id } : undefined;
}

function adminKey(
  now: number,
  made: { readonly id: string; readonly environment: string; readonly secretHash: string },
): ApiKey {
  return keyRecord(
    {
      consumerId: CONSUMER_ID,
      name: 'bootstrap',
      scopes: ['admin'],
      apis: [ADMIN_API],
      cidrs: undefined,
      metadata: {},
      expiresAt: undefined,
    },
    made,
    { source: 'admin', now },
  );
}

async function unlessThere(make: () => Promise<void>): Promise<'made' | 'there' | 'no consumer'> {
  try {
    await make();
    return 'made';
  } catch (error) {
    if (error instanceof Conflict) return 'there';
    if (error instanceof NotFound) return 'no consumer';
    throw error;
  }
}

function event(type: AuditEvent['type'], subject: string, detail: AuditEvent['detail']): AuditEvent {
  return { type, actor: 'system', subject, detail };
}
