import { once } from 'node:events';
import { openRecords, type RecordsSettings } from './open-records.ts';
import { createSealer } from './sealer.ts';
import type { Records } from './stores.ts';
import { keyOf, signingKeyNamed, unique } from './test-records.ts';

/** What one of several processes does with the records they share. */
export interface RacerTask {
  readonly settings: RecordsSettings;
  readonly sealingKey: readonly number[];
  readonly does: 'race' | 'create keys for ever';
  readonly consumerId: string;
  readonly names: readonly string[];
}

/** How often this process was told that it was first. */
export interface RacerAnswer {
  readonly consumed: number;
  readonly rotated: number;
  readonly updated: number;
  readonly madeFirstKey: number;
}

async function race(records: Records, task: RacerTask): Promise<RacerAnswer> {
  const { artifacts, keys, sessions, signingKeys } = records;
  const found = new Map(
    await Promise.all(task.names.map(async (name) => [name, await sessions.find(`session ${name}`)] as const)),
  );
  process.send?.('ready');
  await once(process, 'message');
  let [consumed, rotated, updated, madeFirstKey] = [0, 0, 0, 0];
  for (const name of task.names) {
    if (await artifacts.consume('RefreshToken', `artifact ${name}`, Date.now())) consumed += 1;
    const rotation = { oldId: `key ${name}`, newKey: keyOf(task.consumerId), overlapUntil: Date.now() + 60_000 };
    const event = { type: 'key.rotated', actor: 'system', subject: `key:${name}` } as const;
    if (await keys.rotate(rotation, [event])) rotated += 1;
    const session = found.get(name);
    if (session !== undefined && (await sessions.update({ ...session, accessToken: `of ${process.pid}` }, [])))
      updated += 1;
    await signingKeys.rotate('oauth', (present) => {
      if (present.length > 0) return { keys: present, events: [] };
      madeFirstKey += 1;
      return { keys: [signingKeyNamed(unique('kid'))], events: [] };
    });
  }
  return { consumed, rotated, updated, madeFirstKey };
}

async function createForEver(records: Records, task: RacerTask): Promise<never> {
  process.send?.('ready');
  for (;;) {
    const key = keyOf(task.consumerId);
    await records.keys.insert([key], [{ type: 'key.created', actor: 'system', subject: `key:${key.id}` }]);
    process.send?.(key.id);
  }
}

const task = JSON.parse(process.argv[2] ?? '') as RacerTask; // the tests hand it over as such
const sealer = createSealer([new Uint8Array(task.sealingKey)]);
const records = await openRecords(task.settings, { sealer, readOnly: false });
if (task.does === 'race') process.send?.(await race(records, task));
else await createForEver(records, task);
await records.close();
process.disconnect?.();
