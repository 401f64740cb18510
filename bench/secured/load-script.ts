import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface CredentialLoad {
  /** Where the script and the credentials are written. */
  readonly directory: string;
  /** The header field that carries the credential. */
  readonly field: string;
  readonly credentials: readonly string[];
  /** Whether each may be shown once only: then the load ends with them. */
  readonly once: boolean;
}

/**
 * What may still be asked for once the load was told to end. Should these run out as well, requests go out without a
 * credential: they are refused, and the row says so.
 */
export const SPARE_CREDENTIALS = 512;

/** Writes a script for wrk that shows credentials in turn, without any work but a look into a table; resolves with its path. */
export async function writeLoadScript(load: CredentialLoad): Promise<string> {
  if (load.once && load.credentials.length <= SPARE_CREDENTIALS) {
    throw new Error(`a load that shows each credential once takes more than ${SPARE_CREDENTIALS} of them`);
  }
  const list = join(load.directory, 'credentials.txt');
  const script = join(load.directory, 'credentials.lua');
  await writeFile(list, `${load.credentials.join('\n')}\n`);
  await writeFile(
    script,
    `local requests = {}
local at = 0
function init(args)
  for line in io.lines(${JSON.stringify(list)}) do
    requests[#requests + 1] = wrk.format("GET", "/", { [${JSON.stringify(load.field)}] = line })
  end
end
${load.once ? ONCE : IN_TURN}`,
  );
  return script;
}

const IN_TURN = `function request()
  at = at + 1
  if at > #requests then at = 1 end
  return requests[at]
end
`;

/** wrk sleeps until its time is up, whatever its threads do; SIGINT has it report at once. */
const ONCE = `local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int pid, int signal);")
function request()
  at = at + 1
  if at == #requests - ${SPARE_CREDENTIALS} then
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), 2)
  end
  return requests[at] or wrk.format("GET", "/")
end
`;
