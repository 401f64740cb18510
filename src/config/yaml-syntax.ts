import type { Document, YAMLError } from 'yaml';
import type { RawFault } from './faults.ts';

/** What the YAML parser minds about a document, its warnings included, the first fault of each line. */
export function syntaxFaults(
  document: Pick<Document.Parsed, 'errors' | 'warnings' | 'directives'>,
  text: string,
): RawFault[] {
  const faults: RawFault[] = [];
  const lines = new Set<number>();
  for (const error of [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])) {
    const lineStart = text.lastIndexOf('\n', error.pos[0] - 1);
    if (lines.has(lineStart) || (faults.length > 0 && STRAY.test(error.message))) continue;
    lines.add(lineStart);
    faults.push({ path: [], offset: error.pos[0], ...explain(error, text) });
    // After the first few the parser mostly reports its own confusion.
    if (faults.length >= MOST) break;
  }
  const version = document.directives.yaml;
  if (faults.length === 0 && version.explicit && version.version !== '1.2') {
    faults.push({
      path: [],
      offset: 0,
      message: `YAML ${version.version} is not read`,
      hint: 'remove the %YAML line: the file is YAML 1.2',
    });
  }
  return faults;
}

function explain(error: YAMLError, text: string): { readonly message: string; readonly hint: string | undefined } {
  // Inside { … } YAML takes the brace of an unquoted reference for one of its own.
  if (text.slice(error.pos[0] - 1, error.pos[0] + 1) === REFERENCE) {
    return { message: 'a reference inside { } or [ ] stands without quotes', hint: `write "${REFERENCE}env:NAME}"` };
  }
  const known = EXPLANATIONS.get(error.code);
  if (known !== undefined) return known;
  // The text a message quotes may be a secret, and the source line is shown below it anyway where it may be.
  const sentence = (error.message.split('\n')[0] ?? '').replace(STRAY, '').slice(0, 120);
  return { message: `is not YAML: ${sentence}`, hint: undefined };
}

const REFERENCE = '$'.concat('{');

/** How the parser speaks of what it finds once it has lost the thread, and in general of text it quotes. */
const STRAY = / in YAML stream: .*$/s;

const MOST = 20;

const EXPLANATIONS: ReadonlyMap<string, { readonly message: string; readonly hint: string }> = new Map([
  [
    'MULTIPLE_DOCS',
    { message: 'the file has more than one document', hint: 'remove the --- line and what follows it' },
  ],
  ['TAB_AS_INDENT', { message: 'a tab indents this line', hint: 'indent with spaces' }],
  ['TAG_RESOLVE_FAILED', { message: 'tags are not supported', hint: 'remove the word that begins with !' }],
  ['BAD_DIRECTIVE', { message: 'directives are not supported', hint: 'remove the line that begins with %' }],
  ['BAD_INDENT', { message: 'the indentation fits no level above', hint: 'line the key up with its siblings' }],
  [
    'RESOURCE_EXHAUSTION',
    { message: 'the file nests too deeply', hint: 'look for brackets or indentation gone wrong' },
  ],
  [
    'BLOCK_AS_IMPLICIT_KEY',
    { message: 'a key and value stand inside a plain value', hint: 'put the value in quotes if it holds ": "' },
  ],
  [
    'MULTILINE_IMPLICIT_KEY',
    { message: 'a key is missing its colon', hint: 'write key: value, with a space after the colon' },
  ],
  ['KEY_OVER_1024_CHARS', { message: 'a key has more than 1024 characters', hint: 'write key: value' }],
]);
