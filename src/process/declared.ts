import { isDeepStrictEqual } from 'node:util';
import { clientRequestOf } from '../config/declared-clients.ts';
import type { ClientConfig, ConsumerConfig, GatewayConfig } from '../config/schema.ts';
import { hashClientSecret, newClient, readClientRequest } from '../identity/client-keeper.ts';
import { adoptKey } from '../identity/key-keeper.ts';
import { parseApiKey } from '../lib/api-key.ts';
import type { AuditEvent } from '../stores/audit.ts';
import type { Page, PageRequest } from '../stores/page.ts';
import type { ApiKey, Client, Consumer, Records } from '../stores/stores.ts';

const ACTOR = 'config';
const BY = { actor: ACTOR, source: 'config' } as const;

/**
 * Makes the records say what the file says of clients, consumers and keys: makes what is new, changes what is different and
 * removes what the file does not have any more. What was made elsewhere is left alone; where a name is taken by such a one,
 * that is a fault, and the rest is done all the same. Resolves with the faults as sentences.
 */
export async function declare(records: Records, config: GatewayConfig): Promise<readonly string[]> {
  const faults: string[] = [];
  await declareClients(records, config.authorizationServer?.clients ?? [], faults);
  await declareConsumers(records, config.consumers, faults);
  return faults;
}

async function declareClients(records: Records, declared: readonly ClientConfig[], faults: string[]): Promise<void> {
  for (const client of declared) {
    const read = readClientRequest(clientRequestOf(client));
    if ('faults' in read) throw new Error(`client ${client.id}: ${read.faults[0].message}`); // the load has checked it
    const { client: wanted } = newClient(read.request, { source: 'config', at: Date.now() });
    const present = await records.clients.find(client.id);
    if (present === undefined) await records.clients.create(wanted, [event('client.created', `client:${client.id}`)]);
    else if (present.source !== 'config')
      faults.push(`the client ${client.id} was made elsewhere already; remove it there, or take it out of the file`);
    else if (!sameClient(present, wanted, client.secret)) {
      const { name, metadata, secretHash } = wanted;
      await records.clients.update(client.id, { name, metadata, secretHash, updatedAt: Date.now() }, [
        event('client.updated', `client:${client.id}`),
      ]);
    }
  }
  const names = new Set(declared.map(({ id }) => id));
  for await (const client of all((page) => records.clients.list(page))) {
    if (client.source !== 'config' || names.has(client.id)) continue;
    const subject = `client:${client.id}`;
    await records.artifacts.revokeAll({ clientId: client.id }, []);
    await records.clients.remove(client.id, [event('client.removed', subject)]);
  }
}

function sameClient(present: Client, wanted: Client, secret: string | undefined): boolean {
  return (
    present.name === wanted.name &&
    isDeepStrictEqual(present.metadata, wanted.metadata) &&
    present.secretHash === (secret === undefined ? undefined : hashClientSecret(secret))
  );
}

async function declareConsumers(
  records: Records,
  declared: readonly ConsumerConfig[],
  faults: string[],
): Promise<void> {
  for (const consumer of declared) {
    const present = await declareConsumer(records, consumer);
    if (present === undefined)
      faults.push(
        `the consumer ${consumer.name} was made elsewhere already; remove it there, or take it out of the file`,
      );
    else await declareKeys(records, present, consumer.keys, faults);
  }
  const names = new Set(declared.map(({ name }) => name));
  for await (const consumer of all((page) => records.consumers.list(page))) {
    if (consumer.source !== 'config' || names.has(consumer.name)) continue;
    await records.consumers.remove(consumer.id, [event('consumer.removed', `consumer:${consumer.id}`)]);
  }
}

async function declareConsumer(records: Records, { name, metadata }: ConsumerConfig): Promise<Consumer | undefined> {
  const present = await records.consumers.findByName(name);
  if (present === undefined) {
    const consumer: Consumer = {
      id: `config-${name}`,
      name,
      metadata,
      disabled: false,
      source: 'config',
      createdAt: Date.now(),
    };
    await records.consumers.create(consumer, [event('consumer.created', `consumer:${consumer.id}`)]);
    return consumer;
  }
  if (present.source !== 'config') return undefined;
  if (!isDeepStrictEqual(present.metadata, metadata))
    await records.consumers.update(present.id, { metadata }, [event('consumer.updated', `consumer:${present.id}`)]);
  return { ...present, metadata };
}

async function declareKeys(
  records: Records,
  consumer: Consumer,
  declared: ConsumerConfig['keys'],
  faults: string[],
): Promise<void> {
  const stored = new Map<string, ApiKey>();
  for await (const key of all((page) => records.keys.list({ consumerId: consumer.id }, page))) stored.set(key.id, key);
  const wanted = new Set<string>();
  for (const { key: text, ...rights } of declared) {
    const id = parseApiKey(text)?.id ?? '';
    wanted.add(id);
    const present = stored.get(id);
    if (present !== undefined && sameRights(present, rights)) continue;
    // What a key may do is fixed from its making on, so it is made anew.
    if (present !== undefined) await records.keys.remove(id, [event('key.removed', `key:${id}`)]);
    const adopted = await adoptKey(records, text, { consumerId: consumer.id, ...rights }, BY);
    if (adopted.refusal !== undefined)
      faults.push(`the key ${rights.name} of the consumer ${consumer.name}: ${adopted.message}`);
  }
  for (const id of stored.keys())
    if (!wanted.has(id)) await records.keys.remove(id, [event('key.removed', `key:${id}`)]);
}

function sameRights(key: ApiKey, rights: Omit<ConsumerConfig['keys'][number], 'key'>): boolean {
  const asked = [rights.name, rights.scopes, rights.apis ?? null, rights.cidrs ?? null];
  return (
    key.revokedAt === undefined && isDeepStrictEqual([key.name, key.scopes, key.apis ?? null, key.cidrs ?? null], asked)
  );
}

async function* all<Row>(list: (page: PageRequest) => Promise<Page<Row>>): AsyncGenerator<Row> {
  let after: string | undefined;
  do {
    const page = await list({ limit: 200, after });
    yield* page.items;
    after = page.next;
  } while (after !== undefined);
}

function event(type: AuditEvent['type'], subject: string): AuditEvent {
  return { type, actor: ACTOR, subject };
}
