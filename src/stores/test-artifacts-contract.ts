import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sessionName } from './session-name.ts';
import type { Records } from './stores.ts';
import { artifactNamed, sessionNamed, type TestDatabase, unique } from './test-records.ts';

/** What the authorization server and the logins keep between requests. */
export function artifactsContract(records: () => Records, database: () => TestDatabase): void {
  describe('artifacts', () => {
    it('are found by id, user code and uid within their model, until they expire', async () => {
      const { artifacts } = records();
      const artifact = artifactNamed(unique('a'), {
        grantId: unique('g'),
        userCode: unique('code'),
        uid: unique('uid'),
        accountId: 'ada',
        clientId: 'app',
      });
      await artifacts.upsert(artifact);
      const stored = { ...artifact, consumedAt: undefined };
      assert.deepEqual(await artifacts.find(artifact.model, artifact.id), stored);
      assert.deepEqual(await artifacts.findByUserCode(artifact.model, artifact.userCode ?? ''), stored);
      assert.deepEqual(await artifacts.findByUid(artifact.model, artifact.uid ?? ''), stored);
      assert.equal(await artifacts.find('AccessToken', artifact.id), undefined);
      assert.equal(await artifacts.findByUserCode('AccessToken', artifact.userCode ?? ''), undefined);
      assert.equal(await artifacts.find(artifact.model, '\0'), undefined);
      const expired = { ...artifact, expiresAt: Date.now() - 1 };
      await artifacts.upsert(expired);
      assert.equal(await artifacts.find(artifact.model, artifact.id), undefined);
      assert.equal(await artifacts.findByUid(artifact.model, artifact.uid ?? ''), undefined);
      assert.equal(await artifacts.consume(artifact.model, artifact.id, 1), false);
    });

    it('are consumed once, and stay consumed when they are written again', async () => {
      const { artifacts } = records();
      const artifact = artifactNamed(unique('a'));
      await artifacts.upsert(artifact);
      assert.equal(await artifacts.consume(artifact.model, artifact.id, 11), true);
      assert.equal(await artifacts.consume(artifact.model, artifact.id, 12), false);
      await artifacts.upsert({ ...artifact, payload: { changed: true }, expiresAt: undefined });
      const found = await artifacts.find(artifact.model, artifact.id);
      assert.deepEqual(found, { ...artifact, payload: { changed: true }, expiresAt: undefined, consumedAt: 11 });
      await artifacts.destroy(artifact.model, artifact.id);
      await artifacts.destroy(artifact.model, artifact.id);
      assert.equal(await artifacts.consume(artifact.model, artifact.id, 13), false);
    });

    it('are replaced once, by one successor', async () => {
      const { artifacts } = records();
      const first = artifactNamed(unique('a'));
      await artifacts.upsert(first);
      const successors = [1, 2, 3].map((number) => artifactNamed(unique(`b${number}`)));
      const outcomes = await Promise.all(
        successors.map(async (successor) => await artifacts.replace({ ...first, at: 11 }, successor)),
      );
      assert.deepEqual(outcomes.toSorted(), [false, false, true]);
      assert.equal((await artifacts.find(first.model, first.id))?.consumedAt, 11);
      for (const [index, { model, id }] of successors.entries()) {
        const found = await artifacts.find(model, id);
        assert.equal(found !== undefined, outcomes[index], 'a successor is there without its turn, or is missing');
      }
      const late = artifactNamed(unique('b'));
      assert.equal(await artifacts.replace({ model: first.model, id: 'never there', at: 12 }, late), false);
      assert.equal(await artifacts.find(late.model, late.id), undefined);
    });

    it('go with their grant', async () => {
      const { artifacts } = records();
      const grantId = unique('g');
      await artifacts.upsert(artifactNamed(grantId, { model: 'Grant' }));
      const [code, token] = [
        artifactNamed(unique('a'), { model: 'AuthorizationCode', grantId }),
        artifactNamed(unique('a'), { grantId }),
      ];
      const other = artifactNamed(unique('a'), { grantId: unique('g') });
      for (const artifact of [code, token, other]) await artifacts.upsert(artifact);
      await artifacts.revokeGrant(grantId, []);
      for (const { model, id } of [code, token, { model: 'Grant', id: grantId }]) {
        assert.equal(await artifacts.find(model, id), undefined);
      }
      assert.notEqual(await artifacts.find(other.model, other.id), undefined);
    });

    it('go with their account or client, and with them all that their grants gave', async () => {
      const { artifacts } = records();
      const [account, client] = [unique('u'), unique('c')];
      const [grant, otherGrant] = [unique('g'), unique('g')];
      const own = artifactNamed(unique('a'), { accountId: account, clientId: client, grantId: grant });
      const ofGrant = artifactNamed(unique('a'), { grantId: grant });
      const browser = artifactNamed(unique('a'), { model: 'Session', accountId: account });
      const elsewhere = artifactNamed(unique('a'), { accountId: account, clientId: unique('c'), grantId: otherGrant });
      const all = [own, ofGrant, browser, elsewhere];
      for (const artifact of all) await artifacts.upsert(artifact);
      const present = async (): Promise<readonly boolean[]> =>
        await Promise.all(all.map(async ({ model, id }) => (await artifacts.find(model, id)) !== undefined));
      assert.deepEqual(await artifacts.revokeAll({ accountId: account, clientId: client }, []), [grant]);
      assert.deepEqual(await present(), [false, false, true, true]);
      assert.deepEqual(await artifacts.revokeAll({ accountId: account }, []), [otherGrant]);
      assert.deepEqual(await present(), [false, false, false, false]);
      assert.deepEqual(await artifacts.revokeAll({ clientId: client }, []), []);
      await assert.rejects(artifacts.revokeAll({}, []), TypeError);
    });

    it('are listed by owner, without what has expired, and swept', async () => {
      const { artifacts } = records();
      const accountId = unique('u');
      const alive = [artifactNamed(unique('a'), { accountId }), artifactNamed(unique('a'), { accountId })];
      const expired = Array.from({ length: 3 }, () => artifactNamed(unique('a'), { accountId, expiresAt: 1_000 }));
      for (const artifact of [...alive, ...expired]) await artifacts.upsert(artifact);
      const first = await artifacts.list({ model: 'RefreshToken', accountId }, { limit: 1 });
      const second = await artifacts.list({ model: 'RefreshToken', accountId }, { limit: 1, after: first.next });
      assert.deepEqual(
        [...first.items, ...second.items].map((item) => item.id).sort(),
        alive.map((artifact) => artifact.id).sort(),
      );
      assert.equal(second.next, undefined);
      assert.equal(await artifacts.sweep(999), 0);
      assert.equal(await artifacts.sweep(1_000), 3);
    });

    it('are swept however many have expired', async () => {
      const columns = "select 'swept ' || i, 'AccessToken', '', 500 from n";
      const numbers = 'with recursive n(i) as (select 1 union all select i + 1 from n where i < 2500)';
      await database().execute(`insert into artifacts (id_hash, model, sealed, expires_at) ${numbers} ${columns}`);
      assert.equal(await records().artifacts.sweep(500), 2_500);
    });
  });

  describe('sessions', () => {
    it('are found until they end, by whichever end comes first', async () => {
      const { sessions } = records();
      const session = sessionNamed(unique('s'), { sid: unique('sid'), idToken: 'id-token', tokenExpiresAt: undefined });
      await sessions.create(session, []);
      assert.deepEqual(await sessions.find(session.id), session);
      assert.equal(await sessions.find(unique('s')), undefined);
      for (const end of [{ expiresAt: Date.now() - 1 }, { idleUntil: Date.now() - 1 }]) {
        const ended = sessionNamed(unique('s'), end);
        await sessions.create(ended, []);
        assert.equal(await sessions.find(ended.id), undefined);
        assert.equal(
          await sessions.update({ ...ended, idleUntil: Date.now() + 9_999, expiresAt: Date.now() + 9_999 }, []),
          false,
        );
      }
    });

    it('are changed by who read them last', async () => {
      const { sessions } = records();
      const session = sessionNamed(unique('s'));
      await sessions.create(session, []);
      assert.equal(await sessions.update({ ...session, accessToken: 'second', refreshToken: undefined }, []), true);
      assert.equal(await sessions.update({ ...session, accessToken: 'too late' }, []), false);
      const found = await sessions.find(session.id);
      assert.deepEqual(found, { ...session, accessToken: 'second', refreshToken: undefined, version: 2 });
      assert.equal(await sessions.update({ ...session, id: unique('s') }, []), false);
    });

    it('are removed by id, by hashed id, and by the word of their provider', async () => {
      const { sessions } = records();
      const [subject, sid] = [unique('sub'), unique('sid')];
      const make = async (change = {}) => {
        const session = sessionNamed(unique('s'), { subject, ...change });
        await sessions.create(session, []);
        return session;
      };
      const [one, other, named] = [await make(), await make({ issuer: 'https://other' }), await make({ sid })];
      const listed = await sessions.list({ subject }, { limit: 10 });
      assert.equal(listed.items.length, 3);
      assert.ok(listed.items.every((item) => ![one.id, other.id, named.id].includes(item.id)));
      assert.equal(await sessions.removeBySid({ issuer: named.issuer, sid }, []), 1);
      assert.equal(await sessions.find(named.id), undefined);
      assert.equal(await sessions.removeBySid({ issuer: one.issuer, subject }, []), 1);
      assert.notEqual(await sessions.find(other.id), undefined);
      const [left] = (await sessions.list({ subject }, { limit: 10 })).items;
      assert.equal(left?.id, sessionName(other.id));
      for (const name of ['', other.id, '\0']) assert.equal(await sessions.removeByName(name, []), false);
      assert.equal(await sessions.removeByName(sessionName(other.id), []), true);
      assert.equal(await sessions.removeByName(sessionName(other.id), []), false);
      assert.equal(await sessions.find(other.id), undefined);
      const last = await make();
      assert.equal(await sessions.remove(last.id, []), true);
      assert.equal(await sessions.remove(last.id, []), false);
      await assert.rejects(sessions.removeBySid({ issuer: one.issuer }, []), TypeError);
    });

    it('are swept when they have ended', async () => {
      const { sessions } = records();
      await sessions.create(sessionNamed(unique('s'), { expiresAt: 100 }), []);
      await sessions.create(sessionNamed(unique('s'), { idleUntil: 100 }), []);
      assert.equal(await sessions.sweep(99), 0);
      assert.equal(await sessions.sweep(100), 2);
    });
  });
}
