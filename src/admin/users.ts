import { z } from 'zod';
import { foldUsername, newUser, type UserRequest } from '../identity/user-keeper.ts';
import type { JsonObject } from '../lib/json.ts';
import type { User } from '../stores/stores.ts';
import { bodyAction, type Call, eventOf, plainAction, queryAction, refuseFaults } from './action.ts';
import { type AdminReply, refuse, replyJson, replyNothing } from './admin-reply.ts';
import { defined, metadataField, shown, timeOf } from './fields.ts';
import { createOnce } from './idempotency.ts';
import { pageFields, replyPage } from './paging.ts';
import { endEverythingOf } from './revoke.ts';

/** The form is read here; what makes a good username, password or claim the keeper of users knows. */
const creation = z.strictObject({
  username: z.string(),
  password: z.string().optional(),
  passwordHash: z.string().optional(),
  claims: metadataField().optional(),
  upstream: z.string().optional(),
  disabled: z.boolean().optional(),
});

export const createUser = bodyAction(creation, async (call) => {
  const made = await newUser(call.body, call.services.now());
  if (made.user === undefined) return refuseUser(made.faults);
  return createOnce(call, call.body, {
    prefix: 'usr_',
    kind: 'user',
    find: (id) => call.services.records.users.find(id),
    show: showUser,
    async create(id) {
      const user: User = { ...made.user, id };
      const { username, upstream, passwordHash } = user;
      await call.services.records.users.create(user, [
        eventOf(call, 'user.created', `user:${id}`, {
          username,
          password: passwordHash !== undefined,
          ...(upstream === undefined ? {} : { upstream }),
        }),
      ]);
      return { id, reply: replyJson(201, showUser(user), { Location: `users/${id}` }) };
    },
  });
});

export const listUsers = queryAction(z.strictObject(pageFields), async ({ services, query }) =>
  replyPage(await services.records.users.list(query), showUser, query),
);

export const showOneUser = plainAction(async (call) => {
  const user = await findUser(call);
  return user === undefined ? noUser() : replyJson(200, showUser(user));
});

const change = z
  .strictObject({
    username: z.string(),
    claims: metadataField(),
    upstream: z.string().nullable(),
    disabled: z.boolean(),
  })
  .partial()
  .refine((fields) => Object.keys(fields).length > 0, {
    message: 'changes nothing',
    params: { hint: 'give username, claims, upstream or disabled' },
  });

export const updateUser = bodyAction(change, async (call) => {
  const user = await findUser(call);
  if (user === undefined) return noUser();
  const { username, claims, disabled } = call.body;
  const upstream = call.body.upstream ?? undefined;
  const judged = await newUser({ username: username ?? user.username, claims, upstream });
  if (judged.user === undefined) return refuseUser(judged.faults);
  const fields = {
    ...defined({ claims, disabled }),
    ...(username === undefined ? {} : { username: judged.user.username }),
    ...(call.body.upstream === undefined ? {} : { upstream }),
  };
  const ends = disabled === true;
  return changeUser(call, user, fields, { changed: Object.keys(call.body), ...defined({ disabled }) }, ends);
});

export const setPassword = bodyAction(z.strictObject({ password: z.string() }), async (call) => {
  const user = await findUser(call);
  if (user === undefined) return noUser();
  const judged = await newUser({ username: user.username, password: call.body.password });
  if (judged.user === undefined) return refuseUser(judged.faults);
  const { passwordHash } = judged.user;
  // Whoever knew the old password may be signed in with it.
  return changeUser(call, user, { passwordHash }, { changed: ['password'] }, true);
});

export const resetFactors = plainAction(async (call) => {
  const user = await findUser(call);
  if (user === undefined) return noUser();
  const removed = { totp: user.totpSecret !== undefined, passkeys: user.passkeys.length };
  // The lost device may be signed in.
  return changeUser(call, user, { totpSecret: undefined, passkeys: [] }, { changed: ['factors'], removed }, true);
});

/**
 * What it holds ends while it is still there, disabled so that nothing new begins: where that fails half-way, the same request
 * can be sent again, and nobody who is gone stays signed in.
 */
export const removeUser = plainAction(async (call) => {
  const user = await findUser(call);
  if (user === undefined) return noUser();
  const disabled = await changeUser(call, user, { disabled: true }, { changed: ['disabled'], disabled: true }, true);
  if (disabled.status !== 200) return disabled;
  const removed = await call.services.records.users.remove(user.id, [
    eventOf(call, 'user.removed', `user:${user.id}`, { username: user.username, tokensRevoked: true }),
  ]);
  return removed ? replyNothing() : noUser();
});

export const endUserSessions = plainAction(async (call) => {
  const user = await findUser(call);
  if (user === undefined) return noUser();
  return changeUser(call, user, {}, { changed: [] }, true);
});

/** By id, else by username: no username looks like an id. */
async function findUser({ services, params }: Call): Promise<User | undefined> {
  const idOrName = params['user'] ?? '';
  const { users } = services.records;
  return (await users.find(idOrName)) ?? (await users.findByUsername(foldUsername(idOrName)));
}

function noUser(): AdminReply {
  return refuse('not-found', 'There is no user with this id or username.');
}

/**
 * The audit record makes every process forget the user, so it goes with the change; what the user holds is taken away after
 * it, and cannot be renewed meanwhile.
 */
async function changeUser(
  call: Call,
  user: User,
  fields: Partial<Omit<User, 'id' | 'createdAt'>>,
  detail: JsonObject,
  endsSessions: boolean,
): Promise<AdminReply> {
  const updatedAt = call.services.now();
  const changed = await call.services.records.users.update(user.id, { ...fields, updatedAt }, [
    eventOf(call, 'user.updated', `user:${user.id}`, { ...detail, ...(endsSessions ? { tokensRevoked: true } : {}) }),
  ]);
  if (!changed) return noUser();
  if (endsSessions) await endEverythingOf(call, { user: user.id });
  return replyJson(200, showUser({ ...user, ...fields, updatedAt }));
}

function refuseUser(faults: readonly { readonly field: keyof UserRequest; readonly message: string }[]): AdminReply {
  return refuseFaults(faults.map(({ field, message }) => ({ pointer: `#/${field}`, message })));
}

function showUser(user: User): JsonObject {
  const { id, username, claims, upstream, disabled, createdAt, updatedAt } = user;
  return shown({
    id,
    username,
    claims,
    upstream,
    disabled,
    password: user.passwordHash !== undefined,
    totp: user.totpSecret !== undefined,
    passkeys: user.passkeys.map((passkey) => ({ name: passkey.name, createdAt: timeOf(passkey.createdAt) ?? null })),
    createdAt: timeOf(createdAt),
    updatedAt: timeOf(updatedAt),
  });
}
