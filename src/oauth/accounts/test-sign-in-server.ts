import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newClient, readClientRequest } from '../../identity/client-keeper.ts';
import type { ClientRequest } from '../../identity/client-request.ts';
import { newUser } from '../../identity/user-keeper.ts';
import type { AuditEvent } from '../../stores/audit.ts';
import type { Counters } from '../../stores/counters.ts';
import { allocateCounters, openCounters } from '../../stores/open-counters.ts';
import { openRecords } from '../../stores/open-records.ts';
import { createSealer } from '../../stores/sealer.ts';
import type { Records, User } from '../../stores/stores.ts';
import { type AuthorizationServer, createAuthorizationServer } from '../authorization-server.ts';
import { createLook } from '../screens/page.ts';
import { createScreens } from '../screens/screens.ts';
import { createAccounts } from './accounts.ts';
import { createInteractions } from './interactions.ts';
import type { UpstreamProvider } from './upstream-provider.ts';

export const PASSWORD = 'a quiet harbour at dawn';

/** What a client of a test may ask for unless it says otherwise. */
const EVERY_SCOPE = 'openid profile email offline_access ships:read ships:steer';

/** The authorization server with its real pages, stores and protocol, and an app that people come back to, for tests. */
export interface SignInServer {
  readonly issuer: string;
  /** Where it listens, whatever the issuer says. */
  readonly port: number;
  readonly records: Records;
  readonly counters: Counters;
  readonly server: AuthorizationServer;
  readonly events: AuditEvent[];
  readonly faults: unknown[];
  /** The redirect URI of the app; its page says "Back at the app". */
  readonly callback: string;
  /** What the gateway writes as the address of the browser. */
  address: string;
  addUser(username: string, change?: Partial<User>): Promise<User>;
  register(request: ClientRequest): Promise<string>;
  close(): Promise<void>;
}

/** An app that can keep no secret, as most are that people sign in at. */
export function fleetApp({ callback }: Pick<SignInServer, 'callback'>): ClientRequest {
  return { name: 'Fleet app', redirect_uris: [callback], token_endpoint_auth_method: 'none' };
}

/** The server with that app, and with accounts of these names. */
export async function startFleet(
  ...usernames: readonly string[]
): Promise<{ readonly at: SignInServer; readonly clientId: string }> {
  const at = await startSignInServer();
  const clientId = await at.register(fleetApp(at));
  for (const username of usernames) await at.addUser(username);
  return { at, clientId };
}

export interface SignInServerOptions {
  readonly upstream?: (issuer: string) => UpstreamProvider;
  readonly counters?: (real: Counters) => Counters;
  /** What the server works with in the place of its records; tests keep the real ones. */
  readonly records?: (real: Records) => Records;
  /** Shown in the place of the issuer, as TLS in front would have it. */
  readonly issuer?: string;
}

export async function startSignInServer(options: SignInServerOptions = {}): Promise<SignInServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-sign-in-'));
  const file = join(folder, 'records.db');
  const sealer = createSealer([new Uint8Array(32).fill(7)]);
  const records = await openRecords({ driver: 'sqlite', file }, { sealer, readOnly: false });
  const memory = await openCounters({ driver: 'memory', memory: allocateCounters(1_048_576) });
  const counters = options.counters?.(memory) ?? memory;
  let answer: (req: IncomingMessage, res: ServerResponse) => void = (_req, res) => res.destroy();
  const http = await listen((req, res) => {
    req.headers['x-forwarded-for'] = facts.address;
    answer(req, res);
  });
  const app = await listen((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/html' });
    res.end('<!doctype html><html lang="en"><title>App</title><h1>Back at the app</h1>');
  });
  const issuer = options.issuer ?? `http://localhost:${portOf(http)}/oauth`;
  const upstream = options.upstream?.(issuer);
  const events: AuditEvent[] = [];
  const faults: unknown[] = [];
  const facts = { address: '192.0.2.7' };
  const served = options.records?.(records) ?? records;
  const server = await createAuthorizationServer({
    issuer,
    records: served,
    counters,
    accounts: createAccounts(served),
    screens: createScreens(createLook({ title: 'Harbour Works', issuer })),
    createInteractions: createInteractions({ title: 'Harbour Works', upstream }),
    scopes: { 'ships:read': 'See the ships of your fleet', 'ships:steer': 'Steer the ships of your fleet' },
    resources: [
      {
        audience: 'https://api.example.com/ships',
        name: 'Fleet API',
        scopes: ['ships:read', 'ships:steer'],
      },
    ],
    cookieSecret: new Uint8Array(32).fill(9),
    report: (event) => events.push(event),
    fault: (error) => faults.push(error),
  });
  answer = server.handler;

  return Object.assign(facts, {
    issuer,
    port: portOf(http),
    records,
    counters,
    server,
    events,
    faults,
    callback: `http://127.0.0.1:${portOf(app)}/callback`,
    async addUser(username: string, change: Partial<User> = {}) {
      const { user, faults: wrong } = await newUser({ username, password: PASSWORD, claims: { name: 'Ada' } });
      if (user === undefined) throw new Error(JSON.stringify(wrong));
      const made = { ...user, ...change };
      await records.users.create(made, []);
      return made;
    },
    async register(request: ClientRequest) {
      const read = readClientRequest({ scope: EVERY_SCOPE, ...request });
      if ('faults' in read) throw new Error(JSON.stringify(read.faults));
      const { client } = newClient(read.request, { source: 'admin', at: Date.now() });
      await records.clients.create(client, []);
      return client.id;
    },
    async close() {
      await upstream?.close();
      await server.close();
      for (const one of [http, app]) {
        one.closeAllConnections();
        one.close();
      }
      await counters.close();
      await records.close();
      await rm(folder, { recursive: true, force: true });
    },
  });
}

async function listen(listener: RequestListener): Promise<Server> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  // A server that listens over TCP has such an address.
  return (server.address() as AddressInfo).port;
}
