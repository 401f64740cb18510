import { type ExitCode, exitCodes, type ProgramFacts } from './output.ts';

export function version(options: { readonly json: boolean }, facts: ProgramFacts): ExitCode {
  const { version } = facts;
  facts.terminal.out(
    options.json
      ? JSON.stringify({ version, node: process.versions.node, openssl: process.versions.openssl })
      : `sallyport ${version} (Node ${process.versions.node}, OpenSSL ${process.versions.openssl})`,
  );
  return exitCodes.ok;
}
