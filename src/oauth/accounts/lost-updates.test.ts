import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { hashPassword } from '../../identity/password.ts';
import type { Passkey } from '../../stores/stores.ts';
import { PASSWORD, type SignInServer, startSignInServer } from './test-sign-in-server.ts';
import { formsOf, openVisitor, type PageVisit, type Visitor } from './test-visitor.ts';

/** Of the word "password", with parameters that are not those of today. */
const OLD_HASH = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';

describe('what somebody else changed right before an account is written', () => {
  let at: SignInServer;
  /** Happens once, between what the server has read and what it writes. */
  let meanwhile: (() => Promise<unknown>) | undefined;
  async function pass(): Promise<void> {
    const act = meanwhile;
    meanwhile = undefined;
    await act?.();
  }
  before(async () => {
    at = await startSignInServer({
      records: (real) => ({
        ...real,
        users: {
          ...real.users,
          update: async (...change) => await pass().then(() => real.users.update(...change)),
          amend: async (...change) => await pass().then(() => real.users.amend(...change)),
        },
      }),
    });
  });
  after(() => at.close());

  async function enter(username: string): Promise<{ readonly visitor: Visitor; readonly page: PageVisit }> {
    const visitor = openVisitor(at);
    const page = await visitor.get(`${at.issuer}/account`);
    return { visitor, page: await visitor.submit(page, 'password', { username, password: PASSWORD }) };
  }

  function passkeyNamed(id: string, publicKey = 'AA'): Passkey {
    return { id, publicKey, counter: 1, transports: [], name: id, createdAt: 0 };
  }

  test('a passkey that was removed does not come back when another is removed', async () => {
    const user = await at.addUser('ada');
    const { visitor, page } = await enter('ada');
    const [one, two] = [passkeyNamed('ada-one'), passkeyNamed('ada-two')];
    await at.records.users.update(user.id, { passkeys: [one, two] }, []);
    const shown = await visitor.get(page.url);
    meanwhile = () => at.records.users.update(user.id, { passkeys: [one] }, []);
    await visitor.submit(shown, 'remove-passkey', { passkey: one.id });
    assert.deepEqual((await at.records.users.find(user.id))?.passkeys, []);
  });

  test('the last way into an account stays, whichever goes first', async () => {
    const user = await at.addUser('bea');
    const { visitor, page } = await enter('bea');
    const [one, two] = [passkeyNamed('bea-one'), passkeyNamed('bea-two')];
    await at.records.users.update(user.id, { passkeys: [one, two], passwordHash: undefined }, []);
    const shown = await visitor.get(page.url);
    meanwhile = () => at.records.users.update(user.id, { passkeys: [one] }, []);
    const refused = await visitor.submit(shown, 'remove-passkey', { passkey: one.id });
    assert.match(refused.body, /was changed meanwhile/);
    assert.deepEqual((await at.records.users.find(user.id))?.passkeys, [one]);
  });

  test('a password that was reset is not put over by who knew the one before', async () => {
    const user = await at.addUser('cleo');
    const { visitor, page } = await enter('cleo');
    const passwordHash = await hashPassword('another harbour, another dawn');
    meanwhile = () => at.records.users.update(user.id, { passwordHash }, []);
    const fields = { current: PASSWORD, new: 'a harbour that is not theirs' };
    assert.match((await visitor.submit(page, 'change-password', fields)).body, /was changed meanwhile/);
    assert.equal((await at.records.users.find(user.id))?.passwordHash, passwordHash);
  });

  test('nor by a sign-in that brings the hash of the one before up to date', async () => {
    const user = await at.addUser('dora', { passwordHash: OLD_HASH });
    const passwordHash = await hashPassword('another harbour, another dawn');
    meanwhile = () => at.records.users.update(user.id, { passwordHash }, []);
    const visitor = openVisitor(at);
    const page = await visitor.get(`${at.issuer}/account`);
    await visitor.submit(page, 'password', { username: 'dora', password: 'password' });
    assert.equal((await at.records.users.find(user.id))?.passwordHash, passwordHash);
  });

  test('a passkey that was removed does not come back when another counts its use', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const one = passkeyNamed('ZXJpbi1vbmU', coseKeyOf(publicKey.export({ format: 'jwk' })));
    const user = await at.addUser('erin', { passkeys: [one, passkeyNamed('erin-two')] });
    const visitor = openVisitor(at);
    const page = await visitor.get(`${at.issuer}/account`);
    const form = formsOf(page).find(({ fields }) => fields['action'] === 'passkey');
    assert(form);
    const challenge = /challenge&quot;:&quot;([\w-]+)/.exec(page.body)?.[1] ?? '';
    meanwhile = () => at.records.users.update(user.id, { passkeys: [one] }, []);
    const answer = answerOf({ id: one.id, challenge, origin: new URL(at.issuer).origin }, (data) =>
      sign('sha256', data, privateKey),
    );
    const entered = await visitor.post(form.action, { ...form.fields, answer });
    assert.match(entered.body, /Signed in as/);
    assert.deepEqual((await at.records.users.find(user.id))?.passkeys, [{ ...one, counter: 2 }]);
  });
});

/** A P-256 key as COSE has it (RFC 9053 §7.1.1), base64url. */
function coseKeyOf({ x = '', y = '' }: { readonly x?: string; readonly y?: string }): string {
  const [head, xHead, yHead] = [
    [0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01],
    [0x21, 0x58, 0x20],
    [0x22, 0x58, 0x20],
  ].map((bytes) => Buffer.from(bytes));
  assert(head !== undefined && xHead !== undefined && yHead !== undefined);
  const key = [head, xHead, Buffer.from(x, 'base64url'), yHead, Buffer.from(y, 'base64url')];
  return Buffer.concat(key).toString('base64url');
}

/** What a device answers that holds the passkey and has verified the person, at its second use (Web Authentication §6.3.3). */
function answerOf(
  asked: { readonly id: string; readonly challenge: string; readonly origin: string },
  signed: (data: Buffer) => Buffer,
): string {
  const { id, challenge, origin } = asked;
  const client = Buffer.from(JSON.stringify({ type: 'webauthn.get', challenge, origin }));
  const flagsAndCount = Buffer.from([0x05, 0, 0, 0, 2]);
  const device = Buffer.concat([sha256(new URL(origin).hostname), flagsAndCount]);
  const signature = signed(Buffer.concat([device, sha256(client)]));
  return JSON.stringify({
    id,
    rawId: id,
    type: 'public-key',
    clientExtensionResults: {},
    response: {
      clientDataJSON: client.toString('base64url'),
      authenticatorData: device.toString('base64url'),
      signature: signature.toString('base64url'),
    },
  });
}

function sha256(data: string | Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}
