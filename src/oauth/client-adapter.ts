import { type Adapter, type AdapterPayload, errors, Provider } from 'oidc-provider';
import { hashClientSecret } from '../identity/client-keeper.ts';
import type { SigningAlgorithm } from '../identity/make-signing-key.ts';
import type { JsonObject } from '../lib/json.ts';
import type { Counters } from '../stores/counters.ts';
import type { Client, Records } from '../stores/stores.ts';
import { createAddressBudget } from './address-budget.ts';
import { addressOf, type RegistrationRules } from './options.ts';
import { tooManyRequests } from './too-many-requests.ts';

/** The member of a client's metadata that says where it came from; see `Source`. It is set here and cannot be registered. */
export const SOURCE = 'sallyport_source';

export interface ClientAdapterParts {
  readonly records: Records;
  readonly counters: Counters;
  readonly registration: false | RegistrationRules;
  /** Every scope and algorithm there is: one that the configuration dropped does not make a client unusable. */
  readonly scopes: ReadonlySet<string>;
  readonly algorithms: readonly SigningAlgorithm[];
}

/** The clients of oidc-provider on `records.clients`. What it takes for a secret is the hash of one. */
export function createClientAdapter(parts: ClientAdapterParts): Adapter {
  const { records, counters, registration } = parts;
  const { clients } = records;
  let registering: Promise<unknown> = Promise.resolve();

  /** One at a time, so that the count it goes by is not older than the client it admits. */
  function register(client: Client): Promise<void> {
    const turn = registering.then(async () => {
      if (registration === false) throw new errors.InvalidRequest('registration is not open');
      await admit(registration);
      const address = presentAddress();
      await clients.create(client, [
        {
          type: 'client.registered',
          actor: 'anonymous',
          subject: `client:${client.id}`,
          ...(address === undefined ? {} : { address }),
          detail: { name: client.name },
        },
      ]);
    });
    registering = turn.catch(() => undefined);
    return turn;
  }

  /** Attack 45: a flood of registrations is capped for each address and in all. */
  async function admit(rules: RegistrationRules): Promise<void> {
    const budget = createAddressBudget(counters, { name: 'registration', limit: rules.perAddress, window: HOUR });
    if (!(await budget.spend()))
      throw tooManyRequests('too many clients were registered from this address: try again in an hour');
    if ((await clients.count('registered')) >= rules.maxClients)
      throw tooManyRequests('no more clients can be registered here');
  }

  return {
    async find(id) {
      const client = await clients.find(id);
      return client === undefined || client.disabled ? undefined : asPayload(client, parts);
    },
    async upsert(id, payload) {
      const known = await clients.find(id);
      if (known === undefined) return await register(asClient(id, payload, undefined));
      const { name, metadata, secretHash } = asClient(id, payload, known);
      const event = { type: 'client.updated', actor: `client:${id}`, subject: `client:${id}` } as const;
      await clients.update(id, { name, metadata, secretHash, updatedAt: Date.now() }, [event]);
    },
    async destroy(id) {
      const owner = { actor: `client:${id}`, subject: `client:${id}` };
      await clients.remove(id, [{ type: 'client.removed', ...owner }]);
      await records.artifacts.revokeAll({ clientId: id }, []);
    },
    findByUserCode: () => Promise.resolve(undefined),
    findByUid: () => Promise.resolve(undefined),
    consume: () => Promise.resolve(),
    revokeByGrantId: () => Promise.resolve(),
  };
}

const HOUR = 3_600_000;

function presentAddress(): string | undefined {
  const req = Provider.ctx?.req;
  return req === undefined ? undefined : addressOf(req);
}

function asPayload(client: Client, { scopes, algorithms }: ClientAdapterParts): AdapterPayload {
  const { scope, id_token_signed_response_alg: wanted, ...metadata } = client.metadata;
  const algorithm = algorithms.find((offered) => offered === wanted);
  const known = typeof scope === 'string' ? scope.split(' ').filter((name) => scopes.has(name)) : undefined;
  return {
    client_name: client.name,
    ...metadata,
    ...(algorithm === undefined ? {} : { id_token_signed_response_alg: algorithm }),
    // A client none of whose scopes exist any more may ask for none, not for all.
    ...(known === undefined ? {} : { scope: known.length > 0 ? known.join(' ') : 'openid' }),
    client_id: client.id,
    client_id_issued_at: Math.floor(client.createdAt / 1000),
    ...(client.secretHash === undefined ? {} : { client_secret: client.secretHash, client_secret_expires_at: 0 }),
    [SOURCE]: client.source,
  };
}

/** A client as oidc-provider checked it. Its secret is new unless it is the hash that is stored already. */
function asClient(id: string, payload: AdapterPayload, known: Client | undefined): Client {
  // What oidc-provider read from JSON is JSON.
  const plain = JSON.parse(JSON.stringify(payload)) as JsonObject;
  const { client_id: _, client_secret: secret, client_secret_expires_at: __, [SOURCE]: ___, ...metadata } = plain;
  const now = Date.now();
  const name = typeof metadata['client_name'] === 'string' ? metadata['client_name'] : id;
  return {
    id,
    name: name.slice(0, 100),
    metadata,
    secretHash:
      typeof secret !== 'string' ? undefined : secret === known?.secretHash ? secret : hashClientSecret(secret),
    registrationTokenHash: undefined,
    disabled: false,
    source: known?.source ?? 'registered',
    createdAt: known?.createdAt ?? now,
    updatedAt: now,
  };
}
