import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CustomFetch } from 'openid-client';
import type { SessionCookies } from '../identity/session-cookie.ts';
import type { Log } from '../observe/log.ts';
import type { Counters } from '../stores/counters.ts';
import { type Records, StoreUnavailable } from '../stores/stores.ts';
import { type Answer, deny, writeAnswer } from './answer.ts';
import { type AppRequest, readAppRequest } from './app-request.ts';
import { backchannelLogout } from './backchannel-logout.ts';
import { beginSignIn } from './begin-sign-in.ts';
import { finishSignIn } from './finish-sign-in.ts';
import { actionAt, type LoginSettings } from './login-settings.ts';
import type { LoginParts } from './parts.ts';
import { createProvider, type Provider } from './provider.ts';
import { createSessionRefresher } from './session-refresh.ts';
import { askSignOut, signOut } from './sign-out.ts';
import { tellSession } from './tell-session.ts';
import { createTransactions } from './transaction.ts';

export interface LoginAppOptions {
  readonly records: Pick<Records, 'sessions'>;
  readonly counters: Counters;
  readonly cookies: SessionCookies;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly logins: readonly LoginSettings[];
  /** A way to an issuer other than the network, such as the embedded authorization server's own socket; undefined where there is none. */
  readonly fetchFor: (issuer: string) => CustomFetch | undefined;
}

/** What the gateway answers below the path of a login, on the control plane. It trusts the fields that say where a request was sent to, and to which login: only the road reaches it. */
export interface LoginApp {
  handler(request: IncomingMessage, response: ServerResponse): void;
  /** Renews the tokens of a session, once for all who ask at a time; whether it still stands. */
  refresh(sessionId: string): Promise<boolean>;
  /** Notes that a session is in use; whether it still stands. */
  touch(sessionId: string): Promise<boolean>;
  /** Puts the logins of another configuration into force. What has not changed keeps what it knows of its provider. */
  update(logins: readonly LoginSettings[]): void;
  close(): Promise<void>;
}

export function createLoginApp(options: LoginAppOptions): LoginApp {
  const parts: LoginParts = { ...options, transactions: createTransactions(options.cookies, options.clock) };
  let providers = new Map<string, Provider>();
  update(options.logins);
  const sessions = createSessionRefresher(parts, (login) => providers.get(login));

  function update(logins: readonly LoginSettings[]): void {
    const next = new Map<string, Provider>();
    for (const settings of logins) {
      const present = providers.get(settings.name);
      const same = present !== undefined && JSON.stringify(present.settings) === JSON.stringify(settings);
      const ownWay = () => options.fetchFor(settings.issuer);
      next.set(settings.name, same ? present : createProvider(settings, { ownWay, clock: options.clock }));
    }
    const gone = [...providers].filter(([name, provider]) => next.get(name) !== provider);
    providers = next;
    // A sign-in under way ends with an error page, from which it can be begun again.
    for (const [, provider] of gone) void provider.close();
  }

  async function answer(incoming: IncomingMessage): Promise<Answer> {
    const request = readAppRequest(incoming);
    if (request === undefined) return NO_HOST;
    // Path and host would not do: logins of two listeners may share both.
    const provider = request.login === undefined ? undefined : providers.get(request.login);
    const action = provider === undefined ? undefined : actionAt(provider.settings, request.path);
    if (provider === undefined || action === undefined) return deny(request, 'no-route');
    try {
      return await step(request, action, { provider, parts });
    } catch (error) {
      return fault(request, error, parts);
    }
  }

  return {
    handler(incoming, response) {
      answer(incoming)
        .then((reply) => {
          writeAnswer(response, reply);
          incoming.resume(); // what nobody read of the body must not keep the connection
        })
        .catch((error: unknown) => {
          parts.log.error({ err: error }, 'a login could not be answered');
          response.destroy();
        });
    },
    refresh: sessions.refresh,
    touch: sessions.touch,
    update,
    async close() {
      await Promise.all([...providers.values()].map((provider) => provider.close()));
    },
  };
}

interface Ground {
  readonly provider: Provider;
  readonly parts: LoginParts;
}

function step(request: AppRequest, action: string, { provider, parts }: Ground): Promise<Answer> | Answer {
  const login = provider.settings;
  // biome-ignore format: aligned on purpose, one step a row
  switch (`${request.method} ${action}`) {
    case 'GET login':               return beginSignIn(request, provider, parts);
    case 'GET callback':            return finishSignIn(request, provider, parts);
    case 'GET session':             return tellSession(request, login, parts);
    case 'GET logout':              return askSignOut(request, login, parts);
    case 'POST logout':             return signOut(request, provider, parts);
    case 'POST backchannel-logout': return backchannelLogout(request, provider, parts);
  }
  const methods = METHODS.get(action);
  return methods === undefined
    ? deny(request, 'no-route')
    : deny(request, 'method-not-allowed', { headers: ['Allow', methods] });
}

const METHODS: ReadonlyMap<string, string> = new Map([
  ['login', 'GET'],
  ['callback', 'GET'],
  ['session', 'GET'],
  ['logout', 'GET, POST'],
  ['backchannel-logout', 'POST'],
]);

function fault(request: AppRequest, error: unknown, parts: LoginParts): Answer {
  const again = { kind: 'link', label: 'Try again', href: request.path } as const;
  // Trying again makes sense where a link leads back to the same; a callback counts once.
  const action = request.method === 'GET' && !request.path.endsWith('/callback') ? again : undefined;
  parts.log.error({ requestId: request.id, path: request.path, err: error }, 'a login failed');
  return deny(request, error instanceof StoreUnavailable ? 'identity-unavailable' : 'internal-error', { action });
}

const NO_HOST: Answer = {
  status: 400,
  headers: ['Content-Type', 'text/plain', 'Cache-Control', 'no-store'],
  body: 'the request names no host\n',
};
