import { type Adapter, type AdapterFactory, type AdapterPayload, errors, Provider } from 'oidc-provider';
import type { JsonObject } from '../lib/json.ts';
import type { Artifact, StoredArtifact } from '../stores/artifacts.ts';
import type { AuditEvent } from '../stores/audit.ts';
import type { Counters } from '../stores/counters.ts';
import type { Records } from '../stores/stores.ts';
import { createAddressBudget } from './address-budget.ts';
import type { JwtTokens } from './jwt-tokens.ts';
import { sessionAdapter } from './session-adapter.ts';
import { tooManyRequests } from './too-many-requests.ts';

export interface AdapterParts {
  readonly records: Records;
  readonly counters: Counters;
  readonly clients: Adapter;
  /** Stands in the place of stored tokens where a token is a JWT, which nobody stores. */
  readonly jwtTokens: JwtTokens;
  /** Whether a token opens registration; undefined where none does. */
  readonly opensRegistration: ((token: string) => boolean) | undefined;
}

/** What oidc-provider keeps, on our records: clients on `records.clients`, everything else on `records.artifacts`. */
export function createAdapterFactory(parts: AdapterParts): AdapterFactory {
  const { records, counters, clients, jwtTokens, opensRegistration } = parts;
  return function adapterFor(model) {
    if (model === 'Client') return clients;
    const stored = artifactAdapter(model, records);
    if (model === 'Grant') return grantAdapter(stored, records);
    if (model === 'DeviceCode') return deviceAdapter(stored, counters);
    if (model === 'RefreshToken') return refreshAdapter(stored, records);
    if (model === 'Session') return sessionAdapter(stored, records.artifacts);
    if (model === 'AccessToken' || model === 'ClientCredentials') {
      return {
        ...stored,
        find: async (id) =>
          isAskedAbout() && jwtTokens.isDisguised(id) ? await jwtTokens.find(model, id) : await stored.find(id),
      };
    }
    if (model === 'InitialAccessToken' && opensRegistration !== undefined) {
      return { ...stored, find: async (id) => (opensRegistration(id) ? { kind: model, jti: id } : undefined) };
    }
    return stored;
  };
}

function artifactAdapter(model: string, { artifacts }: Records): Adapter {
  return {
    async upsert(id, payload, expiresIn) {
      await artifacts.upsert(artifactOf(model, id, payload, expiresIn));
    },
    async find(id) {
      return asPayload(await artifacts.find(model, id));
    },
    async findByUserCode(userCode) {
      return asPayload(await artifacts.findByUserCode(model, userCode));
    },
    async findByUid(uid) {
      return asPayload(await artifacts.findByUid(model, uid));
    },
    async consume(id) {
      // Of two racing uses the store lets one through; the other is a use of something used (attack 42, RFC 9700 §4.14.2).
      if (!(await artifacts.consume(model, id, Date.now()))) await refuseReuse(model, id, artifacts);
    },
    async destroy(id) {
      await artifacts.destroy(model, id);
    },
    async revokeByGrantId() {
      // Everything of a grant goes in one transaction when the Grant itself is destroyed, which always follows; where it does
      // not, one access token was revoked, and the others of its grant stay (RFC 7009 §2.1).
    },
  };
}

/**
 * A refresh token is used up and its successor written in one step: where the store, or this process, ends in between, the
 * client would be left with a token whose next use looks like theft. oidc-provider does the one right before the other, so
 * what it uses up waits for what it writes.
 */
function refreshAdapter(stored: Adapter, { artifacts }: Records): Adapter {
  const usedUp = new WeakMap<object, string>();
  return {
    ...stored,
    async consume(id) {
      const request = Provider.ctx?.oidc;
      if (request === undefined) await stored.consume(id);
      else usedUp.set(request, id);
    },
    async upsert(id, payload, expiresIn) {
      const request = Provider.ctx?.oidc;
      const old = request === undefined ? undefined : usedUp.get(request);
      if (request === undefined || old === undefined) return await stored.upsert(id, payload, expiresIn);
      usedUp.delete(request);
      const consumed = { model: 'RefreshToken', id: old, at: Date.now() };
      const isFirst = await artifacts.replace(consumed, artifactOf('RefreshToken', id, payload, expiresIn));
      if (!isFirst) await refuseReuse('RefreshToken', old, artifacts);
    },
  };
}

/** Ends the grant of what was used before. */
async function refuseReuse(model: string, id: string, artifacts: Records['artifacts']): Promise<never> {
  const used = await artifacts.find(model, id);
  if (used?.grantId !== undefined) await artifacts.revokeGrant(used.grantId, reuseEvents(used.grantId, used));
  throw new errors.InvalidGrant(`${model} used twice at a time`);
}

function artifactOf(model: string, id: string, payload: AdapterPayload, expiresIn: number | undefined): Artifact {
  return {
    model,
    id,
    // oidc-provider hands over plain data; what is undefined in it falls away.
    payload: JSON.parse(JSON.stringify(payload)) as JsonObject,
    expiresAt: expiresIn === undefined ? undefined : Date.now() + expiresIn * 1000,
    grantId: model === 'Grant' ? id : payload.grantId,
    userCode: payload.userCode,
    uid: payload.uid,
    // An interaction is a person's from the moment they have signed in: "everything of a person" ends what waits to go on.
    accountId: payload.accountId ?? payload.result?.login?.accountId,
    clientId: payload.clientId,
  };
}

/** Whether a token is asked about or revoked, and not presented to open something. */
function isAskedAbout(): boolean {
  const route = Provider.ctx?.oidc?.route;
  return route === 'introspection' || route === 'revocation';
}

/** User codes are short, so each address may be wrong only so often (RFC 8628 §5.1). */
function deviceAdapter(stored: Adapter, counters: Counters): Adapter {
  const wrongCodes = createAddressBudget(counters, { name: 'user-code', limit: WRONG_CODES, window: 600_000 });
  return {
    ...stored,
    async findByUserCode(userCode) {
      // Counted before it is known to be wrong: a thousand guesses at once are not a thousand free ones.
      const guess = await wrongCodes.spendAhead();
      if (guess === undefined)
        throw tooManyRequests('too many wrong codes from this address: try again in ten minutes');
      const found = await stored.findByUserCode(userCode);
      if (found !== undefined) await guess.giveBack();
      return found;
    },
  };
}

/** In ten minutes. Of 20^8 codes, with a thousand of them alive, one address then hits one in about 24 years. */
const WRONG_CODES = 20;

/** The end of a grant is the end of all that came of it, and is told to whoever checks tokens without asking us. */
function grantAdapter(stored: Adapter, { artifacts }: Records): Adapter {
  return {
    ...stored,
    async destroy(grantId) {
      const grant = await artifacts.find('Grant', grantId);
      if (grant === undefined) return;
      // The token endpoint ends a grant for one reason only: a code or a refresh token came a second time.
      const reused = Provider.ctx?.oidc?.route === 'token';
      await artifacts.revokeGrant(
        grantId,
        reused
          ? reuseEvents(grantId, grant)
          : [grantRevoked({ grantId, clientId: grant.clientId, actor: presentActor() })],
      );
    },
  };
}

export interface RevokedGrant {
  readonly grantId: string;
  readonly clientId: string | undefined;
  readonly actor: string;
}

/** The audit event of a grant's end, which makes every process forget its tokens. */
export function grantRevoked({ grantId, clientId, actor }: RevokedGrant): AuditEvent {
  const detail = clientId === undefined ? {} : { client: clientId };
  return { type: 'grant.revoked', actor, subject: `grant:${grantId}`, detail };
}

function reuseEvents(grantId: string, { clientId }: StoredArtifact): readonly AuditEvent[] {
  const actor = presentActor();
  const detail = clientId === undefined ? {} : { client: clientId };
  return [
    { type: 'grant.reuse-detected', actor, subject: `grant:${grantId}`, detail },
    grantRevoked({ grantId, clientId, actor }),
  ];
}

/** Who makes the request that is being answered: its client, or else the person whose session it carries. */
function presentActor(): string {
  const oidc = Provider.ctx?.oidc;
  if (oidc?.client !== undefined) return `client:${oidc.client.clientId}`;
  const account = oidc?.session?.accountId;
  return account === undefined ? 'anonymous' : `user:${account}`;
}

function asPayload(artifact: StoredArtifact | undefined): AdapterPayload | undefined {
  if (artifact === undefined) return undefined;
  // It is what oidc-provider handed over in upsert.
  const payload = artifact.payload as AdapterPayload;
  return artifact.consumedAt === undefined ? payload : { ...payload, consumed: Math.floor(artifact.consumedAt / 1000) };
}
