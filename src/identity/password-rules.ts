/**
 * What is wrong with a password somebody wants to have; empty where it is good. After NIST SP 800-63B §3.1.1: length counts,
 * no rules of composition, no hints, and nothing that stands at the top of every guesser's list.
 */
export function passwordFaults(password: string, username: string): readonly string[] {
  const normal = password.normalize('NFKC');
  const length = [...normal].length;
  if (length < SHORTEST)
    return [`the password needs at least ${SHORTEST} characters; a few words in a row are easy to remember`];
  if (length > LONGEST || password.length > LONGEST * 2) return [`the password has more than ${LONGEST} characters`];
  if (CONTROL.test(normal)) return ['the password has control characters, such as a tab or a line break'];
  const plain = normal.toLowerCase();
  if (new Set(plain).size < FEWEST_DIFFERENT) return ['the password repeats too few different characters'];
  if (isCommon(plain)) return ['the password is one of the first that are tried by those who guess'];
  if (leansOn(plain, username.toLowerCase())) return ['the password is little more than the username'];
  return [];
}

const SHORTEST = 12;
const LONGEST = 256;
const FEWEST_DIFFERENT = 5;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to find
const CONTROL = /[\u0000-\u001f\u007f]/;

/** A username inside is fine where enough stands around it. */
function leansOn(password: string, username: string): boolean {
  const name = username.split('@')[0] ?? '';
  return name.length >= 3 && [...password.replaceAll(name, '')].length < 8;
}

/** Also with digits or signs behind, which is how people answer a demand for more characters. */
function isCommon(password: string): boolean {
  const core = password.replace(/[\W_\d]+$/, '');
  return COMMON.has(password) || COMMON.has(core) || isRun(password);
}

/** One ascending run of code points or keys of a row, however often it starts again. */
function isRun(password: string): boolean {
  return ROWS.some((row) => row.repeat(Math.ceil(LONGEST / row.length)).includes(password));
}

const ROWS: readonly string[] = [
  '1234567890',
  '0123456789',
  '0987654321',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiopasdfghjklzxcvbnm',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
];

/** The most common words behind which digits are put, and the most common passwords of twelve characters and more. */
const COMMON: ReadonlySet<string> = new Set(
  `password passwort passw0rd p@ssword p@ssw0rd passwordpassword password1password welcome welcomehome letmein letmeinletmein
  administrator admin adminadmin adminadminadmin changeme changemenow changemeplease iloveyou iloveyouiloveyou iloveyouforever
  qwerty qwertyuiop qwertyqwerty qwerty123qwerty monkey dragon football baseball basketball superman princess sunshine
  trustno1trustno1 master shadow abc123abc123 asdfghjkl asdfasdfasdf zxcvbnm zxcvbnmzxcvbnm 1q2w3e4r5t6y 1q2w3e4r5t6y7u
  1qaz2wsx3edc q1w2e3r4t5y6 unknownunknown correcthorsebatterystaple sallyport sallyportsallyport gateway testtesttest
  testpassword defaultpassword temporarypassword secretpassword mypassword mypasswordis yourpassword nopassword spring summer
  autumn winter secret secretsecret starwars whatever michael jennifer jordan hunter charlie internet computer samsung google
  facebook linkedin 123456123456 123123123123 123qweasdzxc 112233445566 121212121212 abcd1234abcd 1234qwerasdf qazwsxedcrfv`.split(
    /\s+/,
  ),
);
