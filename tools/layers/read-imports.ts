import { existsSync, globSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import {
  isCallExpression,
  isExportDeclaration,
  isIdentifier,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isMetaProperty,
  isNewExpression,
  isPropertyAccessExpression,
  isStringLiteralLikeNode,
  type Node,
  type SourceFile,
  SyntaxKind,
} from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';
import { type ModuleFile, moduleFile } from './module-file.ts';

/** One mention of another module: a static, dynamic or type import, a re-export, or a `new URL('./x.ts', import.meta.url)`. */
export interface ImportEdge {
  readonly line: number;
  /** As written; undefined where it is computed at run time. */
  readonly specifier: string | undefined;
  /** Relative to the root; undefined for packages and computed specifiers. It may begin with `../`. */
  readonly target: string | undefined;
}

export interface ReadModule {
  readonly file: ModuleFile;
  readonly imports: readonly ImportEdge[];
  /** Lines of statements that are no re-export by name: what `index.ts` must not have. */
  readonly ownStatements: readonly number[];
}

/**
 * Parses every file of `<root>/src` with TypeScript's own parser, so that comments, strings and templates cannot
 * hide or feign an import. What it cannot see: `require`, and paths that reach a loader by another way than those above.
 */
export function readImports(root: string): readonly ReadModule[] {
  const files = globSync('src/**/*.{ts,mts,cts,tsx,js,mjs,cjs}', { cwd: root }).map((path) =>
    path.replaceAll('\\', '/'),
  );
  if (files.length === 0) throw new Error(`${join(root, 'src')} has no source files`);
  // A project of nothing but these files: without libraries and resolution it is parsed in a moment. The compiler looks
  // its file up on disk, so that it needs no place there.
  const project = join(root, 'tsconfig.check-layers.json');
  const settings = JSON.stringify({
    compilerOptions: { noEmit: true, noResolve: true, noLib: true, types: [], allowJs: true, module: 'nodenext' },
    files,
  });
  const compiler = new API({
    cwd: root,
    fs: {
      readFile: (path) => (path === project ? settings : undefined),
      fileExists: (path) => (path === project ? true : undefined),
    },
  });
  try {
    const program = compiler.updateSnapshot({ openProjects: [project] }).getProjects()[0]?.program;
    return files.sort().map((path) => {
      const source = program?.getSourceFile(join(root, path));
      if (source === undefined) throw new Error(`${path} was not parsed`);
      return readModule(root, path, source);
    });
  } finally {
    compiler.close();
  }
}

function readModule(root: string, path: string, source: SourceFile): ReadModule {
  const imports: ImportEdge[] = [];
  const visit = (node: Node): undefined => {
    const specifier = importedBy(node);
    if (specifier !== undefined) {
      const text = isStringLiteralLikeNode(specifier) ? specifier.text : undefined;
      imports.push({ line: lineOf(source, node), specifier: text, target: resolveTarget(root, path, text) });
    }
    node.forEachChild(visit);
  };
  visit(source);
  const ownStatements = source.statements.filter((statement) => !isNamedReExport(statement));
  return {
    file: moduleFile(path),
    imports,
    ownStatements: ownStatements.map((statement) => lineOf(source, statement)),
  };
}

/** The node that says what is imported, where `node` imports anything. */
function importedBy(node: Node): Node | undefined {
  if (isImportDeclaration(node) || isExportDeclaration(node)) return node.moduleSpecifier;
  if (isImportTypeNode(node)) return isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument;
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) return node.arguments[0] ?? node;
  if (isNewExpression(node) && isIdentifier(node.expression) && node.expression.text === 'URL') {
    const [path, base] = node.arguments ?? [];
    const names = path !== undefined && isStringLiteralLikeNode(path) && /^\.{1,2}\/.*\.[cm]?[jt]s$/.test(path.text);
    return names && base !== undefined && isModuleUrl(base) ? path : undefined;
  }
  return undefined;
}

function isModuleUrl(node: Node): boolean {
  return isPropertyAccessExpression(node) && isMetaProperty(node.expression) && node.name.text === 'url';
}

function isNamedReExport(statement: Node): boolean {
  return (
    isExportDeclaration(statement) &&
    statement.moduleSpecifier !== undefined &&
    statement.exportClause?.kind === SyntaxKind.NamedExports
  );
}

function resolveTarget(root: string, from: string, specifier: string | undefined): string | undefined {
  if (specifier === undefined || !/^\.{1,2}(\/|$)/.test(specifier)) return undefined;
  const target = posix.normalize(posix.join(dirname(from), specifier));
  // A compiled name means the source beside it.
  const source = target.replace(/\.js$/, '.ts');
  return !existsSync(join(root, target)) && existsSync(join(root, source)) ? source : target;
}

function lineOf(source: SourceFile, node: Node): number {
  return source.text.slice(0, node.getStart(source)).split('\n').length;
}
