import { type Browser, chromium } from 'playwright-core';
import { findTool } from './require-tool.ts';

/** Opens the system's Chromium without a window. Ask `skipUnless('chromium')` first. Close it, or the test never ends. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findTool('chromium');
  if (executablePath === undefined) throw new Error('chromium is not installed (Debian: apt-get install chromium)');
  return await chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--no-sandbox', // containers of CI have no user namespaces; every page in the tests is our own
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
