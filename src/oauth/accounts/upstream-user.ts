import { randomBytes } from 'node:crypto';
import { newUser } from '../../identity/user-keeper.ts';
import type { AuditEvent } from '../../stores/audit.ts';
import { Conflict, type User, type Users } from '../../stores/stores.ts';
import { KEPT_CLAIMS, type UpstreamPerson } from './upstream-provider.ts';

/**
 * The account of a person who signed in elsewhere. It is linked by issuer and subject and by nothing else: a name or an address
 * of mail that two people have at two places would let one into the other's account. Undefined where there is none and none
 * may be made.
 */
export async function userOfPerson(
  person: UpstreamPerson,
  rules: { readonly users: Users; readonly createUsers: boolean; readonly event: (user: User) => AuditEvent },
): Promise<User | undefined> {
  const upstream = `${person.issuer}|${person.subject}`;
  const known = await rules.users.findByUpstream(upstream);
  if (known !== undefined) return await refreshed(known, person, rules.users);
  if (!rules.createUsers) return undefined;
  for (const username of namesFor(person)) {
    const { user, faults } = await newUser({ username, claims: person.claims, upstream });
    if (user === undefined) {
      if (faults.every((fault) => fault.field === 'username')) continue;
      throw new Error(
        `no account can be made for a person of ${person.issuer}: ${faults.map((fault) => fault.message).join('; ')}`,
      );
    }
    try {
      await rules.users.create(user, [rules.event(user)]);
      return user;
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      // The name is taken, or the same person came in another tab.
      const meanwhile = await rules.users.findByUpstream(upstream);
      if (meanwhile !== undefined) return meanwhile;
    }
  }
  throw new Error(`no username was free for a person of ${person.issuer}`);
}

/** What the provider says of a person today is what holds: that an address was verified does not pass on to the next one. */
async function refreshed(user: User, person: UpstreamPerson, users: Users): Promise<User> {
  const own = Object.entries(user.claims).filter(([name]) => !KEPT_CLAIMS.has(name));
  const claims = { ...Object.fromEntries(own), ...person.claims };
  if (JSON.stringify(claims) === JSON.stringify(user.claims)) return user;
  await users.update(user.id, { claims, updatedAt: Date.now() }, []);
  return { ...user, claims };
}

/** Names to try: what people are called there, then the same with something random behind it. */
function namesFor(person: UpstreamPerson): readonly string[] {
  const called = [person.claims['preferred_username'], person.claims['email'], 'user'];
  const plain = called.flatMap((name) => (typeof name === 'string' ? name.trim().toLowerCase().slice(0, 100) : []));
  return plain
    .flatMap((name) => (name === 'user' ? [] : [name]))
    .concat(plain.map((name) => `${name}-${randomBytes(6).toString('hex')}`));
}
