import { CANCEL_SYMBOL, cancel, confirm, intro, select, text } from '@clack/prompts';
import { exactHostOption, nameOption } from '../config/option-types.ts';
import { readPath } from '../config/path-syntax.ts';
import { type InitOptions, judge, nameFrom, readUpstreamUrl } from './init-plan.ts';
import { readOpenApi } from './read-openapi.ts';

/** Asks for what the flags leave open. Undefined: the user wants no file after all. */
export async function askInit(options: InitOptions, fileExists: boolean): Promise<InitOptions | undefined> {
  intro('sallyport init');
  try {
    return await ask(options, fileExists);
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error;
    cancel('Nothing was written.');
    return undefined;
  }
}

async function ask(options: InitOptions, fileExists: boolean): Promise<InitOptions> {
  const force = options.force || (fileExists && (await overwrite(options.output)));
  const source = await askSource(options);
  const described = source.openapi === undefined ? undefined : await readOpenApi(source.openapi);
  const facts = typeof described === 'string' ? undefined : described;
  const base = readUpstreamUrl(source.upstream ?? facts?.server ?? '');
  const name =
    options.name ??
    (await say(
      'What is the API called?',
      nameFrom(facts?.title ?? '') || 'api',
      (value) => judge('', nameOption(), value)[0],
    ));
  const path =
    options.path ?? (await say('Under which path is it published?', 'fault' in base ? '/' : base.path, judgePath));
  const host =
    options.host ??
    (await say('Which host does it answer to? (empty: any)', '', (value) =>
      value === '' ? undefined : judge('', exactHostOption(), value)[0],
    ));
  return { ...options, ...source, force, name, path, ...(host === '' ? {} : { host }) };
}

async function overwrite(file: string): Promise<boolean> {
  const yes = given(await confirm({ message: `${file} is there already. Overwrite it?`, initialValue: false }));
  if (!yes) throw new Cancelled();
  return true;
}

async function askSource(options: InitOptions): Promise<Pick<InitOptions, 'upstream' | 'openapi'>> {
  const flags = {
    ...(options.upstream === undefined ? {} : { upstream: options.upstream }),
    ...(options.openapi === undefined ? {} : { openapi: options.openapi }),
  };
  if (Object.keys(flags).length > 0) return flags;
  const kind = given(
    await select({
      message: 'What is known of the API?',
      options: [
        { value: 'url', label: 'where it runs' },
        { value: 'openapi', label: 'its OpenAPI file' },
      ],
    }),
  );
  if (kind === 'openapi')
    return { openapi: await say('Where is the file?', '', (value) => (value === '' ? 'name a file' : undefined)) };
  return { upstream: await say('Where does it run?', 'http://127.0.0.1:4000', judgeUrl) };
}

async function say(
  message: string,
  initialValue: string,
  judgeAnswer: (value: string) => string | undefined,
): Promise<string> {
  return given(await text({ message, initialValue, validate: (value) => judgeAnswer((value ?? '').trim()) })).trim();
}

function judgeUrl(value: string): string | undefined {
  const read = readUpstreamUrl(value);
  return 'fault' in read ? read.fault : undefined;
}

function judgePath(value: string): string | undefined {
  const refusal = readPath(value);
  return 'message' in refusal ? `${refusal.message}; ${refusal.hint}` : undefined;
}

/** Ctrl-C at a question. */
class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

function given<Value>(answer: Value | typeof CANCEL_SYMBOL): Value {
  if (answer === CANCEL_SYMBOL) throw new Cancelled();
  return answer as Value; // the compiler does not narrow a type parameter by comparison
}
