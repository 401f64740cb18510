import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestGateway } from './gateway.ts';
import { type AdminAnswer, askAdmin, CALLBACK, makeThrough } from './identity-gateway.ts';
import { type ClientCredentials, refresh, signIn } from './identity-tokens.ts';

/** What clients of a gateway know they were answered. */
export interface Ground {
  readonly dataDir: string;
  readonly issuer: string;
  readonly client: ClientCredentials;
  /** Text of each key whose making was acknowledged, by its id; successors too. */
  readonly keys: Map<string, string>;
  /** Of each acknowledged rotation: the old key's id → the new one's. */
  readonly rotated: Map<string, string>;
  /** Keys whose rotation had no answer: whether they were rotated nobody knows. */
  readonly doubtful: Set<string>;
  readonly families: Family[];
  /** Changes that were acknowledged, of all kinds. */
  acknowledged: number;
}

/** A chain of refresh tokens, each made by the one before. */
export interface Family {
  /** The newest that was acknowledged. */
  token: string;
  /** The one before it. */
  spent: string | undefined;
  /** Whether the newest was sent and not answered: then it, or a successor nobody has, counts. */
  inDoubt: boolean;
}

const PERSON = { username: 'ada', password: 'a quiet harbour at dawn' };

export async function prepareGround(dataDir: string, issuer: string, families: number): Promise<Ground> {
  await makeThrough(dataDir, '/consumers', { name: 'acme' });
  await makeThrough(dataDir, '/users', PERSON);
  const fields = { name: 'App', grant_types: ['authorization_code', 'refresh_token'], redirect_uris: [CALLBACK] };
  const made = await makeThrough(dataDir, '/clients', { ...fields, scope: 'openid offline_access widgets:read' });
  const client = { id: String(made.id), secret: String(made.secret ?? made.client_secret) };
  const ground: Ground = {
    dataDir,
    issuer,
    client,
    keys: new Map(),
    rotated: new Map(),
    doubtful: new Set(),
    families: [],
    acknowledged: 0,
  };
  for (let family = 0; family < families; family += 1) ground.families.push(await newFamily(ground));
  return ground;
}

export async function newFamily({ issuer, client }: Ground): Promise<Family> {
  const { refreshToken } = await signIn(issuer, client, PERSON);
  return { token: refreshToken, spent: undefined, inDoubt: false };
}

/** Creates keys, rotates keys and refreshes tokens side by side, and kills the gateway once so many more are acknowledged. */
export async function workUntilKilled(gateway: TestGateway, ground: Ground, changes: number): Promise<void> {
  const enough = ground.acknowledged + changes;
  const clients = [
    ...Array.from({ length: 5 }, () => createKeys(ground)),
    ...Array.from({ length: 3 }, () => rotateKeys(ground)),
    ...ground.families.map((family) => refreshTokens(ground, family)),
  ];
  const working = Promise.all(clients);
  working.catch(() => {}); // awaited below; until then a failure must not end the process
  while (ground.acknowledged < enough) await Promise.race([delay(2), working]);
  gateway.process.kill('SIGKILL');
  await once(gateway.process, 'exit');
  await working;
}

async function createKeys(ground: Ground): Promise<void> {
  for (;;) {
    const answer = await askUnlessKilled(ground, '/consumers/acme/keys', { name: 'made' });
    if (answer === undefined) return;
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    ground.keys.set(String(answer.body.id), String(answer.body.key));
    ground.acknowledged += 1;
  }
}

async function rotateKeys(ground: Ground): Promise<void> {
  for (;;) {
    const id = [...ground.keys.keys()].find((key) => !ground.rotated.has(key) && !ground.doubtful.has(key));
    if (id === undefined) {
      await delay(5);
      continue;
    }
    ground.doubtful.add(id);
    const answer = await askUnlessKilled(ground, `/keys/${id}/rotate`, { overlap: '0s' });
    if (answer === undefined) return;
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    ground.doubtful.delete(id);
    ground.rotated.set(id, String(answer.body.id));
    ground.keys.set(String(answer.body.id), String(answer.body.key));
    ground.acknowledged += 1;
  }
}

async function refreshTokens(ground: Ground, family: Family): Promise<void> {
  for (;;) {
    family.inDoubt = true;
    const answer = await refresh(ground.issuer, ground.client, family.token).catch(() => undefined);
    if (answer === undefined) return;
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    Object.assign(family, { token: String(answer.body.refresh_token), spent: family.token, inDoubt: false });
    ground.acknowledged += 1;
    await delay(10);
  }
}

/** Undefined where the gateway was killed before it answered. */
function askUnlessKilled(ground: Ground, path: string, body: object): Promise<AdminAnswer | undefined> {
  return askAdmin(ground.dataDir, 'POST', path, body).catch(() => undefined);
}
