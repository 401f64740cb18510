import { isDeepStrictEqual } from 'node:util';
import { clientRequestOf } from '../config/declared-clients.ts';
import type { ClientConfig, ConsumerConfig, GatewayConfig } from '../config/schema.ts';
import { newClient, readClientRequest } from '../identity/client-keeper.ts';
import { adoptKey } from '../identity/key-keeper.ts';
import { parseApiKey } from '../lib/api-key.ts';
import type { AuditEvent } from '../stores/audit.ts';
import type { Page, PageRequest } from '../stores/page.ts';
import type { ApiKey, Client, Consumer, Records } from '../stores/stores.ts';

const ACTOR = 'config';
const BY = { actor: ACTOR, source: 'config' } as const;

type DeclaredKey = ConsumerConfig['keys'][number];

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
    else if (!isSameClient(present, wanted)) {
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

function isSameClient(present: Client, wanted: Client): boolean {
  const [one, other] = [present, wanted].map(({ name, metadata, secretHash }) => ({ name, metadata, secretHash }));
  return isDeepStrictEqual(one, other);
}

/** What goes is removed before anything is made: a key may have moved to another consumer, or its consumer have another name now. */
async function declareConsumers(
  records: Records,
  declared: readonly ConsumerConfig[],
  faults: string[],
): Promise<void> {
  const names = new Set(declared.map(({ name }) => name));
  for await (const consumer of all((page) => records.consumers.list(page))) {
    if (consumer.source !== 'config' || names.has(consumer.name)) continue;
    await records.consumers.remove(consumer.id, [event('consumer.removed', `consumer:${consumer.id}`)]);
  }
  const ours: { readonly consumer: Consumer; readonly keys: ConsumerConfig['keys'] }[] = [];
  for (const { keys, ...facts } of declared) {
    const consumer = await declareConsumer(records, facts);
    if (consumer !== undefined) ours.push({ consumer, keys });
    else
      faults.push(`the consumer ${facts.name} was made elsewhere already; remove it there, or take it out of the file`);
  }
  const missing: { readonly consumer: Consumer; readonly key: DeclaredKey }[] = [];
  for (const { consumer, keys } of ours)
    for (const key of await clearKeys(records, consumer, keys, faults)) missing.push({ consumer, key });
  for (const { consumer, key } of missing) {
    const { key: text, ...rights } = key;
    const adopted = await adoptKey(records, text, { consumerId: consumer.id, ...rights }, BY);
    if (adopted.refusal !== undefined)
      faults.push(`the key ${rights.name} of the consumer ${consumer.name}: ${adopted.message}`);
  }
}

/** Undefined where the name is taken by one that was made elsewhere. */
async function declareConsumer(
  records: Records,
  { name, metadata }: Omit<ConsumerConfig, 'keys'>,
): Promise<Consumer | undefined> {
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
  // A removal that failed halfway leaves it disabled; the file has it again.
  if (present.disabled || !isDeepStrictEqual(present.metadata, metadata))
    await records.consumers.update(present.id, { metadata, disabled: false }, [
      event('consumer.updated', `consumer:${present.id}`),
    ]);
  return { ...present, metadata, disabled: false };
}

/**
 * Removes the declared keys of a consumer that the file does not have any more, or not as they are: what a key may do is fixed from
 * its making on, so it is made anew. Resolves with those that are to be made.
 */
async function clearKeys(
  records: Records,
  consumer: Consumer,
  declared: readonly DeclaredKey[],
  faults: string[],
): Promise<readonly DeclaredKey[]> {
  const missing = new Map(declared.map((key) => [parseApiKey(key.key)?.id ?? '', key]));
  for await (const stored of all((page) => records.keys.list({ consumerId: consumer.id }, page))) {
    const wanted = missing.get(stored.id);
    if (stored.source !== 'config') {
      if (wanted === undefined) continue;
      faults.push(
        `the key ${wanted.name} of the consumer ${consumer.name} was made elsewhere already; remove it there, or take it out of the file`,
      );
      missing.delete(stored.id);
    } else if (wanted !== undefined && isSameKey(stored, wanted)) missing.delete(stored.id);
    else await records.keys.remove(stored.id, [event('key.removed', `key:${stored.id}`)]);
  }
  return [...missing.values()];
}

function isSameKey(stored: ApiKey, { key: text, name, scopes, apis, cidrs }: DeclaredKey): boolean {
  const written = [parseApiKey(text)?.secretHash, name, scopes, apis ?? null, cidrs ?? null];
  const present = [stored.hash, stored.name, stored.scopes, stored.apis ?? null, stored.cidrs ?? null];
  return stored.revokedAt === undefined && isDeepStrictEqual(present, written);
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
