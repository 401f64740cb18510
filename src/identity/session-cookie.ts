import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

export { sessionName } from '../stores/session-name.ts';

/** What a session cookie says once it is opened. */
export interface SessionTicket {
  /** The login of the configuration the cookie was made for. */
  readonly login: string;
  readonly id: string;
}

/** Makes and opens the values of cookies that only this installation can make. */
export interface SessionCookies {
  sealSession(ticket: SessionTicket): string;
  /** Undefined where the value is not ours, was tampered with or is none. */
  openSession(value: string): SessionTicket | undefined;
  /** For what must survive a trip through the browser; `purpose` must be the same for both, so that no value serves for another. */
  seal(purpose: string, text: string): string;
  open(purpose: string, value: string): string | undefined;
}

/** The key of all cookies, 32 bytes: derived, so that what is written under it opens nothing the sealing key sealed in the stores. */
export function deriveCookieKey(sealingKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', sealingKey, new Uint8Array(0), 'sallyport session cookies v1', KEY_BYTES));
}

/**
 * Values are AES-256-GCM under one key, with what they are for as additional data: the name of the login for a session, so
 * that the cookie of one login never opens at another. The id inside is no secret of the database: whoever reads the store
 * finds its hash only, and without this key no cookie can be made of anything. A guess dies here and costs the store nothing.
 */
export function createSessionCookies(key: Uint8Array): SessionCookies {
  if (key.length !== KEY_BYTES) throw new Error(`a cookie key has ${KEY_BYTES} bytes, and this one has ${key.length}`);

  function seal(purpose: string, text: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(purpose));
    const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString('base64url');
  }

  function open(purpose: string, value: string): string | undefined {
    if (value.length > LONGEST_VALUE || !BASE64URL.test(value)) return undefined;
    const bytes = Buffer.from(value, 'base64url');
    // Characters that carry bits no byte takes: another spelling of a value that was made here.
    if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== value) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(purpose));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }

  return {
    seal,
    open,
    sealSession: ({ login, id }) => `${login}.${seal(sessionPurpose(login), id)}`,
    openSession(value) {
      const dot = value.indexOf('.');
      if (dot < 1 || dot > LONGEST_LOGIN) return undefined;
      const login = value.slice(0, dot);
      const id = open(sessionPurpose(login), value.slice(dot + 1));
      return id === undefined ? undefined : { login, id };
    },
  };
}

/** The id of a new session: 256 random bits. */
export function newSessionId(): string {
  return randomBytes(32).toString('base64url');
}

/** `__Host-` makes browsers take the cookie over TLS only, for this very host and all its paths (RFC 6265bis §4.1.3.2). */
export function sessionCookieName(login: string): string {
  return `${GATEWAY_COOKIE_PREFIX}-${login}`;
}

/** How the names of all cookies begin that are the gateway's own and none of an upstream's business. */
export const GATEWAY_COOKIE_PREFIX = '__Host-sallyport';

/** Attributes of all the gateway's cookies. Lax: a link from another site finds people signed in, a form of another site does not. */
export const COOKIE_ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Lax';

/** A Set-Cookie value that makes the browser forget a cookie. */
export function clearedCookie(name: string): string {
  return `${name}=; ${COOKIE_ATTRIBUTES}; Max-Age=0`;
}

function sessionPurpose(login: string): string {
  return `session\0${login}`;
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Browsers keep no cookie of more than 4096 bytes. */
const LONGEST_VALUE = 4_096;
/** As `nameOption` of the configuration bounds names. */
const LONGEST_LOGIN = 64;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
