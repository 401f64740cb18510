import { CANCEL_SYMBOL, confirm, password } from '@clack/prompts';
import type { ProgramFacts } from './output.ts';

/** Nobody said yes: by answering no, or because nobody could be asked. */
export class Declined extends Error {
  override readonly name = 'Declined';
}

/** Asks before something that cannot be taken back; `yes` is the flag that answers beforehand. Rejects with Declined. */
export async function confirmRemoval(what: string, yes: boolean, facts: ProgramFacts): Promise<void> {
  if (yes) return;
  if (!canAsk(facts)) throw new Declined(`${what}? Nobody can be asked here: say it with --yes.`);
  const answer = await confirm({ message: `${what}?`, initialValue: false });
  if (answer !== true) throw new Declined('Nothing was changed.');
}

/** A new password, from the terminal or from what is piped in; never from the command line, which others can read. */
export async function readNewPassword(fromInput: boolean, facts: ProgramFacts): Promise<string> {
  if (fromInput) return await firstLine(facts);
  if (!canAsk(facts)) throw new Declined('A password is typed on a terminal, or piped in with --password-stdin.');
  const first = given(await password({ message: 'New password' }));
  const second = given(await password({ message: 'The same again' }));
  if (first !== second) throw new Declined('The two passwords differ; nothing was changed.');
  return first;
}

function canAsk(facts: ProgramFacts): boolean {
  return facts.input === undefined && process.stdin.isTTY === true && process.stderr.isTTY === true;
}

async function firstLine(facts: ProgramFacts): Promise<string> {
  let text = '';
  const input = facts.input ?? process.stdin;
  input.setEncoding('utf8');
  for await (const part of input) {
    text += part;
    if (text.length > MAX_INPUT) throw new Declined(`More than ${MAX_INPUT} characters are no password.`);
  }
  const line = text.replace(/\r?\n$/, '');
  if (line === '' || line.includes('\n')) throw new Declined('--password-stdin wants one line with the password.');
  return line;
}

function given(answer: string | typeof CANCEL_SYMBOL): string {
  if (answer === CANCEL_SYMBOL) throw new Declined('Nothing was changed.');
  return String(answer);
}

const MAX_INPUT = 4_096;
