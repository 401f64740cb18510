import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openVisitor, type Visitor } from '../../src/oauth/accounts/test-visitor.ts';
import { createTestAuthority, type PemPair, type TestAuthority } from './certificate-authority.ts';
import { freePort, startGateway, type TestGateway } from './gateway.ts';
import { devCaOf } from './gateway-under-attack.ts';
import { openTlsFetch, type TlsFetch } from './oauth-fetch.ts';
import { startUpstream, type TestUpstream } from './upstream.ts';

export const CALLBACK = 'https://app.example.com/callback';

/** Somebody with an account, made by `sallyport users create`. */
export const ADA = { username: 'ada', password: 'a quiet harbour at dawn' } as const;

/** A gateway with its authorization server and two APIs behind it, on a public TLS listener. */
export interface OauthGateway {
  readonly gateway: TestGateway;
  readonly upstream: TestUpstream;
  /** All that clients know. */
  readonly issuer: string;
  /** The APIs, by their URLs, which are their audiences too. */
  readonly widgets: string;
  readonly vault: string;
  /** Verifies the certificates of programs, where they come with one of it; and those of servers that clients name. */
  readonly partners: TestAuthority;
  /** A connection pool like that of another machine: with a certificate, or from another address of loopback. */
  fetchAs(who?: { readonly certificate?: PemPair; readonly address?: string }): TlsFetch['fetch'];
  /** A browser with no cookies yet. */
  browse(fetch?: TlsFetch['fetch']): Visitor;
  /** A command of the command line, with what is piped into it; its output. Rejects where it fails. */
  run(args: readonly string[], input?: string): Promise<string>;
  stop(): Promise<void>;
}

/** What a test adds to the configuration, and what is to be there before the gateway starts. */
export interface OauthGatewayPlan {
  readonly clients?: readonly object[];
  /** Further options of `authorizationServer`. */
  readonly server?: object;
  /** Further top-level options. */
  readonly more?: object;
  /** Further alternatives to `authenticate` at the widgets. */
  readonly alternatives?: readonly object[];
  /** Makes accounts; ADA alone where it is left out. */
  readonly users?: readonly { readonly username: string; readonly password: string }[];
}

/** Starts one. `plan` is asked with the origin of the gateway and the authority of the partners, for what has to name them. */
export async function startOauthGateway(
  plan: (facts: {
    readonly origin: string;
    readonly partners: TestAuthority;
  }) => OauthGatewayPlan | Promise<OauthGatewayPlan>,
): Promise<OauthGateway> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    return await start(plan, stops);
  } catch (error) {
    await undo(stops);
    throw error;
  }
}

async function start(
  plan: Parameters<typeof startOauthGateway>[0],
  stops: (() => Promise<unknown>)[],
): Promise<OauthGateway> {
  const upstream = await startUpstream();
  stops.push(upstream.close);
  const directory = await mkdtemp(join(tmpdir(), 'sp-oauth-'));
  stops.push(() => rm(directory, { recursive: true, force: true }));
  const partners = await createTestAuthority('Partners CA');
  const partnersFile = join(directory, 'partners.pem');
  await writeFile(partnersFile, partners.cert);

  const port = await freePort();
  const origin = `https://localhost:${port}`;
  const issuer = `${origin}/oauth`;
  const [widgets, vault] = [`${origin}/widgets`, `${origin}/vault`];
  const { clients = [], server, more, alternatives = [], users = [ADA] } = await plan({ origin, partners });
  const config = {
    listeners: [
      {
        name: 'public',
        address: `127.0.0.1:${port}`,
        tls: { clientCa: partnersFile, clientCertificates: 'requested' },
      },
    ],
    workers: 2,
    authorizationServer: {
      issuer,
      scopes: { 'widgets:read': 'See your widgets', 'widgets:write': 'Change your widgets', 'vault:open': 'Open it' },
      ca: `\${file:${partnersFile}}`,
      clients,
      ...server,
    },
    apis: [
      {
        name: 'widgets',
        path: '/widgets',
        upstream: upstream.url,
        authenticate: [{ oauth: { audience: widgets } }, ...alternatives],
        authorize: { scopes: { GET: ['widgets:read'], POST: ['widgets:write'] } },
      },
      { name: 'vault', path: '/vault', upstream: upstream.url, authenticate: [{ oauth: { audience: vault } }] },
    ],
    ...more,
  };
  // JSON is YAML.
  const gateway = await startGateway(JSON.stringify(config));
  stops.push(gateway.stop);

  const ca = devCaOf(gateway);
  const fetchAs: OauthGateway['fetchAs'] = ({ certificate, address } = {}) => {
    const opened = openTlsFetch({ ca: [ca, partners.cert], certificate, address });
    stops.push(opened.close);
    return opened.fetch;
  };
  const anybody = fetchAs();
  const made: OauthGateway = {
    gateway,
    upstream,
    issuer,
    widgets,
    vault,
    partners,
    fetchAs,
    browse: (fetch = anybody) => openVisitor({ issuer }, fetch),
    run: (args, input) => runCommand([...args, '--config', gateway.configPath], input),
    stop: () => undo(stops),
  };
  for (const { username, password } of users)
    await made.run(['users', 'create', username, '--password-stdin'], `${password}\n`);
  return made;
}

/** In reverse, each whatever became of the others. */
async function undo(stops: (() => Promise<unknown>)[]): Promise<void> {
  for (const stop of stops.splice(0).reverse()) await stop().catch(() => undefined);
}

const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

async function runCommand(args: readonly string[], input = ''): Promise<string> {
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      output += part;
    });
  child.stdin.end(input);
  await once(child, 'close');
  if (child.exitCode !== 0) throw new Error(`sallyport ${args.join(' ')}: ${output}`);
  return output;
}
