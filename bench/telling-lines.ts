import { fileURLToPath } from 'node:url';

/** The last lines a program wrote before it failed, without stack frames and without the path of this checkout. */
export function tellingLines(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '' && !/^\s+at /.test(line));
  return withoutCheckoutPath(lines.slice(-12).join('\n')).slice(-800) || 'it printed nothing';
}

/** What is published names files as the repository does. */
export function withoutCheckoutPath(text: string): string {
  return text.replaceAll(`file://${ROOT}`, '').replaceAll(ROOT, '');
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
