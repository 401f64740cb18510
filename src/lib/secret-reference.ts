/** A piece of a configuration string: plain text, a reference to resolve, or one that cannot be read. */
export type ReferencePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'env'; readonly name: string; readonly fallback: string | undefined; readonly written: string }
  | { readonly kind: 'file'; readonly path: string; readonly written: string }
  | { readonly kind: 'malformed'; readonly written: string; readonly hint: string };

/**
 * Splits a string at its `${env:NAME}`, `${env:NAME:-fallback}` and `${file:path}` references; undefined where
 * it has none. `$${` stands for a literal `${`. Any other `${…}` is malformed, so that `${NAME}` in the manner of
 * a shell is never passed on as text by mistake.
 */
export function splitReferences(text: string): readonly ReferencePart[] | undefined {
  if (!text.includes('${')) return undefined;
  const parts: ReferencePart[] = [];
  let plain = '';
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf('${', at);
    if (open < 0) break;
    if (text[open - 1] === '$' && open > at) {
      plain += `${text.slice(at, open - 1)}\${`;
      at = open + 2;
      continue;
    }
    plain += text.slice(at, open);
    if (plain !== '') parts.push({ kind: 'text', text: plain });
    plain = '';
    const close = text.indexOf('}', open);
    if (close < 0) {
      parts.push({ kind: 'malformed', written: text.slice(open), hint: 'close it with }' });
      return parts;
    }
    parts.push(readReference(text.slice(open, close + 1)));
    at = close + 1;
  }
  plain += text.slice(at);
  if (plain !== '') parts.push({ kind: 'text', text: plain });
  return parts;
}

function readReference(written: string): ReferencePart {
  const inner = written.slice(2, -1);
  if (inner.startsWith('file:')) {
    const path = inner.slice('file:'.length);
    if (path.trim() !== '' && !path.includes('\0')) return { kind: 'file', path, written };
    return { kind: 'malformed', written, hint: `name a file: \${file:/run/secrets/name}` };
  }
  const environment = /^env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inner);
  if (environment?.[1] !== undefined) {
    return { kind: 'env', name: environment[1], fallback: environment[2], written };
  }
  const bare = /^[A-Za-z_][A-Za-z0-9_]*$/.test(inner);
  const hint = bare
    ? `write \${env:${inner}} for an environment variable, or $\${${inner}} for the text itself`
    : `write \${env:NAME}, \${env:NAME:-fallback} or \${file:path}; $\${ stands for a literal \${`;
  return { kind: 'malformed', written, hint };
}
