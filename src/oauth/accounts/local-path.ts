/**
 * A path of this very host that somebody asks to be sent to, or undefined (attack 46). Browsers read `//evil`, `/\evil` and
 * `/<tab>/evil` as another host, so only visible ASCII without a backslash is taken, and what `URL` makes of it is what counts.
 */
export function localPath(text: string | null | undefined): string | undefined {
  if (text === null || text === undefined || text.length > LONGEST || !PLAIN.test(text)) return undefined;
  const url = URL.parse(text, SOMEWHERE);
  if (url === null || url.origin !== SOMEWHERE) return undefined;
  const path = `${url.pathname}${url.search}${url.hash}`;
  return PLAIN.test(path) ? path : undefined;
}

const LONGEST = 1_024;
const PLAIN = /^\/(?!\/)[\x21-\x5b\x5d-\x7e]*$/;
const SOMEWHERE = 'https://nowhere.invalid';
