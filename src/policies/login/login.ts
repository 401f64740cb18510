import { Problem } from '../../errors/problem.ts';
import { type Exchange, type Principal, Reply } from '../../exchange.ts';
import type { LiveSession } from '../../identity/services.ts';
import { clearedCookie, sessionCookieName, sessionName } from '../../identity/session-cookie.ts';
import { cookieValues, withoutGatewayCookies } from '../../identity/session-cookie-field.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { StoreUnavailable } from '../../stores/stores.ts';
import { type AuthenticationOutcome, defineMethod } from '../authentication-method.ts';
import { identityUnavailable } from '../identity-unavailable.ts';
import type { CompileContext, LoginFacts } from '../policy.ts';
import { mayBeForged } from '../same-origin.ts';
import { loginConfig } from './config.ts';
import { isFieldSafe, isNavigation, principalOf, signInLocation, tokenState } from './logic.ts';

/** People in their browsers: a cookie names the session, the tokens never leave the gateway but toward the upstream. */
export const loginMethod = defineMethod({
  name: 'login',
  config: loginConfig,
  compile(config, context) {
    const login = loginFacts(config.use, context);
    const { sessions } = context.identity;
    const cookieName = sessionCookieName(config.use);
    const challenge = `Session realm="${config.use}", login="${signInLocation(login, { path: '/', query: undefined }).replace(/\?.*$/, '')}"`;
    // Sessions are held for a second or so: a busy one is made into a principal once, and not with every request.
    const principals = new WeakMap<LiveSession, Principal>();

    function authenticate(exchange: Exchange): AuthenticationOutcome | Promise<AuthenticationOutcome> {
      const id = openCookie(exchange);
      // Even where another alternative lets the caller in: an upstream could use the cookie at every other one.
      hideCookies(exchange);
      if (id === undefined) return undefined;
      if (isForged(exchange)) return FORGED;
      try {
        const found = sessions.find(id);
        return found instanceof Promise
          ? found.then((session) => admit(exchange, id, session), identityUnavailable)
          : admit(exchange, id, found);
      } catch (error) {
        return identityUnavailable(error);
      }
    }

    /** Two cookies of one name cannot both be ours: neither is believed. */
    function openCookie(exchange: Exchange): string | undefined {
      const [value, ...more] = cookieValues(exchange.headers.all('cookie'), cookieName);
      return value === undefined || more.length > 0 ? undefined : sessions.open(value);
    }

    function admit(
      exchange: Exchange,
      id: string,
      session: LiveSession | undefined,
    ): AuthenticationOutcome | Promise<AuthenticationOutcome> {
      if (session === undefined || !isOurs(session)) return undefined;
      if (!config.attachToken || tokenState(session, Date.now()) === 'usable') return accept(exchange, id, session);
      return renew(exchange, id, session);
    }

    /** The session of another login, or of a provider or client this login had before its configuration changed, is none. */
    function isOurs(session: LiveSession): boolean {
      return session.login === config.use && session.issuer === login.issuer && session.clientId === login.clientId;
    }

    async function renew(exchange: Exchange, id: string, session: LiveSession): Promise<AuthenticationOutcome> {
      // Without a refresh token there is nothing to be had: the way to a new token leads through the provider.
      if (!session.refreshable) return undefined;
      try {
        const renewed = await sessions.refresh(id);
        if (renewed === undefined || !isOurs(renewed)) return undefined;
        if (tokenState(renewed, Date.now()) !== 'expired') return accept(exchange, id, renewed);
        return identityUnavailable(new StoreUnavailable('the provider gave no new access token'));
      } catch (error) {
        // While the present token lives, a provider that is down stops nobody.
        return tokenState(session, Date.now()) === 'expired'
          ? identityUnavailable(error)
          : accept(exchange, id, session);
      }
    }

    function accept(exchange: Exchange, id: string, session: LiveSession): AuthenticationOutcome {
      if (config.attachToken) {
        const token = session.accessToken;
        if (token === undefined || !isFieldSafe(token))
          return identityUnavailable(
            new StoreUnavailable('the session has no access token that a header field can hold'),
          );
        exchange.upstreamHeaders.set.set('Authorization', `Bearer ${token}`);
      }
      const known = principals.get(session);
      if (known !== undefined) return known;
      const principal = principalOf(session, login, sessionName(id));
      principals.set(session, principal);
      return principal;
    }

    function invite(exchange: Exchange): Reply | undefined {
      if (
        !isNavigation({ method: exchange.method, headers: exchange.headers, upgrade: exchange.upgrade !== undefined })
      )
        return undefined;
      const headers = ['Location', signInLocation(login, exchange.target), 'Cache-Control', 'no-store'];
      const stale = cookieValues(exchange.headers.all('cookie'), cookieName).length > 0;
      if (stale) headers.push('Set-Cookie', clearedCookie(cookieName));
      return new Reply(302, new HeaderList(headers), undefined, 'gateway');
    }

    return { authenticate, challenge: () => challenge, invite };
  },
});

function isForged(exchange: Exchange): boolean {
  return mayBeForged({
    method: exchange.method,
    headers: exchange.headers,
    target: `${exchange.scheme}://${exchange.authority}`,
    upgrade: exchange.upgrade !== undefined,
  });
}

function hideCookies(exchange: Exchange): void {
  const rest = withoutGatewayCookies(exchange.headers.all('cookie'));
  if (rest === undefined) return;
  if (rest === '') exchange.upstreamHeaders.remove.push('cookie');
  else exchange.upstreamHeaders.set.set('Cookie', rest);
}

function loginFacts(name: string, context: CompileContext): LoginFacts {
  const known = context.logins ?? {};
  const facts = Object.hasOwn(known, name) ? known[name] : undefined;
  if (facts !== undefined) return facts;
  const names = Object.keys(known);
  const right = names.length === 0 ? 'there are no `logins` in the file' : `there are: ${names.join(', ')}`;
  throw new Error(`login.use names ${name}, which is not among \`logins\`; ${right}`);
}

const FORGED = new Problem('cross-site-request', {
  detail: 'Sign-in by cookie counts for requests of the same origin only.',
});
