import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type AdminApp, createAdminApp } from '../admin/admin-app.ts';
import type { Caller } from '../admin/admin-services.ts';
import { bootstrapAdmin } from '../admin/bootstrap.ts';
import { configWithoutSecrets } from '../config/config-without-secrets.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { createSessionCookies, deriveCookieKey } from '../identity/session-cookie.ts';
import type { LoginApp } from '../login/login-app.ts';
import type { AuthorizationServer } from '../oauth/authorization-server.ts';
import type { Log } from '../observe/log.ts';
import type { AuditEvent } from '../stores/audit.ts';
import { StoreUnavailable } from '../stores/stores.ts';
import { Declarations } from './declarations.ts';
import { declare } from './declared.ts';
import type { IdentityPlane } from './identity-plane.ts';
import { issuerSettingsOf, loginSettingsOf } from './identity-settings.ts';
import type { QuestionMessage } from './messages.ts';
import { ownFetch } from './own-fetch.ts';

export interface IdentityAppsOptions {
  readonly log: Log;
  readonly version: string;
  readonly status: () => object;
  /** PEM; undefined where no listener serves a certificate of the development CA. */
  readonly devCa: () => string | undefined;
  /** Shows the first credential of the admin API to whoever started the gateway, on no log. */
  readonly showBootstrapKey: (key: string) => void;
}

/**
 * The apps of the control plane that people and programs talk to: the authorization server, the logins and the admin API. Each
 * configuration makes its own; requests that the one before is answering end there.
 */
export class IdentityApps {
  readonly handlers: Readonly<Record<'authorizationServer' | 'login' | 'admin', RequestListener>>;
  readonly #plane: IdentityPlane;
  readonly #options: IdentityAppsOptions;
  readonly #admin: AdminApp;
  readonly #declarations: Declarations;
  /** Without its secrets: what needs one has it. */
  #config: GatewayConfig | undefined;
  #server: AuthorizationServer | undefined;
  #login: LoginApp | undefined;
  #ownFetch: ReturnType<typeof ownFetch> | undefined;

  constructor(plane: IdentityPlane, options: IdentityAppsOptions) {
    this.#plane = plane;
    this.#options = options;
    this.#admin = createAdminApp({
      records: plane.foundations.records,
      now: Date.now,
      apiNames: () => this.#config?.apis.map(({ name }) => name) ?? [],
      issuer: () => this.#config?.authorizationServer?.issuer,
      rotateSigningKeys: async (use, origin) => {
        if (use === 'identity') return plane.identityKeys.rotateNow(origin);
        return (await this.#server?.rotateKeys(origin)) ?? [];
      },
      status: () => ({ ...options.status(), issuers: plane.issuers.all().map(({ issuer }) => issuer) }),
      reportFault: (error, requestId) =>
        options.log.error({ err: error, requestId }, 'the admin API met an unexpected condition'),
    });
    this.#declarations = new Declarations({
      declare: (config) => declare(plane.foundations.records, config),
      onDeclared: () => plane.nudge(),
      log: options.log,
      retryAfter: DECLARE_AGAIN_MS,
    });
    this.handlers = {
      authorizationServer: (request, response) => (this.#server?.handler ?? nothingHere)(request, response),
      login: (request, response) => (this.#login?.handler ?? nothingHere)(request, response),
      admin: (request, response) => this.#admin.handle(request, response, callerOf(request)),
    };
    plane.onChange((records) => {
      if (records.some(({ type, detail }) => type.startsWith('signing-key.') && detail?.['use'] === 'oauth'))
        void this.#followSigningKeys();
    });
  }

  /**
   * Makes the apps of a configuration, has the workers take it up, and puts the apps into force. Where either cannot be, such as
   * with StoreUnavailable, it rejects and those before stay. `ownSocket` is where the authorization server answers.
   */
  async apply(config: GatewayConfig, ownSocket: string, putIntoForce: () => Promise<void>): Promise<void> {
    const server = await this.#makeServer(config);
    try {
      await putIntoForce();
    } catch (error) {
      await server?.close();
      throw error;
    }
    const before = this.#server;
    this.#config = configWithoutSecrets(config);
    this.#server = server;
    const issuer = config.authorizationServer?.issuer;
    this.#plane.applyIssuers({
      issuers: issuerSettingsOf(config),
      own: issuer === undefined || server === undefined ? undefined : { issuer, jwks: server.jwks() },
    });
    await this.#applyLogins(config, ownSocket);
    await this.#declarations.follow(config);
    await before?.close();
  }

  /** Answers a worker's question. */
  answer(message: QuestionMessage): Promise<unknown> {
    switch (message.question) {
      case 'session.refresh':
        return this.#sessions().refresh(message.facts.id);
      case 'session.touch':
        return this.#sessions().touch(message.facts.id);
      default:
        return this.#plane.answer(message);
    }
  }

  /** The admin API for whoever may open the control socket: the user this process runs as. */
  administer(request: IncomingMessage, response: ServerResponse): void {
    const caller: Caller = {
      actor: `local:${process.getuid?.() ?? 0}`,
      address: undefined,
      requestId: undefined,
      scopes: 'all',
    };
    this.#admin.handle(request, response, caller);
  }

  /** Called once the gateway serves. */
  async started(): Promise<void> {
    this.audit('gateway.started', { version: this.#options.version });
    const hasInternal = this.#config?.listeners.some(({ exposure }) => exposure === 'internal') === true;
    if (this.#config?.admin === false || !hasInternal) return;
    const made = await bootstrapAdmin(this.#plane.foundations.records);
    if (made !== undefined) this.#options.showBootstrapKey(made.text);
  }

  /** Notes what the gateway itself did. */
  audit(type: AuditEvent['type'], detail: AuditEvent['detail']): void {
    this.#plane.audit({ type, actor: 'system', subject: '', detail });
  }

  async close(): Promise<void> {
    this.audit('gateway.stopped', {});
    await Promise.allSettled([
      this.#declarations.close(),
      this.#login?.close(),
      this.#server?.close(),
      this.#ownFetch?.close(),
    ]);
    await this.#plane.close();
  }

  async #makeServer(config: GatewayConfig): Promise<AuthorizationServer | undefined> {
    const settings = config.authorizationServer;
    if (settings === undefined) return undefined;
    // Its libraries take half a second to load: a gateway without a server starts without them.
    const { openOwnServer } = await import('./own-authorization-server.ts');
    return openOwnServer({
      ...this.#plane.foundations,
      config,
      settings,
      report: (event) => this.#plane.audit(event),
      fault: (err) => {
        if (err instanceof StoreUnavailable) this.#plane.stores.failed(err);
        else this.#options.log.error({ err }, 'the authorization server met an unexpected condition');
      },
      devCa: this.#options.devCa(),
    });
  }

  async #applyLogins(config: GatewayConfig, ownSocket: string): Promise<void> {
    const logins = loginSettingsOf(config);
    if (this.#login !== undefined) return this.#login.update(logins);
    if (logins.length === 0) return;
    const { records, counters } = this.#plane.foundations;
    const { createLoginApp } = await import('../login/login-app.ts');
    const own = ownFetch(ownSocket);
    this.#ownFetch = own;
    this.#login = createLoginApp({
      logins,
      records,
      counters,
      cookies: createSessionCookies(deriveCookieKey(this.#plane.cookieKeySource)),
      fetchFor: (issuer) => (issuer === this.#config?.authorizationServer?.issuer ? own.fetch : undefined),
      log: this.#options.log,
      clock: Date.now,
    });
  }

  #sessions(): LoginApp {
    if (this.#login === undefined) throw new Error('the configuration has no logins');
    return this.#login;
  }

  async #followSigningKeys(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    try {
      await server.refreshKeys();
      if (server === this.#server) this.#plane.issuers.rotateOwn(server.jwks());
    } catch (error) {
      this.#options.log.error({ err: error }, 'new signing keys could not be read');
    }
  }
}

const DECLARE_AGAIN_MS = 5_000;

/** Where the configuration asks for no such app nothing is published that leads here; a request on its way during a reload may still come. */
function nothingHere(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not found\n');
}

/** What the road says of who calls; no client can send these fields. */
function callerOf({ headers }: IncomingMessage): Caller {
  const scopes = field(headers['x-sallyport-scopes']);
  return {
    actor: field(headers['x-sallyport-actor']) ?? 'anonymous',
    address: field(headers['x-forwarded-for'])?.split(',', 1)[0]?.trim(),
    requestId: field(headers['x-request-id']),
    scopes: scopes === undefined || scopes === '' ? [] : scopes.split(' '),
  };
}

function field(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
