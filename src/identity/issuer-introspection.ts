import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { StoreUnavailable } from '../stores/stores.ts';
import type { BoundedFetch } from './bounded-fetch.ts';
import type { IssuerSettings } from './issuer-settings.ts';
import { isJsonObject, isTokenText } from './token-syntax.ts';

/** What an issuer says of a token (RFC 7662 §2.2). */
export type IntrospectionAnswer = Readonly<Record<string, unknown>>;

export interface IntrospectionOptions {
  readonly credentials: NonNullable<IssuerSettings['introspection']>;
  readonly fetcher: BoundedFetch;
  /** Rejects where the issuer has no endpoint, or does not say. */
  readonly endpoint: () => Promise<string>;
  /** In milliseconds of any beginning; it must not step back. */
  readonly clock?: (() => number) | undefined;
}

/**
 * Asks an issuer about tokens: once for all who ask about the same one at a time, and not again while the answer counts. Bounded
 * in answers kept and questions under way; above that it is StoreUnavailable, which refuses.
 */
export class Introspection {
  readonly #options: IntrospectionOptions;
  readonly #clock: () => number;
  readonly #answers: LRUCache<string, { readonly answer: IntrospectionAnswer; readonly until: number }>;
  readonly #underway = new Map<string, Promise<IntrospectionAnswer>>();

  constructor(options: IntrospectionOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#answers = new LRUCache({
      max: 10_000,
      maxSize: 16 * 2 ** 20,
      sizeCalculation: ({ answer }) => JSON.stringify(answer).length + 100,
    });
  }

  async ask(token: string): Promise<IntrospectionAnswer> {
    if (!isTokenText(token)) return INACTIVE;
    const key = hash('sha256', token, 'base64url');
    const held = this.#answers.get(key);
    if (held !== undefined && held.until > this.#clock()) return held.answer;
    const underway = this.#underway.get(key);
    if (underway !== undefined) return underway;
    if (this.#underway.size >= MOST_UNDERWAY) throw new StoreUnavailable('too many tokens wait for introspection');
    const answer = this.#fetch(token).finally(() => this.#underway.delete(key));
    this.#underway.set(key, answer);
    this.#remember(key, await answer);
    return answer;
  }

  async #fetch(token: string): Promise<IntrospectionAnswer> {
    const { credentials, endpoint, fetcher } = this.#options;
    try {
      const { status, text } = await fetcher.fetch(await endpoint(), {
        headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: basic(credentials) },
        body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
      });
      const answer: unknown = status === 200 ? JSON.parse(text) : undefined;
      if (!isJsonObject(answer) || typeof answer['active'] !== 'boolean')
        throw new Error(`the answer of status ${status} is none of RFC 7662`);
      return answer['active'] ? answer : INACTIVE;
    } catch (error) {
      // The text of a parser may quote the answer: its own words stay out of the log.
      const reason = error instanceof SyntaxError ? 'the answer is not JSON' : String(error);
      throw new StoreUnavailable(`a token could not be introspected: ${reason}`);
    }
  }

  #remember(key: string, answer: IntrospectionAnswer): void {
    const { exp } = answer;
    const left = typeof exp === 'number' ? exp * 1_000 - Date.now() : Number.POSITIVE_INFINITY;
    const kept = Math.min(this.#options.credentials.remember, left);
    if (kept > 0) this.#answers.set(key, { answer, until: this.#clock() + kept });
  }
}

/** RFC 6749 §2.3.1: either part is form-encoded before it is base64 of RFC 7617. */
function basic({ clientId, clientSecret }: IntrospectionOptions['credentials']): string {
  return `Basic ${Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64')}`;
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

const INACTIVE: IntrospectionAnswer = Object.freeze({ active: false });
const MOST_UNDERWAY = 1_000;
