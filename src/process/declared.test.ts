import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { renderFaults } from '../config/faults.ts';
import { type LoadResult, loadConfig } from '../config/load.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { hashClientSecret, newClient, readClientRequest } from '../identity/client-keeper.ts';
import { createKey } from '../identity/key-keeper.ts';
import { recordsWithConsumer } from '../identity/test-key-records.ts';
import { makeApiKey, parseApiKey } from '../lib/api-key.ts';
import type { Records } from '../stores/stores.ts';
import { declare } from './declared.ts';

const SECRET = 's'.repeat(32);
const OTHER_SECRET = 't'.repeat(32);
const ADMIN = { actor: 'admin:ada', source: 'admin' } as const;

test('what a file declares is made, with its audit records, and a second run changes nothing', async (context) => {
  const { records, run, news } = await ground(context);
  const key = makeApiKey('live').key;
  const file = {
    clients: [
      client({ id: 'cli', secret: SECRET }),
      client({ id: 'app', authentication: 'none', grants: ['device_code'] }),
    ],
    consumers: [consumer('acme', [{ name: 'main', key, scopes: ['a:b'] }], { tier: 'gold' })],
  };
  assert.deepEqual(await run(file), []);
  const made = await records.clients.find('cli');
  assert.equal(made?.secretHash, hashClientSecret(SECRET));
  assert.equal(made?.source, 'config');
  assert.equal((await records.clients.find('app'))?.secretHash, undefined);
  const found = await records.keys.find(idOf(key));
  assert.deepEqual(
    [found?.consumer.name, found?.consumer.metadata, found?.key.scopes, found?.key.source],
    ['acme', { tier: 'gold' }, ['a:b'], 'config'],
  );
  assert.deepEqual((await news()).sort(), [
    'client.created client:app',
    'client.created client:cli',
    'consumer.created consumer:config-acme',
    `key.created key:${idOf(key)}`,
  ]);
  for (let again = 0; again < 2; again += 1) assert.deepEqual(await run(file), []);
  assert.deepEqual(await news(), []);
});

test('what is different in the file is changed, and nothing else', async (context) => {
  const { records, run, news } = await ground(context);
  const [kept, changed] = [makeApiKey('live').key, makeApiKey('live').key];
  const keys = (scopes: readonly string[]) => [
    { name: 'kept', key: kept },
    { name: 'changed', key: changed, scopes },
  ];
  await run({ clients: [client({ id: 'cli', secret: SECRET })], consumers: [consumer('acme', keys([]))] });
  await news();
  assert.deepEqual(
    await run({
      clients: [client({ id: 'cli', secret: OTHER_SECRET, name: 'The client' })],
      consumers: [consumer('acme', keys(['a:b']), { tier: 'gold' })],
    }),
    [],
  );
  assert.deepEqual(await news(), [
    'client.updated client:cli',
    'consumer.updated consumer:config-acme',
    `key.removed key:${idOf(changed)}`,
    `key.created key:${idOf(changed)}`,
  ]);
  const made = await records.clients.find('cli');
  assert.deepEqual([made?.name, made?.secretHash], ['The client', hashClientSecret(OTHER_SECRET)]);
  assert.deepEqual((await records.keys.find(idOf(changed)))?.key.scopes, ['a:b']);
  assert.deepEqual((await records.consumers.findByName('acme'))?.metadata, { tier: 'gold' });
});

test('a client that loses its secret has none any more', async (context) => {
  const { records, run } = await ground(context);
  await run({ clients: [client({ id: 'cli', secret: SECRET })] });
  await run({ clients: [client({ id: 'cli', authentication: 'none', grants: ['device_code'] })] });
  assert.equal((await records.clients.find('cli'))?.secretHash, undefined);
});

test('what left the file is removed, with what the client was granted', async (context) => {
  const { records, run, news } = await ground(context);
  const [one, other] = [makeApiKey('live').key, makeApiKey('live').key];
  const keys = [
    { name: 'one', key: one },
    { name: 'other', key: other },
  ];
  await run({
    clients: [client({ id: 'cli', secret: SECRET })],
    consumers: [consumer('acme', keys), consumer('gone', [{ name: 'main', key: makeApiKey('live').key }])],
  });
  await records.artifacts.upsert({ ...GRANT, clientId: 'cli' });
  await news();
  assert.deepEqual(await run({ consumers: [consumer('acme', keys.slice(0, 1))] }), []);
  assert.deepEqual(await news(), [
    'client.removed client:cli',
    'consumer.removed consumer:config-gone',
    `key.removed key:${idOf(other)}`,
  ]);
  assert.equal(await records.artifacts.find('Grant', 'g'), undefined);
  assert.equal(await records.clients.find('cli'), undefined);
  assert.equal(await records.consumers.findByName('gone'), undefined);
  assert.notEqual(await records.keys.find(idOf(one)), undefined);
});

test('a consumer whose removal failed halfway is enabled once the file has it again', async (context) => {
  const { records, run, news } = await ground(context);
  const file = { consumers: [consumer('acme', [{ name: 'main', key: makeApiKey('live').key }])] };
  await run(file);
  await records.consumers.update('config-acme', { disabled: true }, []);
  await news();
  assert.deepEqual(await run(file), []);
  assert.equal((await records.consumers.findByName('acme'))?.disabled, false);
  assert.deepEqual(await news(), ['consumer.updated consumer:config-acme']);
});

test('a key whose secret changed under the same id is made anew', async (context) => {
  const { records, run } = await ground(context);
  const [old, made] = [makeApiKey('live').key, makeApiKey('test').key];
  const renamed = withId(made, idOf(old));
  await run({ consumers: [consumer('acme', [{ name: 'main', key: old }])] });
  assert.deepEqual(await run({ consumers: [consumer('acme', [{ name: 'main', key: renamed }])] }), []);
  assert.equal((await records.keys.find(idOf(old)))?.key.hash, parseApiKey(renamed)?.secretHash);
});

test('a key follows when its consumer gets another name', async (context) => {
  const { records, run } = await ground(context);
  const keys = [{ name: 'main', key: makeApiKey('live').key }];
  await run({ consumers: [consumer('acme', keys)] });
  assert.deepEqual(await run({ consumers: [consumer('acme-corp', keys)] }), []);
  assert.equal((await records.keys.find(idOf(keys[0]?.key ?? '')))?.consumer.name, 'acme-corp');
  assert.equal(await records.consumers.findByName('acme'), undefined);
});

test('a key may move to a consumer that stands before or behind its old one', async (context) => {
  const { records, run } = await ground(context);
  const keys = [{ name: 'main', key: makeApiKey('live').key }];
  for (const holder of ['behind', 'before', 'behind']) {
    const of = (name: string) => consumer(name, holder === name ? keys : []);
    assert.deepEqual(await run({ consumers: [of('before'), of('behind')] }), []);
    assert.equal((await records.keys.find(idOf(keys[0]?.key ?? '')))?.consumer.name, holder);
  }
});

test('what was made elsewhere is left alone, said to be in the way, and does not keep the rest from being done', async (context) => {
  const { records, run, news } = await ground(context);
  const read = readClientRequest({ id: 'theirs', name: 'Theirs', grant_types: ['client_credentials'], secret: SECRET });
  assert.ok('request' in read);
  const theirs = newClient(read.request, { source: 'admin', at: 1 }).client;
  await records.clients.create(theirs, []);
  const adopted = makeApiKey('live');
  const partners = {
    id: 'con_2',
    name: 'partners',
    metadata: {},
    disabled: false,
    source: 'admin',
    createdAt: 0,
  } as const;
  await records.consumers.create(partners, []);
  const elsewhere = await createKey(records, { consumerId: 'con_1', name: 'theirs', scopes: [] }, ADMIN);
  assert.ok(elsewhere.refusal === undefined);
  await news();
  const faults = await run({
    clients: [client({ id: 'theirs', secret: OTHER_SECRET }), client({ id: 'cli', secret: SECRET })],
    consumers: [
      consumer('partners', [{ name: 'main', key: adopted.key }]),
      consumer('acme', [{ name: 'stolen', key: elsewhere.text }]),
    ],
  });
  assert.equal(faults.length, 3);
  assert.match(faults[0] ?? '', /^the client theirs was made elsewhere already; remove it there/);
  assert.match(faults[1] ?? '', /^the consumer partners was made elsewhere already/);
  assert.match(faults[2] ?? '', /^the key stolen of the consumer acme: there is another key with the id/);
  assert.ok(!faults.join().includes(elsewhere.text), 'no fault shows a key');
  assert.deepEqual(await news(), ['client.created client:cli', 'consumer.created consumer:config-acme']);
  assert.deepEqual(await records.clients.find('theirs'), theirs);
  assert.equal((await records.keys.find(elsewhere.key.id))?.consumer.id, 'con_1');
  // Nor does a file that declares nothing remove them.
  await run({});
  assert.deepEqual(await records.clients.find('theirs'), theirs);
  assert.deepEqual(await records.consumers.find('con_2'), partners);
});

test('keys that were made by the command line for a declared consumer stay', async (context) => {
  const { records, run, news } = await ground(context);
  const declared = { name: 'main', key: makeApiKey('live').key };
  await run({ consumers: [consumer('acme', [declared])] });
  const made = await createKey(records, { consumerId: 'config-acme', name: 'by hand', scopes: [] }, ADMIN);
  assert.ok(made.refusal === undefined);
  await news();
  assert.deepEqual(await run({ consumers: [consumer('acme', [declared])] }), []);
  assert.deepEqual(await news(), []);
  assert.notEqual(await records.keys.find(made.key.id), undefined);
  const faults = await run({ consumers: [consumer('acme', [declared, { name: 'taken', key: made.text }])] });
  assert.match(faults.join(), /^the key taken of the consumer acme was made elsewhere already/);
  assert.equal((await records.keys.find(made.key.id))?.key.source, 'admin');
});

test('more declarations than one page of a listing holds are all seen', async (context) => {
  const { records, run, news } = await ground(context);
  const many = Array.from({ length: 205 }, (_, at) => consumer(`many-${at}`, []));
  await run({ consumers: many });
  await news();
  await run({ consumers: [] });
  assert.equal((await news()).length, 205);
  assert.equal((await records.consumers.list({ limit: 10 })).items.length, 1, 'the one that was made elsewhere');
});

test('a client that proves itself by a secret it does not have is no configuration', async () => {
  const result = await load({ clients: [client({ id: 'cli', authentication: 'client_secret_basic' })] });
  assert.ok(!result.ok);
  assert.match(renderFaults('sallyport.yaml', result.faults), /secret.*is missing, and client_secret_basic takes one/);
});

interface Declarations {
  readonly clients?: readonly object[];
  readonly consumers?: readonly object[];
}

async function ground(context: TestContext) {
  const records: Records = await recordsWithConsumer(context);
  let seq = (await records.audit.head()).seq;
  return {
    records,
    run: async (file: Declarations) => declare(records, await configOf(file)),
    /** The audit records since the last call. */
    async news(): Promise<string[]> {
      const fresh = await records.audit.after(seq, 1_000);
      seq = fresh.at(-1)?.seq ?? seq;
      return fresh.map(({ type, subject }) => `${type} ${subject}`);
    },
  };
}

async function configOf(file: Declarations): Promise<GatewayConfig> {
  const result = await load(file);
  assert.ok(result.ok, result.ok ? '' : renderFaults('sallyport.yaml', result.faults));
  return result.config;
}

async function load({ clients = [], consumers = [] }: Declarations): Promise<LoadResult> {
  const text = JSON.stringify({
    listeners: [{ name: 'public', address: '127.0.0.1:8443' }],
    apis: [{ name: 'widgets', upstream: 'http://127.0.0.1:4000', authenticate: 'none' }],
    authorizationServer: { issuer: 'https://localhost:8443/oauth', scopes: { 'a:b': 'Widgets' }, clients },
    consumers,
  });
  return loadConfig('/etc/sallyport/sallyport.yaml', {
    env: {},
    dev: false,
    readFile: async () => new TextEncoder().encode(text), // JSON is YAML
  });
}

function client(facts: object): object {
  return { grants: ['client_credentials'], scopes: ['a:b'], ...facts };
}

function consumer(name: string, keys: readonly object[], metadata: object = {}): object {
  return { name, keys, metadata };
}

function idOf(key: string): string {
  return parseApiKey(key)?.id ?? assert.fail('no key');
}

/** The key with another id, and the checksum that fits it then. */
function withId(key: string, id: string): string {
  const [prefix, environment, , secret = ''] = key.split('_');
  const text = `${prefix}_${environment}_${id}_${secret.slice(0, -6)}`;
  let rest = crc32(text);
  let digits = '';
  for (let at = 0; at < 6; at += 1) {
    digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return text + digits;
}

const GRANT = {
  model: 'Grant',
  id: 'g',
  payload: {},
  expiresAt: undefined,
  grantId: 'g',
  userCode: undefined,
  uid: undefined,
  accountId: 'alice',
} as const;
