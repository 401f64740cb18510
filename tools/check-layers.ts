import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize, relative, sep } from 'node:path';
import { namedModules } from './import-scanner.ts';
import { emptyNames, floors } from './layers.ts';

/** A breach of the house rules, at a place an editor can jump to. */
export interface LayerFault {
  /** Relative to the root of the project, with `/` on every platform. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly message: string;
}

/**
 * Holds the import rule of ARCHITECTURE.md over `src/`: imports go down only, rooms of one floor and sibling policies never
 * import each other, files never import each other in a circle. It also refuses file names that say nothing, in every
 * source folder. Tests may import what they like.
 */
export function checkLayers(root: string): readonly LayerFault[] {
  const files = sourceFiles(join(root, 'src'), root);
  const imports = files.flatMap((file) => (isTest(file) ? [] : importsOf(root, file)));
  const faults = [
    ...imports.flatMap((edge) => edge.fault ?? judgeImport(edge)),
    ...circles(imports),
    ...unknownRooms(files),
    ...['src', 'tools', 'test', 'bench'].flatMap((folder) => badNames(sourceFiles(join(root, folder), root))),
  ];
  return faults.sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

/** One import of a file of the project by another. */
interface Import {
  readonly from: string;
  readonly to: string;
  readonly line: number;
  readonly fault: LayerFault | undefined;
}

function importsOf(root: string, file: string): readonly Import[] {
  try {
    return namedModules(readFileSync(join(root, file), 'utf8')).flatMap(({ specifier, line }) => {
      const to = targetOf(file, specifier);
      if (to === undefined) return [];
      return [{ from: file, to, line, fault: to === OUTSIDE ? absolute({ file, line, specifier }) : undefined }];
    });
  } catch (error) {
    const message = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return [{ from: file, to: file, line: 1, fault: { file, line: 1, message } }];
  }
}

/** The file of the project a specifier stands for; undefined for packages and Node's own modules. */
function targetOf(file: string, specifier: string): string | undefined {
  if (specifier === 'sallyport') return 'src/index.ts';
  if (specifier.startsWith('/') || specifier.startsWith('file:')) return OUTSIDE;
  if (!specifier.startsWith('.')) return undefined;
  return posix(normalize(join(dirname(file), specifier)));
}

const OUTSIDE = '/';

function absolute(place: { readonly file: string; readonly line: number; readonly specifier: string }): LayerFault {
  const { file, line, specifier } = place;
  return { file, line, message: `imports ${specifier} by an absolute path: it works on one machine only` };
}

function judgeImport({ from, to, line }: Import): readonly LayerFault[] {
  const fault = (message: string): readonly LayerFault[] => [
    { file: from, line, message: `imports ${to}: ${message}` },
  ];
  if (to === 'package.json') return [];
  if (!to.startsWith('src/')) return fault('src stands alone, since nothing else is in the package');
  if (isTest(to)) return fault('tests are not part of the program');

  const here = placeOf(from);
  const there = placeOf(to);
  if (here.floor < 0 || there.floor < 0) return []; // reported once for the room
  const reason = floors[there.floor]?.reason;
  if (there.floor > here.floor)
    return fault(`${there.room} lies above ${here.room}, and imports go down only (${there.room}: ${reason})`);
  if (here.room !== there.room && there.floor === here.floor) {
    return fault(`${here.room} and ${there.room} are rooms of one floor and never import each other (${reason})`);
  }
  if (here.policy !== undefined && there.policy !== undefined && here.policy !== there.policy) {
    return fault(`sibling policies never import each other: move what both need beside policy.ts, or to lib`);
  }
  return [];
}

interface Place {
  readonly room: string;
  /** Index in `floors`; -1 where the table does not know the room. */
  readonly floor: number;
  /** The folder of one policy. */
  readonly policy: string | undefined;
}

function placeOf(file: string): Place {
  const [, room = '', ...below] = file.split('/');
  const policy = room === 'policies' && below.length > 1 ? below[0] : undefined;
  return { room, floor: floors.findIndex((floor) => floor.rooms.includes(room)), policy };
}

function unknownRooms(files: readonly string[]): readonly LayerFault[] {
  const strangers = new Map<string, string>();
  for (const file of files) {
    const { room, floor } = placeOf(file);
    if (floor < 0 && !isTest(file) && !strangers.has(room)) strangers.set(room, file);
  }
  const message = 'has no floor: give it one in tools/layers.ts';
  return [...strangers].map(([room, file]) => ({ file, line: 1, message: `src/${room} ${message}` }));
}

function badNames(files: readonly string[]): readonly LayerFault[] {
  return files.flatMap((file) => {
    const empty = file.split('/').find((part) => emptyNames.has(part.replace(/\..*$/, '').toLowerCase()));
    if (empty !== undefined) return [{ file, line: 1, message: `"${empty}" says nothing: name it for what is inside` }];
    if (basename(file).startsWith('index.') && file !== 'src/index.ts') {
      return [{ file, line: 1, message: 'src/index.ts is the only barrel: name this file for its feature' }];
    }
    return [];
  });
}

/** Each circle once, at the import that closes it: the first one met on a walk in the order of the file names. */
function circles(imports: readonly Import[]): readonly LayerFault[] {
  const outgoing = Map.groupBy(
    imports.filter(({ from, to, fault }) => fault === undefined && from !== to),
    ({ from }) => from,
  );
  const faults: LayerFault[] = imports
    .filter(({ from, to, fault }) => fault === undefined && from === to)
    .map(importsItself);
  const done = new Set<string>();
  const path: string[] = [];

  const visit = (file: string): void => {
    path.push(file);
    for (const { to, line } of outgoing.get(file) ?? []) {
      const start = path.indexOf(to);
      if (start >= 0) {
        const message = `closes a circle of imports: ${[...path.slice(start), to].join(' → ')}`;
        faults.push({ file, line, message });
      } else if (!done.has(to)) visit(to);
    }
    path.pop();
    done.add(file);
  };
  for (const file of [...outgoing.keys()].sort()) if (!done.has(file)) visit(file);
  return faults;
}

function importsItself({ from, line }: Import): LayerFault {
  return { file: from, line, message: 'imports itself' };
}

function sourceFiles(folder: string, root: string): readonly string[] {
  let entries: ReturnType<typeof entriesOf>;
  try {
    entries = entriesOf(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
    .map((entry) => posix(relative(root, join(entry.parentPath, entry.name))))
    .filter((file) => !file.includes('node_modules/'))
    .sort();
}

function entriesOf(folder: string) {
  return readdirSync(folder, { withFileTypes: true, recursive: true });
}

function isTest(file: string): boolean {
  return file.endsWith('.test.ts');
}

function posix(path: string): string {
  return path.split(sep).join('/');
}

if (import.meta.main) {
  const faults = checkLayers(process.argv[2] ?? join(import.meta.dirname, '..'));
  for (const { file, line, message } of faults) console.error(`${file}:${line} ${message}`);
  if (faults.length === 0) console.log('The import rule holds.');
  process.exitCode = faults.length === 0 ? 0 : 1;
}
