import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { readRegularFile, readText } from '../config/read-file.ts';

/** What `init` takes from a description of an API. */
export interface OpenApiFacts {
  /** On one line. */
  readonly title: string;
  /** The URL of the first server, its variables replaced by their defaults; `/` and more where it names no host. Undefined without servers. */
  readonly server: string | undefined;
  readonly operations: number;
}

/** Reads an OpenAPI 3.0 or 3.1 file, YAML or JSON. A text says in one sentence why it cannot be used. */
export async function readOpenApi(file: string): Promise<OpenApiFacts | string> {
  const read = await readText(resolve(file), readRegularFile);
  if ('reason' in read) return `${file} cannot be read: ${read.reason}`;
  const document = parseDocument(read.text, { prettyErrors: true, stringKeys: true });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const place = broken.linePos === undefined ? '' : `:${broken.linePos[0].line}:${broken.linePos[0].col}`;
    return `${file}${place} is neither YAML nor JSON: ${broken.message.split('\n')[0]?.replace(/ at line .*$/, '')}`;
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 }); // more is a bomb: a few lines that unfold to gigabytes
  } catch (error) {
    return `${file} cannot be unfolded: ${error instanceof Error ? error.message : String(error)}`;
  }
  return factsOf(file, value);
}

function factsOf(file: string, value: unknown): OpenApiFacts | string {
  if (typeof value !== 'object' || value === null) return `${file} is no OpenAPI description: it holds no object`;
  if ('swagger' in value) return `${file} is Swagger 2.0; convert it to OpenAPI 3.0 or 3.1`;
  if (!('openapi' in value))
    return `${file} is no OpenAPI description: it has no \`openapi\` with a version such as 3.1.0`;
  if (typeof value.openapi !== 'string' || !/^3\.[01](\.|$)/.test(value.openapi)) {
    return `${file} has OpenAPI version ${JSON.stringify(value.openapi)}; 3.0 and 3.1 can be read`;
  }
  const parsed = description.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `${file}: ${issue?.path.join('.')}: ${issue?.message}`;
  }
  const { info, servers, paths } = parsed.data;
  const first = servers[0];
  return {
    title: info.title.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim(),
    server: first === undefined ? undefined : fill(first.url, first.variables),
    operations: Object.values(paths).reduce((sum, item) => sum + Object.keys(item).filter(isMethod).length, 0),
  };
}

function fill(url: string, variables: Readonly<Record<string, { readonly default: string }>>): string {
  return url.replaceAll(/\{([^{}]*)\}/g, (written, name: string) =>
    Object.hasOwn(variables, name) ? (variables[name]?.default ?? written) : written,
  );
}

function isMethod(key: string): boolean {
  return METHODS.has(key);
}

const METHODS: ReadonlySet<string> = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']);

/** Only what is used here is looked at; the rest of a description is its author's business. */
const description = z.object({
  info: z.object({ title: z.string().min(1).max(1000) }),
  servers: z
    .array(
      z.object({
        url: z.string().min(1).max(2000),
        variables: z.record(z.string(), z.object({ default: z.string() })).default({}),
      }),
    )
    .default([]),
  paths: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
});
