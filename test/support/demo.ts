import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import manifest from '../../package.json' with { type: 'json' };
import { launchChromium } from './chromium.ts';
import { freePort } from './gateway.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The command of `npm start`, running on ports and in a data directory of its own. */
export interface Demo {
  readonly env: NodeJS.ProcessEnv;
  readonly directory: string;
  readonly process: ReturnType<typeof spawn>;
  /** Everything it printed. */
  text(): string;
  /** Ends it as Ctrl-C does. What it keeps stays. */
  end(): Promise<void>;
  /** Ends it, and removes what it kept. */
  stop(): Promise<void>;
}

/** Resolves once the demo has said what to try. `given` is added to its environment; that of one that has ended starts it again. */
export async function startDemo(given: NodeJS.ProcessEnv = {}): Promise<Demo> {
  const env = { ...process.env, ...(given['DEMO_DATA_DIR'] === undefined ? await ownPlace() : {}), ...given };
  const directory = String(env['DEMO_DATA_DIR']);
  const demo = runDemo(env);
  await demo.printed('Ctrl-C ends everything');
  async function end(): Promise<void> {
    if (demo.process.exitCode !== null) return;
    demo.process.kill('SIGINT');
    await once(demo.process, 'exit');
  }
  return {
    env,
    directory,
    process: demo.process,
    text: demo.text,
    end,
    async stop() {
      await end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function ownPlace(): Promise<NodeJS.ProcessEnv> {
  return {
    DEMO_PORT: String(await freePort()),
    DEMO_REDIRECT_PORT: String(await freePort()),
    DEMO_INTERNAL_PORT: String(await freePort()),
    DEMO_DATA_DIR: await mkdtemp(join(tmpdir(), 'sp-demo-')),
  };
}

/** Runs the command of `npm start`. */
export function runDemo(env: NodeJS.ProcessEnv) {
  const [, script = ''] = manifest.scripts.start.split(' ');
  const child = spawn(process.execPath, [script], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      for (const look of waiting) look();
    });
  }
  return {
    process: child,
    text: () => text,
    /** Resolves when it has printed this; rejects where it ends before. */
    printed: (part: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (text.includes(part)) resolve();
        };
        waiting.add(look);
        child.once('exit', () => reject(new Error(`it ended before it printed ${JSON.stringify(part)}:\n${text}`)));
        look();
      }),
  };
}

export interface SignedIn {
  readonly browser: Browser;
  readonly context: BrowserContext;
  readonly page: Page;
  readonly url: string;
  /** Text of every reply the page got, and every address it asked. */
  readonly seen: readonly string[];
}

/** Opens the printed address in Chromium, signs in as the printed user, consents, and waits for the app. */
export async function signInToDemo(demo: Pick<Demo, 'text'>): Promise<SignedIn> {
  const [, url = '', user = '', password = ''] =
    /^ {2}(https:\S+) +user (\S+) +password (\S+)$/m.exec(demo.text()) ?? [];
  const browser = await launchChromium();
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const seen: string[] = [];
  page.on('request', (request) => seen.push(request.url()));
  page.on('response', async (reply) => {
    const isText = /json|text|javascript/.test(reply.headers()['content-type'] ?? '');
    if (isText) seen.push(await reply.text().catch(() => '')); // a redirect has no body
  });
  await page.goto(url);
  await page
    .getByRole('link', { name: 'Sign in' })
    .or(page.getByRole('button', { name: 'Sign in' }))
    .first()
    .click();
  await page.locator('input[name=username]').fill(user);
  await page.locator('input[name=password]').fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL(url);
  await page.getByText('Ada Lovelace').waitFor();
  return { browser, context, page, url, seen };
}
