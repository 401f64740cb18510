/** One module a file names, however it does so: import, export-from, `import()` or the type `import('…').T`. */
export interface NamedModule {
  readonly specifier: string;
  /** Counted from 1. */
  readonly line: number;
}

/**
 * Lists the modules a TypeScript file names, type imports included. It is a tokenizer, not a parser: it knows comments,
 * strings, templates and regular expressions well enough not to be misled by what stands inside them.
 *
 * Its limits: a specifier that is computed (`import(url)`) is not seen, nor is a path handed to `new URL` or `new Worker`;
 * a regular expression after `)` is taken for a division. A file it loses its way in throws, so that nothing passes unread.
 */
export function namedModules(source: string): readonly NamedModule[] {
  const tokens = tokenize(source);
  const found: NamedModule[] = [];
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'word' || tokens[at - 1]?.text === '.') continue;
    const specifier = specifierAt(tokens, at);
    if (specifier !== undefined) found.push({ specifier: specifier.text, line: specifier.line });
  }
  return found;
}

interface Token {
  readonly kind: 'word' | 'string' | 'punctuation';
  /** The value of a string without its quotes; escapes are kept as they are written. */
  readonly text: string;
  readonly line: number;
}

/** The module named by the statement or call that begins at a word; undefined where it names none. */
function specifierAt(tokens: readonly Token[], at: number): Token | undefined {
  const word = tokens[at]?.text;
  const next = tokens[at + 1];
  if (word === 'import') {
    if (next?.kind === 'string') return next;
    if (isMark(next, '(')) return tokens[at + 2]?.kind === 'string' ? tokens[at + 2] : undefined;
    return isMark(next, '{') || isMark(next, '*') || next?.kind === 'word' ? afterFrom(tokens, at + 1) : undefined;
  }
  if (word !== 'export') return undefined;
  const start = next?.kind === 'word' && next.text === 'type' ? at + 2 : at + 1;
  return isMark(tokens[start], '{') || isMark(tokens[start], '*') ? afterFrom(tokens, start) : undefined;
}

/** Looks through an import or export clause, which holds names, strings and the marks `{ } , *` only, for its `from '…'`. */
function afterFrom(tokens: readonly Token[], start: number): Token | undefined {
  for (let at = start; at < tokens.length; at += 1) {
    const token = tokens[at];
    if (token === undefined || (token.kind === 'punctuation' && !'{},*'.includes(token.text))) return undefined;
    const next = tokens[at + 1];
    if (token.kind === 'word' && token.text === 'from' && next?.kind === 'string') return next;
  }
  return undefined;
}

function isMark(token: Token | undefined, text: string): boolean {
  return token?.kind === 'punctuation' && token.text === text;
}

const PATTERNS = {
  blank: /[^\S\n]+/y,
  comment: /\/\/[^\n]*|\/\*[\s\S]*?\*\//y,
  string: /'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"/y,
  word: /[\p{ID_Start}$_#][\p{ID_Continue}$\u200c\u200d]*/uy,
  number: /\d[\w.]*/y,
  regularExpression: /\/(?![*/])(?:[^\\/[\n]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n])*\])+\/[a-z]*/y,
};

function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  /** For each template literal that is open: how many braces are open inside its `${`. */
  const templates: number[] = [];
  let at = source.startsWith('#!') ? source.indexOf('\n') : 0;
  let line = 1;

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text === undefined) return undefined;
    at += text.length;
    line += text.split('\n').length - 1;
    return text;
  };
  const push = (kind: Token['kind'], text: string, startLine = line): void => {
    tokens.push({ kind, text, line: startLine });
  };

  while (at < source.length && at >= 0) {
    const startLine = line;
    const character = source.charAt(at);
    if (character === '\n') {
      at += 1;
      line += 1;
      continue;
    }
    if (take(PATTERNS.blank) !== undefined || take(PATTERNS.comment) !== undefined) continue;
    const quoted = take(PATTERNS.string);
    if (quoted !== undefined) {
      push('string', quoted.slice(1, -1), startLine);
      continue;
    }
    const word = take(PATTERNS.word);
    if (word !== undefined) {
      push('word', word);
      continue;
    }
    // A number is no word, but like one it is followed by a division, never by a regular expression.
    if (take(PATTERNS.number) !== undefined) {
      push('punctuation', ')');
      continue;
    }
    if (character === '/' && mayBeginExpression(tokens.at(-1)) && take(PATTERNS.regularExpression) !== undefined) {
      push('punctuation', ')');
      continue;
    }
    const depth = templates.at(-1);
    const resumes = character === '}' && depth === 0;
    if (character === '`' || resumes) {
      if (resumes) templates.pop();
      const piece = take(TEMPLATE_PIECE);
      if (piece === undefined) throw new Error(`line ${startLine}: a template literal without an end`);
      const whole = character === '`' && piece.endsWith('`');
      if (piece.endsWith('${')) templates.push(0);
      push(whole ? 'string' : 'punctuation', whole ? piece.slice(1, -1) : piece.endsWith('${') ? '${' : ')', startLine);
      continue;
    }
    if (character === '"' || character === "'") throw new Error(`line ${startLine}: a string without an end`);
    if (source.startsWith('/*', at)) throw new Error(`line ${startLine}: a comment without an end`);
    if (depth !== undefined && character === '{') templates[templates.length - 1] = depth + 1;
    if (depth !== undefined && character === '}') templates[templates.length - 1] = depth - 1;
    push('punctuation', character);
    at += 1;
  }
  if (templates.length > 0) throw new Error('the last line: a template literal without an end');
  return tokens;
}

/** From the backtick or the closing brace up to the next `${` or the closing backtick. */
const TEMPLATE_PIECE = /[`}](?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/y;

/** Whether a `/` after this token begins a regular expression rather than dividing. */
function mayBeginExpression(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === 'string') return false;
  if (before.kind === 'word') return KEYWORDS_BEFORE_EXPRESSION.has(before.text);
  return before.text !== ')' && before.text !== ']';
}

const KEYWORDS_BEFORE_EXPRESSION: ReadonlySet<string> = new Set(
  'await case delete do else in instanceof new of return throw typeof void yield'.split(' '),
);
