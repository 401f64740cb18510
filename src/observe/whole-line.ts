/**
 * A log line as plain ASCII of at most `maxBytes`, its line feed included. Escapes keep every value as it was, while no terminal
 * takes one for a command and no bidirectional override turns the line around. A line that is too long has its longest texts cut;
 * one character is one byte afterwards.
 */
export function wholeLine(line: string, maxBytes: number): string {
  const plain = NOT_PLAIN.test(line) ? escapedToAscii(line) : line;
  return plain.length <= maxBytes ? plain : shortened(line, maxBytes);
}

/** Anything but printable ASCII; JSON.stringify has escaped the control characters below a space but not these. */
const NOT_PLAIN = /[^\x20-\x7e\n]/;
const EACH_NOT_PLAIN = /[^\x20-\x7e\n]/g;
/** The most members of the shortest form. */
const MOST_MEMBERS = 24;

/** JSON with everything but printable ASCII and line feeds as `\uXXXX`: the same values. */
export function escapedToAscii(line: string): string {
  return line.replace(EACH_NOT_PLAIN, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function shortened(line: string, maxBytes: number): string {
  const facts: unknown = JSON.parse(line);
  for (let longest = maxBytes / 2; longest >= 16; longest /= 2) {
    const shorter = `${escapedToAscii(JSON.stringify(facts, (_key, value: unknown) => cut(value, longest)))}\n`;
    if (shorter.length <= maxBytes) return shorter;
  }
  // Too many members rather than too long ones: what stands first tells when, how grave and which request.
  const members = Object.entries(Object(facts)).filter(
    ([name, value]) => typeof value !== 'object' && name.length <= 32,
  );
  const few = Object.fromEntries(members.slice(0, MOST_MEMBERS).map(([name, value]) => [name, cut(value, 16)]));
  return `${escapedToAscii(JSON.stringify(few))}\n`;
}

function cut(value: unknown, longest: number): unknown {
  if (typeof value === 'string' && value.length > longest) return `${value.slice(0, longest)}…`;
  return Array.isArray(value) && value.length > longest ? value.slice(0, longest) : value;
}
