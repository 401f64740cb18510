import { InvalidArgumentError, Option } from 'commander';

/** `--limit` of every listing. */
export function limitOption(): Option {
  return new Option('--limit <n>', 'how many rows at most').default(100).argParser(wholeNumber);
}

export function yesOption(): Option {
  return new Option('--yes', 'do not ask').default(false);
}

/** So that a script may repeat a command whose answer it never saw. */
export function onceOption(): Option {
  return new Option('--idempotency-key <key>', 'a word of your own: repeated with the same one, nothing is made twice');
}

function wholeNumber(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1) throw new InvalidArgumentError('Write a whole number from 1.');
  return value;
}

/** `--metadata`, `--claims`: an object as JSON. */
export function jsonObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Told below, in words of ours.
  }
  throw new InvalidArgumentError('Write an object as JSON, such as {"team":"billing"}.');
}
