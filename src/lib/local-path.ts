/**
 * The page to return to after signing in, or undefined where the text is no path of this very host (attack 46). Browsers read
 * more into a Location than one would think: `//evil` and `/\evil` are other hosts, and tabs and line ends are skipped, so that
 * `/<tab>/evil` is one as well. What is not plain ASCII without any of these is refused, and what is left is read as browsers read it.
 */
export function localPath(text: string | null | undefined): string | undefined {
  if (text === null || text === undefined || text.length > LONGEST || !PLAIN.test(text)) return undefined;
  if (!URL.canParse(text, SOMEWHERE)) return undefined;
  const url = new URL(text, SOMEWHERE);
  const path = `${url.pathname}${url.search}${url.hash}`;
  // `/.//evil` stays here as it was written, but not as it is written now.
  return url.origin === SOMEWHERE && PLAIN.test(path) ? path : undefined;
}

/** It travels in a cookie, and browsers keep none above 4096 bytes. */
const LONGEST = 1_024;
/** One slash that no slash or backslash follows, then visible ASCII without a backslash. */
const PLAIN = /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/;
const SOMEWHERE = 'https://host.invalid';
