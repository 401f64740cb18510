import { errors, type JWTPayload, jwtVerify } from 'jose';
import { StoreUnavailable } from '../stores/stores.ts';
import { type Answer, json } from './answer.ts';
import type { AppRequest } from './app-request.ts';
import type { LoginParts } from './parts.ts';
import type { Provider } from './provider.ts';

/**
 * The provider says that somebody has signed out (OpenID Connect Back-Channel Logout 1.0). Who says so is proved by the
 * signature of the logout token alone: this is the one place that takes no cookie.
 */
export async function backchannelLogout(request: AppRequest, provider: Provider, parts: LoginParts): Promise<Answer> {
  const login = provider.settings;
  const tokens = (await request.readForm())?.getAll('logout_token') ?? [];
  const [token] = tokens;
  if (token === undefined || tokens.length > 1 || token.length > LONGEST_TOKEN)
    return refuse('expected one logout_token');
  const claims = await verify(token, provider, parts);
  if ('refusal' in claims) {
    parts.log.warn({ login: login.name, reason: claims.refusal }, 'a back-channel logout was refused');
    return refuse(claims.refusal);
  }

  const replay = `login-logout:${login.issuer}|${claims.jti}`;
  if (!(await parts.counters.once(replay, OLDEST_MS + TOLERANCE_SECONDS * 2_000)))
    return refuse('this logout_token was used before');
  try {
    await parts.records.sessions.removeBySid(
      {
        issuer: login.issuer,
        ...(claims.sid === undefined ? {} : { sid: claims.sid }),
        ...(claims.sub === undefined ? {} : { subject: claims.sub }),
      },
      [
        {
          type: 'session.removed',
          actor: 'system',
          subject: claims.sub === undefined ? '' : `user:${claims.sub}`,
          address: request.address,
          requestId: request.id,
          detail: { login: login.name, issuer: login.issuer, reason: 'back-channel-logout' },
        },
      ],
    );
  } catch (error) {
    // The provider may try again, with the same token.
    await parts.counters.clear(replay);
    throw error;
  }
  return json(200, {});
}

interface LogoutClaims {
  readonly jti: string;
  readonly sid: string | undefined;
  readonly sub: string | undefined;
}

/** §2.6 of the specification. Rejects with StoreUnavailable where the keys cannot be had: then nothing may be concluded. */
async function verify(
  token: string,
  provider: Provider,
  parts: LoginParts,
): Promise<LogoutClaims | { readonly refusal: string }> {
  const keys = await provider.keys();
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer: provider.settings.issuer,
      audience: provider.settings.clientId,
      algorithms: ALGORITHMS,
      clockTolerance: TOLERANCE_SECONDS,
      maxTokenAge: OLDEST_MS / 1_000,
      requiredClaims: ['iat', 'jti'],
      currentDate: new Date(parts.clock()),
    });
    const type = protectedHeader.typ?.toLowerCase().replace(/^application\//, '');
    // Older providers set no type, or the general one; the event below tells a logout token from all others too.
    if (type !== undefined && type !== 'logout+jwt' && type !== 'jwt')
      return { refusal: `typ ${type} is no logout token` };
    return readClaims(payload);
  } catch (error) {
    // A timeout or a broken answer of the provider's says nothing of the token.
    if (!(error instanceof errors.JOSEError) || UNDECIDED.has(error.code))
      throw new StoreUnavailable('the keys of the provider cannot be had', { cause: error });
    return { refusal: error.code };
  }
}

function readClaims(payload: JWTPayload): LogoutClaims | { readonly refusal: string } {
  const { jti, sub, sid, events } = payload;
  if (typeof jti !== 'string' || jti === '' || jti.length > LONGEST_ID) return { refusal: 'jti is missing' };
  if (Object.hasOwn(payload, 'nonce')) return { refusal: 'nonce must not be there' };
  if (typeof events !== 'object' || events === null || !Object.hasOwn(events, LOGOUT_EVENT))
    return { refusal: 'events names no logout' };
  if (sid !== undefined && typeof sid !== 'string') return { refusal: 'sid is no text' };
  if (sub !== undefined && typeof sub !== 'string') return { refusal: 'sub is no text' };
  if (sid === undefined && sub === undefined) return { refusal: 'sid or sub is missing' };
  return { jti, sid, sub };
}

function refuse(reason: string): Answer {
  return json(400, { error: 'invalid_request', error_description: reason });
}

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** Asymmetric ones alone: whoever holds a key here could have signed with a shared one. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const UNDECIDED: ReadonlySet<string> = new Set([
  errors.JWKSTimeout.code,
  errors.JWKSInvalid.code,
  errors.JOSEError.code,
]);
const TOLERANCE_SECONDS = 30;
/** A logout token is sent at once; an older one is a replay or nobody's business. */
const OLDEST_MS = 5 * 60_000;
const LONGEST_TOKEN = 16 * 1024;
const LONGEST_ID = 512;
