import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClientMetadata, Provider } from 'oidc-provider';
import type { JsonObject } from '../lib/json.ts';
import type { AuditEvent } from '../stores/audit.ts';
import type { Counters } from '../stores/counters.ts';
import type { Records } from '../stores/stores.ts';

/** A page for a browser, whole: its HTML and the header fields that belong to it (Content-Security-Policy above all). */
export interface Screen {
  readonly html: string;
  /** Lower-case names. Content-Type, Cache-Control and X-Content-Type-Options are set by the server. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What a person is told of a client. Every text comes from who registered it: escape it. */
export interface ClientFacts {
  readonly id: string;
  /** Its `client_name`, or its id where it has none. */
  readonly name: string;
  readonly uri: string | undefined;
  readonly logoUri: string | undefined;
  readonly policyUri: string | undefined;
  readonly tosUri: string | undefined;
  /** The client registered itself: nobody here vouches for its name. */
  readonly selfRegistered: boolean;
}

/**
 * A form that the protocol prepared: it is written as `<form method="post" action="{action}">` with a hidden input for each
 * of `fields`. Buttons and visible inputs are the screen's.
 */
export interface PreparedForm {
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** What went wrong, in words that are safe to show. Nothing internal is in it. */
export interface ErrorFacts {
  /** The code of the RFC, such as `invalid_request`. */
  readonly error: string;
  readonly description: string | undefined;
  /** The HTTP status. */
  readonly status: number;
  /** The X-Request-Id that the gateway gave, for asking support. */
  readonly requestId: string | undefined;
}

export interface UserCodeInputFacts {
  /** The screen adds a text input named `user_code`. */
  readonly form: PreparedForm;
  /** Why it is asked again: the code was wrong, expired or used; or the person chose to abort; or something else failed. */
  readonly problem: 'unknown-code' | 'expired-code' | 'used-code' | 'aborted' | 'failed' | undefined;
  /** What was typed before; escape it. */
  readonly userCode: string | undefined;
}

export interface UserCodeConfirmFacts {
  /** A submit button confirms. One named `abort` with the value `yes` refuses. */
  readonly form: PreparedForm;
  readonly client: ClientFacts;
  /** As the device shows it. */
  readonly userCode: string;
  /** Where the device asked from; undefined where it is not known. */
  readonly device: { readonly address: string | undefined; readonly userAgent: string | undefined };
}

export interface LogoutFacts {
  /** A submit button named `logout` with the value `yes` signs out everywhere; one without a name stays signed in. */
  readonly form: PreparedForm;
  readonly client: ClientFacts | undefined;
  /** What `form-action` has to allow for where the browser is sent after the form: an origin or a scheme; undefined where it stays here. */
  readonly redirectOrigin: string | undefined;
}

/** The pages that the protocol shows by itself. Pure: facts in, page out. */
export interface Screens {
  renderError(facts: ErrorFacts): Screen;
  userCodeInput(facts: UserCodeInputFacts): Screen;
  userCodeConfirm(facts: UserCodeConfirmFacts): Screen;
  deviceSuccess(facts: { readonly client: ClientFacts }): Screen;
  logout(facts: LogoutFacts): Screen;
  postLogout(facts: { readonly client: ClientFacts | undefined }): Screen;
}

/** What the protocol asks about people. */
export interface Accounts {
  /**
   * The claims of an account by the names of OpenID Connect, `sub` apart; undefined where there is no such account or it is
   * disabled: its tokens and sessions then end. Rejects with StoreUnavailable.
   */
  claimsOf(userId: string): Promise<JsonObject | undefined>;
}

/** A consent somebody gave to a client, for listing and taking back. */
export interface GrantFacts {
  readonly id: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** Scopes by the audience (resource) they were granted for. */
  readonly resources: Readonly<Record<string, readonly string[]>>;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined;
}

export interface Grants {
  /** At most the first hundred. */
  listOf(userId: string): Promise<readonly GrantFacts[]>;
  /** Ends the grant with all its tokens and tells the audit log; false where this person has no such grant. */
  revoke(userId: string, grantId: string, actor: string): Promise<boolean>;
}

/** An API that tokens are issued for (RFC 8707). */
export interface Resource {
  /** The `aud` of its tokens and what clients name as `resource`: an absolute URI without a fragment. */
  readonly audience: string;
  /** For people. */
  readonly name: string;
  /** The scopes that exist at it. */
  readonly scopes: readonly string[];
}

/** What interactions are made of. The factory is called again with a new Provider whenever signing keys change, so what it makes holds no state: that is in records, counters and cookies. */
export interface InteractionParts {
  readonly provider: Provider;
  readonly issuer: string;
  readonly records: Records;
  readonly counters: Counters;
  readonly accounts: Accounts;
  readonly screens: Screens;
  readonly grants: Grants;
  /** Scope → what it allows, for people. */
  readonly scopes: Readonly<Record<string, string>>;
  readonly resources: readonly Resource[];
  /** For the keys of cookies that interactions set themselves: derive with HKDF and a label of your own. At least 32 bytes, the same in every process. */
  readonly cookieSecret: Uint8Array;
  describeClient(client: ClientMetadata): ClientFacts;
  /** The address of the browser as the gateway saw it. */
  addressOf(req: IncomingMessage): string;
  report(event: AuditEvent): void;
  /** Unexpected errors, for the log; the answer says nothing of them. */
  fault(error: unknown): void;
}

export interface InteractionHandler {
  /**
   * Answers requests below `<issuer path>/interaction/<uid>`, `<issuer path>/account` and `<issuer path>/assets/`; false, with nothing
   * written, where the path is none of its. Called before the Provider sees the request; req.url is the full path.
   */
  handle(req: IncomingMessage, res: ServerResponse): Promise<boolean>;
}

export type CreateInteractions = (parts: InteractionParts) => InteractionHandler;
