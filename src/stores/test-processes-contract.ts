import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { openRecords } from './open-records.ts';
import { SCHEMA_VERSION } from './records/migrate.ts';
import { createSealer } from './sealer.ts';
import type { Records } from './stores.ts';
import type { RacerAnswer, RacerTask } from './test-racer.ts';
import {
  artifactNamed,
  clientNamed,
  consumerNamed,
  keyOf,
  type RecordsHarness,
  sessionNamed,
  signingKeyNamed,
  type TestDatabase,
  unique,
  userNamed,
} from './test-records.ts';

/** Several processes on one database, their end at any moment, and the exchange of keys and versions. */
export function processesContract(harness: RecordsHarness, sealingKey: Uint8Array): void {
  const sealer = createSealer([sealingKey]);
  const withRecords = async (work: (records: Records, database: TestDatabase) => Promise<void>): Promise<void> => {
    const database = await harness.create();
    const records = await openRecords(database.settings, { sealer, readOnly: false });
    try {
      await work(records, database);
    } finally {
      await records.close();
    }
  };

  describe('several processes', () => {
    it('race, and one wins each time', async () => {
      await withRecords(async (records, database) => {
        const consumer = consumerNamed(unique('c'));
        await records.consumers.create(consumer, []);
        const names = Array.from({ length: 15 }, (_, index) => `${index}`);
        await records.keys.insert(
          names.map((name) => keyOf(consumer.id, { id: `key ${name}` })),
          [],
        );
        for (const name of names) {
          await records.artifacts.upsert(artifactNamed(`artifact ${name}`));
          await records.sessions.create(sessionNamed(`session ${name}`), []);
        }
        const task = { settings: database.settings, sealingKey: [...sealingKey], consumerId: consumer.id, names };
        const answers = await race({ ...task, does: 'race' }, 3);
        for (const won of ['consumed', 'rotated', 'updated', 'madeFirstKey'] as const) {
          const sum = answers.reduce((total, answer) => total + answer[won], 0);
          assert.equal(sum, won === 'madeFirstKey' ? 1 : names.length, won);
        }
        assert.equal((await records.signingKeys.list('oauth')).length, 1);
        assert.equal((await records.audit.verify()).intact, true);
      });
    });

    it('open a new database at the same moment', async () => {
      const { settings } = await harness.create();
      const all = await Promise.all(
        [1, 2, 3, 4].map(async () => await openRecords(settings, { sealer, readOnly: false })),
      );
      await Promise.all(all.map(async (records) => await records.audit.append([])));
      await all[0]?.artifacts.upsert(artifactNamed('shared'));
      for (const records of all) {
        assert.notEqual(await records.artifacts.find('RefreshToken', 'shared'), undefined);
        await records.close();
      }
    });

    it('may read only, and then change nothing', async () => {
      await withRecords(async (records, { settings }) => {
        const reader = await openRecords(settings, { sealer, readOnly: true });
        await records.consumers.create(consumerNamed('c'), []);
        assert.notEqual(await reader.consumers.find('c'), undefined);
        await assert.rejects(reader.consumers.remove('c', []), /reading only/);
        await reader.close();
      });
      await withRecords(async (_records, { settings, execute }) => {
        await execute('drop table schema_version');
        await assert.rejects(
          openRecords(settings, { sealer, readOnly: true }),
          new RegExp(`tables of version 0; ${SCHEMA_VERSION} is needed`),
        );
      });
    });

    it('are killed at any moment, and what they were told is done is there', async () => {
      await withRecords(async (records, database) => {
        const consumer = consumerNamed(unique('c'));
        await records.consumers.create(consumer, []);
        const task = { settings: database.settings, sealingKey: [...sealingKey], consumerId: consumer.id, names: [] };
        const child = start({ ...task, does: 'create keys for ever' });
        const acknowledged: string[] = [];
        child.on('message', (answer) => acknowledged.push(String(answer)));
        while (acknowledged.length < 100) await once(child, 'message');
        child.kill('SIGKILL');
        await once(child, 'exit');
        const again = await openRecords(database.settings, { sealer, readOnly: false });
        for (const id of acknowledged.slice(1)) assert.notEqual(await again.keys.find(id), undefined, id);
        const events = (await again.audit.list({ type: 'key.created' }, { limit: 1_000 })).items.length;
        assert.equal(events, await again.keys.count()); // each key with its event, or neither
        assert.equal((await again.audit.verify()).intact, true);
        await again.close();
      });
    });
  });

  describe('the database', () => {
    it('holds nothing in the clear that opens something', async () => {
      await withRecords(async (records, database) => {
        const secret = (what: string): string => `${what}-${randomBytes(12).toString('hex')}`;
        const secrets = [
          'id',
          'code',
          'uid',
          'payload',
          'session',
          'access',
          'refresh',
          'identity',
          'totp',
          'private',
        ].map(secret);
        const [
          id = '',
          userCode,
          uid,
          payload = '',
          session = '',
          accessToken,
          refreshToken,
          idToken,
          totpSecret,
          d = '',
        ] = secrets;
        await records.artifacts.upsert(artifactNamed(id, { userCode, uid, payload: { payload } }));
        await records.sessions.create(sessionNamed(session, { accessToken, refreshToken, idToken }), []);
        await records.users.create(userNamed('ada', { totpSecret }), []);
        await records.signingKeys.rotate('oauth', () => ({
          keys: [signingKeyNamed('k', { privateJwk: { d } })],
          events: [],
        }));
        const dump = await database.dump();
        assert.ok(dump.includes('ada@example.com'), 'the dump shows what is not secret');
        for (const text of secrets) assert.ok(!dump.includes(text), text);
      });
    });

    it('moves no sealed text to another row', async () => {
      await withRecords(async (records, database) => {
        await records.artifacts.upsert(artifactNamed('mine', { accountId: 'mallory' }));
        await records.artifacts.upsert(artifactNamed('theirs', { accountId: 'ada' }));
        const theirs = "(select sealed from artifacts where account_id = 'ada')";
        await database.execute(`update artifacts set sealed = ${theirs} where account_id = 'mallory'`);
        await assert.rejects(records.artifacts.find('RefreshToken', 'mine'), /belongs elsewhere/);
      });
    });

    it('is opened with an exchanged sealing key, and then without the old one', async () => {
      await withRecords(async (records, { settings }) => {
        const user = userNamed('ada', { totpSecret: 'JBSWY3DPEHPK3PXP' });
        const [key, session, artifact] = [signingKeyNamed('k'), sessionNamed('s'), artifactNamed('a')];
        await records.users.create(user, []);
        await records.signingKeys.rotate('oauth', () => ({ keys: [key], events: [] }));
        await records.sessions.create(session, []);
        await records.artifacts.upsert(artifact);
        await records.audit.append([{ type: 'config.applied', actor: 'config', subject: '' }]);
        const next = randomBytes(32);
        const stranger = createSealer([next]);
        await assert.rejects(openRecords(settings, { sealer: stranger, readOnly: false }), /another sealing key/);
        const both = await openRecords(settings, { sealer: createSealer([next, sealingKey]), readOnly: false });
        await both.close();
        const exchanged = await openRecords(settings, { sealer: stranger, readOnly: false });
        assert.deepEqual(await exchanged.users.find(user.id), user);
        assert.deepEqual(await exchanged.signingKeys.list('oauth'), [key]);
        assert.deepEqual(await exchanged.sessions.find('s'), session);
        assert.deepEqual(await exchanged.artifacts.find(artifact.model, 'a'), { ...artifact, consumedAt: undefined });
        assert.equal((await exchanged.audit.verify()).intact, true);
        await exchanged.close();
      });
    });

    it('is opened without the old sealing key, though a gateway went on with it after another had both', async () => {
      await withRecords(async (first, { settings }) => {
        const next = randomBytes(32);
        const both = createSealer([next, sealingKey]);
        await (await openRecords(settings, { sealer: both, readOnly: false })).close();
        const user = userNamed('ada', { totpSecret: 'JBSWY3DPEHPK3PXP' });
        await first.users.create(user, []);
        await first.signingKeys.rotate('oauth', () => ({ keys: [signingKeyNamed('k')], events: [] }));
        await (await openRecords(settings, { sealer: both, readOnly: false })).close();
        const exchanged = await openRecords(settings, { sealer: createSealer([next]), readOnly: false });
        assert.deepEqual(await exchanged.users.find(user.id), user);
        assert.equal((await exchanged.signingKeys.list('oauth')).length, 1);
        await exchanged.close();
      });
    });

    it('is given no new log where its own was taken out with all that held it', async () => {
      const wiped = 'delete from audit_log; delete from audit_head; delete from store_secrets';
      const rests: readonly ((records: Records) => Promise<unknown>)[] = [
        async (records) => await records.consumers.create(consumerNamed('c'), []),
        async (records) => await records.clients.create(clientNamed('c'), []),
        async (records) => await records.users.create(userNamed('ada'), []),
        async (records) => await records.artifacts.upsert(artifactNamed('a')),
        async (records) => await records.sessions.create(sessionNamed('s'), []),
        async (records) =>
          await records.signingKeys.rotate('oauth', () => ({ keys: [signingKeyNamed('k')], events: [] })),
      ];
      for (const leave of rests) {
        await withRecords(async (records, { settings, execute }) => {
          await records.audit.append([{ type: 'config.applied', actor: 'config', subject: '' }]);
          await leave(records);
          await execute(wiped);
          await assert.rejects(openRecords(settings, { sealer, readOnly: false }), /lost its own secret/);
          // Nothing was made half: the next start is refused as well.
          await assert.rejects(openRecords(settings, { sealer, readOnly: false }), /lost its own secret/);
        });
      }
      await withRecords(async (records, { settings, execute }) => {
        await records.audit.append([{ type: 'config.applied', actor: 'config', subject: '' }]);
        await execute('delete from audit_head; delete from store_secrets');
        await assert.rejects(openRecords(settings, { sealer, readOnly: false }), /lost its own secret/);
      });
    });

    it('is refused where a newer program wrote it, or its secret is gone', async () => {
      await withRecords(async (_records, { settings, execute }) => {
        await execute('update schema_version set version = 99');
        for (const readOnly of [false, true]) {
          await assert.rejects(openRecords(settings, { sealer, readOnly }), /newer Sallyport \(tables of version 99/);
        }
        await execute(`update schema_version set version = ${SCHEMA_VERSION}; delete from store_secrets`);
        await assert.rejects(openRecords(settings, { sealer, readOnly: false }), /lost its own secret/);
      });
    });
  });
}

function start(task: RacerTask): ChildProcess {
  return fork(new URL('./test-racer.ts', import.meta.url), [JSON.stringify(task)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

async function race(task: RacerTask, processes: number): Promise<readonly RacerAnswer[]> {
  const children = Array.from({ length: processes }, () => start(task));
  await Promise.all(children.map(async (child) => await once(child, 'message')));
  const answers = children.map(async (child) => (await once(child, 'message'))[0] as RacerAnswer); // its only other message
  for (const child of children) child.send('go');
  return await Promise.all(answers);
}
