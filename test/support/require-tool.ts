import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program the tests run for real. */
export interface TestTool {
  /** Names it goes by, the first one found is used. */
  readonly commands: readonly string[];
  readonly debianPackage: string;
  /** What is not tested without it. */
  readonly shows: string;
}

/** Every program of the system the tests make use of. */
// biome-ignore format: aligned on purpose, one program a row
export const testTools = {
  openssl:  { commands: ['openssl'],               debianPackage: 'openssl',    shows: 'TLS handshakes and certificates as others see them' },
  curl:     { commands: ['curl'],                  debianPackage: 'curl',       shows: 'the commands the README prints' },
  caddy:    { commands: ['caddy'],                 debianPackage: 'caddy',      shows: 'ACME, against a real ACME server' },
  nginx:    { commands: ['nginx'],                 debianPackage: 'nginx',      shows: 'upstreams other than Node' },
  sslscan:  { commands: ['sslscan'],               debianPackage: 'sslscan',    shows: 'that no weak protocol or cipher is offered' },
  testssl:  { commands: ['testssl', 'testssl.sh'], debianPackage: 'testssl.sh', shows: 'that no known TLS weakness is there' },
  postgres: { commands: ['postgres'],              debianPackage: 'postgresql', shows: 'records on PostgreSQL, and what happens when it fails' },
  chromium: { commands: ['chromium', 'chromium-browser', 'google-chrome'], debianPackage: 'chromium', shows: 'pages as people see them, passkeys, and what browsers forbid' },
  'redis-server': { commands: ['redis-server', 'valkey-server'], debianPackage: 'redis-server', shows: 'counters on Redis and Valkey, and what happens when they fail' },
} as const satisfies Record<string, TestTool>;

export type TestToolName = keyof typeof testTools;

/**
 * For the `skip` option of `node:test`: false where the program is installed, else the reason for skipping. Where
 * SALLYPORT_REQUIRE_ALL is 1, as in CI, it throws instead: a test that did not run has shown nothing.
 */
export function skipUnless(tool: TestToolName): false | string {
  if (findTool(tool) !== undefined) return false;
  const { debianPackage, shows } = testTools[tool];
  return skipBecause(`${tool} is not installed (Debian: apt-get install ${debianPackage}); it shows ${shows}`);
}

/** The same for a reason found otherwise, such as a port that cannot be bound. */
export function skipBecause(reason: string): string {
  if (process.env['SALLYPORT_REQUIRE_ALL'] === '1') {
    throw new Error(`SALLYPORT_REQUIRE_ALL=1 forbids skipping: ${reason}`);
  }
  return reason;
}

/** The path of a program; undefined where it is not installed. */
export function findTool(tool: TestToolName): string | undefined {
  for (const directory of searchPath().split(delimiter)) {
    for (const command of testTools[tool].commands) {
      const path = join(directory, command);
      if (isExecutable(path)) return path;
    }
  }
  return undefined;
}

/** PATH, and the directories where servers such as nginx are installed but which many users do not have in it. */
export function searchPath(): string {
  return [process.env['PATH'] ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin', ...postgresDirectories()]
    .filter((part) => part !== '')
    .join(delimiter);
}

/** Debian keeps the servers of several versions of PostgreSQL side by side and puts none of them into PATH; newest first. */
function postgresDirectories(): readonly string[] {
  const home = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(home).sort((one, other) => Number(other) - Number(one));
    return versions.map((version) => join(home, version, 'bin'));
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
