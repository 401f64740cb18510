import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { createHashQueue, type HashQueue } from './hash-queue.ts';
import { type Argon2Hash, formatPhc, parsePhc } from './phc-string.ts';

/** Hashes a password with argon2id and a fresh salt, as a PHC string. Rejects with TooManyHashings in a flood. */
export async function hashPassword(password: string, queue: HashQueue = everyone): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const tag = await derive(password, { ...PARAMETERS, salt, tagLength: TAG_BYTES }, queue);
  return formatPhc({ ...PARAMETERS, salt, tag });
}

/**
 * Whether a password belongs to a stored hash. A hash that is not argon2id or costs more than the bounds of
 * `phc-string.ts` opens nothing. Where there is no hash (no such account, or one without a password) the same work is
 * done against a hash that nothing matches, so that time does not tell the difference (attack 47). Rejects with
 * TooManyHashings in a flood.
 */
export async function verifyPassword(
  password: string,
  stored: string | undefined,
  queue: HashQueue = everyone,
): Promise<boolean> {
  const known = stored === undefined ? undefined : parsePhc(stored);
  const hash = known ?? NOBODY;
  // A password longer than any that was ever accepted is wrong, but it takes its time like every other.
  const tooLong = password.length > LONGEST;
  const tag = await derive(
    tooLong ? password.slice(0, LONGEST) : password,
    { ...hash, tagLength: hash.tag.length },
    queue,
  );
  const equal = timingSafeEqual(tag, hash.tag);
  return equal && known !== undefined && !tooLong;
}

/** Whether a stored hash was made with other parameters than today's: hash the password anew after the next sign-in. */
export function needsRehash(stored: string): boolean {
  const hash = parsePhc(stored);
  return (
    hash === undefined ||
    hash.memory !== PARAMETERS.memory ||
    hash.passes !== PARAMETERS.passes ||
    hash.parallelism !== PARAMETERS.parallelism ||
    hash.tag.length !== TAG_BYTES ||
    hash.salt.length !== SALT_BYTES
  );
}

/**
 * OWASP's least is 19 MiB with two passes. 32 MiB (in KiB) takes about 60 ms of a core here: half as much again for whoever
 * guesses offline, while two at a time stay below 64 MiB in a control plane that may live in a small container. One lane,
 * since the work is spread over sign-ins and not inside one.
 */
const PARAMETERS = { memory: 32_768, passes: 2, parallelism: 1 } as const;
const SALT_BYTES = 16;
const TAG_BYTES = 32;

/** UTF-16 units; the rules take 256 characters, each two units at most. */
const LONGEST = 512;

/** Costs what a real hash costs; its tag is random, so no password has it. */
const NOBODY: Argon2Hash = { ...PARAMETERS, salt: randomBytes(SALT_BYTES), tag: randomBytes(TAG_BYTES) };

/**
 * Two at a time: hashing runs on libuv's four threads, and file system and DNS work of the whole process needs the others.
 * 64 may wait, some two seconds' worth; who comes later is told to come again instead of piling up.
 */
const everyone = createHashQueue({ atOnce: 2, waiting: 64 });

/** NFKC, so that the same password typed on another keyboard is the same password (NIST SP 800-63B §3.1.1.2). */
function derive(
  password: string,
  options: Omit<Argon2Hash, 'tag'> & { readonly tagLength: number },
  queue: HashQueue,
): Promise<Buffer> {
  return queue.run(
    () =>
      new Promise((resolve, reject) => {
        argon2(
          'argon2id',
          {
            message: password.normalize('NFKC'),
            nonce: options.salt,
            memory: options.memory,
            passes: options.passes,
            parallelism: options.parallelism,
            tagLength: options.tagLength,
          },
          (error, tag) => (error === null ? resolve(tag) : reject(error)),
        );
      }),
  );
}
