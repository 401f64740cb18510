import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newClient, readClientRequest } from '../identity/client-keeper.ts';
import type { ClientRequest } from '../identity/client-request.ts';
import type { AuditEvent } from '../stores/audit.ts';
import { allocateCounters, openCounters } from '../stores/open-counters.ts';
import { openRecords } from '../stores/open-records.ts';
import { createSealer } from '../stores/sealer.ts';
import type { Records } from '../stores/stores.ts';
import { type AuthorizationServer, createAuthorizationServer } from './authorization-server.ts';
import type { InteractionHandler, InteractionParts, Resource, Screen, Screens } from './interaction-contract.ts';
import type { AuthorizationServerOptions } from './options.ts';

export const WIDGETS: Resource = {
  audience: 'https://api.example.com/widgets',
  name: 'Widgets',
  scopes: ['widgets:read', 'widgets:write'],
};

export const VAULT: Resource = {
  audience: 'https://api.example.com/vault',
  name: 'Vault',
  scopes: ['vault:open'],
};

/** What a client of a test may ask for unless it says otherwise. */
const EVERY_SCOPE = 'openid profile email offline_access widgets:read widgets:write vault:open';

/** An authorization server on a port of loopback, with records of its own, for tests. */
export interface TestServer {
  readonly issuer: string;
  readonly records: Records;
  readonly server: AuthorizationServer;
  readonly events: AuditEvent[];
  readonly faults: unknown[];
  /** Fields the gateway would write, for requests that follow. */
  readonly fields: Record<string, string>;
  /** Registers a client; its secret is empty where it has none. */
  register(request: ClientRequest): Promise<{ readonly id: string; readonly secret: string }>;
  close(): Promise<void>;
}

export async function startTestServer(
  changes: Partial<AuthorizationServerOptions> = {},
  wrap: (records: Records) => Records = (records) => records,
): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-oauth-'));
  const sealer = createSealer([new Uint8Array(32).fill(7)]);
  const records = await openRecords(
    { driver: 'sqlite', file: join(folder, 'records.db') },
    { sealer, readOnly: false },
  );
  const counters = await openCounters({ driver: 'memory', memory: allocateCounters(1_048_576) });
  const fields: Record<string, string> = {};
  let answer: (req: IncomingMessage, res: ServerResponse) => void = (_req, res) => res.destroy();
  const http = createServer((req, res) => {
    Object.assign(req.headers, { 'x-forwarded-for': '192.0.2.7' }, fields);
    answer(req, res);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  // A listening server over TCP has such an address.
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}/oauth`;
  const events: AuditEvent[] = [];
  const faults: unknown[] = [];
  const server = await createAuthorizationServer({
    issuer,
    records: wrap(records),
    counters,
    accounts: { claimsOf: (id) => Promise.resolve(id === 'nobody' ? undefined : { name: `User ${id}` }) },
    screens: plainScreens,
    createInteractions: approveEverything,
    scopes: { 'widgets:read': 'Read widgets', 'widgets:write': 'Change widgets' },
    resources: [WIDGETS, VAULT],
    cookieSecret: new Uint8Array(32).fill(9),
    report: (event) => events.push(event),
    fault: (error) => faults.push(error),
    ...changes,
  });
  answer = server.handler;
  return {
    issuer,
    records,
    server,
    events,
    faults,
    fields,
    async register(request) {
      const read = readClientRequest({ scope: EVERY_SCOPE, ...request });
      if ('faults' in read) throw new Error(JSON.stringify(read.faults));
      const { client, secret = '' } = newClient(read.request, { source: 'admin', at: Date.now() });
      await records.clients.create(client, []);
      return { id: client.id, secret };
    },
    async close() {
      await server.close();
      http.closeAllConnections();
      http.close();
      await counters.close();
      await records.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Signs in `ada` and grants whatever was asked for, at once: the protocol is tested here, the pages are tested where they are. */
function approveEverything({ provider }: InteractionParts): InteractionHandler {
  return {
    async handle(req, res) {
      if (!req.url?.startsWith('/oauth/interaction/')) return false;
      const details = await provider.interactionDetails(req, res);
      const { prompt, params, session } = details;
      if (prompt.name === 'login') {
        await provider.interactionFinished(
          req,
          res,
          { login: { accountId: 'ada' } },
          { mergeWithLastSubmission: false },
        );
        return true;
      }
      const clientId = String(params['client_id']);
      const accountId = session?.accountId ?? 'ada';
      const grant =
        details.grantId === undefined
          ? new provider.Grant({ accountId, clientId })
          : await provider.Grant.find(details.grantId);
      if (grant === undefined) throw new Error('the grant is gone');
      const { missingOIDCScope, missingResourceScopes } = prompt.details;
      if (Array.isArray(missingOIDCScope)) grant.addOIDCScope(missingOIDCScope.join(' '));
      for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
        if (Array.isArray(scopes)) grant.addResourceScope(resource, scopes.join(' '));
      }
      const consent = { grantId: await grant.save() };
      await provider.interactionFinished(req, res, { consent }, { mergeWithLastSubmission: true });
      return true;
    },
  };
}

const plain = (text: string): Screen => ({ html: text, headers: { 'content-security-policy': "default-src 'none'" } });

const plainScreens: Screens = {
  renderError: ({ error, description }) => plain(`error ${error} ${description ?? ''}`),
  userCodeInput: ({ form, problem }) => plain(JSON.stringify({ form, problem })),
  userCodeConfirm: ({ form, client, userCode }) => plain(JSON.stringify({ form, client, userCode })),
  deviceSuccess: ({ client }) => plain(`connected ${client.name}`),
  logout: ({ form, redirectOrigin }) => plain(JSON.stringify({ form, redirectOrigin })),
  postLogout: () => plain('signed out'),
};
