import { basename, extname } from 'node:path';
import { exactHostOption, nameOption, targetOption } from '../config/option-types.ts';
import { readPath } from '../config/path-syntax.ts';
import type { OpenApiFacts } from './read-openapi.ts';

/** The flags of `init`, as the command line gives them. */
export interface InitOptions {
  readonly upstream?: string;
  readonly openapi?: string;
  readonly name?: string;
  readonly path?: string;
  readonly host?: string;
  readonly output: string;
  readonly force: boolean;
  readonly yes: boolean;
  readonly json: boolean;
}

/** What the file to write will say. */
export interface InitPlan {
  readonly name: string;
  /** The title of the description, or the name. */
  readonly title: string;
  readonly path: string;
  /** The path the upstream sees instead; undefined where it is the same. */
  readonly rewrite: string | undefined;
  readonly host: string | undefined;
  /** An http or https origin. */
  readonly target: string;
}

/** Works out the plan from flags and description; `faults` are sentences on what is wrong with the flags. */
export function planInit(
  options: InitOptions,
  description: OpenApiFacts | undefined,
): { readonly plan: InitPlan } | { readonly faults: readonly string[] } {
  const faults: string[] = [];
  const extension = extname(options.output);
  if (extension !== '.yaml' && extension !== '.yml') {
    faults.push(`--output ${show(basename(options.output))}: init writes YAML; name a file that ends in .yaml`);
  }
  const base = baseOf(options, description, faults);
  const name = options.name ?? (nameFrom(description?.title ?? '') || 'api');
  faults.push(...judge('--name', nameOption(), name));
  if (options.host !== undefined) faults.push(...judge('--host', exactHostOption(), options.host));
  const path = options.path ?? base.path;
  const refusal = readPath(path);
  if ('message' in refusal) faults.push(`--path ${show(path)} ${refusal.message}; ${refusal.hint}`);
  if (faults.length > 0) return { faults };
  const rewrite = path === base.path ? undefined : base.path;
  return { plan: { name, title: description?.title ?? name, path, rewrite, host: options.host, target: base.target } };
}

/** Splits the URL of an upstream; a fault where it is none. */
export function readUpstreamUrl(
  text: string,
): { readonly target: string; readonly path: string } | { readonly fault: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:') || !/^https?:\/\//i.test(text)) {
    return { fault: `${show(text)} is no http or https URL; write one such as http://127.0.0.1:4000` };
  }
  if (url.search !== '' || url.hash !== '') return { fault: `${show(text)} has a query or fragment; leave it out` };
  if (url.username !== '' || url.password !== '') {
    // Not shown: it holds a password.
    return { fault: 'the URL has credentials, which logs and process lists would show; leave them out' };
  }
  const [fault] = judge('', targetOption(), url.origin);
  if (fault !== undefined) return { fault: fault.trim() };
  return { target: url.origin, path: url.pathname.replace(/\/+$/, '') || '/' };
}

function baseOf(
  options: InitOptions,
  description: OpenApiFacts | undefined,
  faults: string[],
): { readonly target: string; readonly path: string } {
  const flag = options.upstream;
  const server = description?.server;
  const text = flag ?? (server === undefined || server.startsWith('/') ? undefined : server);
  if (text === undefined) {
    if (server === undefined)
      faults.push('where does the API run? give --upstream <url>, or --openapi <file> with a server');
    else faults.push(`the first server of the description, ${show(server)}, names no host; give --upstream <url>`);
    return NOWHERE;
  }
  const read = readUpstreamUrl(text);
  if ('fault' in read) {
    faults.push(`${flag === undefined ? 'the first server of the description' : '--upstream'}: ${read.fault}`);
    return NOWHERE;
  }
  // A server of its own says where the API runs; the description still says under which path it lives there.
  return flag !== undefined && read.path === '/' ? { ...read, path: pathOf(server) } : read;
}

function pathOf(server: string | undefined): string {
  if (server === undefined || !URL.canParse(server, 'http://relative')) return '/';
  return new URL(server, 'http://relative').pathname.replace(/\/+$/, '') || '/';
}

/** A name in the letters a configuration allows. */
export function nameFrom(title: string): string {
  return title
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 64)
    .replaceAll(/^-+|-+$/g, '');
}

interface Option {
  safeParse(value: string): {
    readonly error?:
      | { readonly issues: readonly { readonly message: string; readonly params?: unknown }[] }
      | undefined;
  };
}

/** What the option of the configuration file says of a flag's value. */
export function judge(flag: string, option: Option, text: string): string[] {
  return (option.safeParse(text).error?.issues ?? []).map(({ message, params }) => {
    const hint: unknown = Object(params).hint;
    return `${flag} ${show(text)} ${message}${typeof hint === 'string' ? `; ${hint}` : ''}`;
  });
}

/** Short, and with control characters written out. */
function show(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

const NOWHERE = { target: '', path: '/' };
