import type { IncomingMessage, ServerResponse } from 'node:http';
import { hashClientSecret } from '../identity/client-keeper.ts';
import { disguise } from './jwt-tokens.ts';
import type { Protocol } from './protocol.ts';
import { routes } from './provider-configuration.ts';
import { readBody, withBody } from './request-body.ts';

export interface RequestHandlerParts {
  readonly issuer: string;
  /** The present one; undefined before the first keys are there. */
  protocol(): Protocol | undefined;
  fault(error: unknown): void;
}

/** Brings requests into the form oidc-provider expects, and answers those that are not for it. */
export function createRequestHandler(parts: RequestHandlerParts): (req: IncomingMessage, res: ServerResponse) => void {
  const { protocol: scheme, host, pathname } = new URL(parts.issuer);
  const mount = pathname.replace(/\/$/, '');
  // RFC 8414 §3.1 puts the path behind the well-known name, OpenID Connect Discovery §4 before it; both are asked for.
  const wellKnown = new Map([
    [`/.well-known/oauth-authorization-server${mount}`, `${mount}/.well-known/oauth-authorization-server`],
    [`/.well-known/openid-configuration${mount}`, `${mount}/.well-known/openid-configuration`],
  ]);

  return function answerRequest(req, res) {
    answer(req, res).catch((error: unknown) => {
      parts.fault(error);
      if (res.headersSent) res.destroy();
      else refuse(res, 500, 'server_error', 'something went wrong here');
    });
  };

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    setSafeFields(res);
    const protocol = parts.protocol();
    if (protocol === undefined) return refuse(res, 503, 'temporarily_unavailable', 'try again in a moment');
    const [path = '/', query] = (req.url ?? '/').split(/\?(.*)/s, 2);
    const target = wellKnown.get(path) ?? path;
    if (!target.startsWith(`${mount}/`)) return refuse(res, 404, 'not_found', 'there is nothing here');
    // Every URL is written from the issuer, whatever host the request was for.
    req.headers.host = host;
    req.headers['x-forwarded-host'] = host;
    req.headers['x-forwarded-proto'] = scheme.slice(0, -1);
    if (await protocol.interactions.handle(req, res)) return;

    const route = target.slice(mount.length);
    if (isCacheable(route)) res.setHeader('cache-control', 'public, max-age=300');
    const prepared = await prepare(req, route);
    if (prepared === undefined) return refuse(res, 413, 'invalid_request', 'the body is larger than 56 KiB');
    prepared.url = query === undefined ? route : `${route}?${query}`;
    await protocol.answer(Object.assign(prepared, { baseUrl: mount }), res);
  }
}

/** Undefined where the body is too large. */
async function prepare(req: IncomingMessage, route: string): Promise<IncomingMessage | undefined> {
  const rewrite = rewriteFor(req.method, route);
  if (rewrite === undefined) return req;
  const read = await readBody(req);
  return 'refused' in read ? undefined : withBody(req, rewrite(read.body));
}

function rewriteFor(method: string | undefined, route: string): ((body: Buffer) => Buffer) | undefined {
  if (method === 'POST' && (route === routes.introspection || route === routes.revocation)) return disguiseJwt;
  if (method === 'PUT' && route.startsWith(`${routes.registration}/`)) return hashOwnSecret;
  return undefined;
}

/** Our access tokens are JWTs, which oidc-provider knows nothing of unless they come as the id of a record; see jwt-tokens.ts. */
function disguiseJwt(body: Buffer): Buffer {
  const form = new URLSearchParams(body.toString('utf8'));
  const [token, ...others] = form.getAll('token');
  if (token === undefined || others.length > 0 || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return body;
  form.set('token', disguise(token));
  return Buffer.from(form.toString());
}

/** A client that sends its secret along with an update (RFC 7592 §2.2) has it compared with the hash that is stored. */
function hashOwnSecret(body: Buffer): Buffer {
  try {
    const metadata: unknown = JSON.parse(body.toString('utf8'));
    if (typeof metadata !== 'object' || metadata === null || !('client_secret' in metadata)) return body;
    if (typeof metadata.client_secret !== 'string') return body;
    return Buffer.from(JSON.stringify({ ...metadata, client_secret: hashClientSecret(metadata.client_secret) }));
  } catch {
    return body; // oidc-provider says what is wrong with it
  }
}

/** What anybody may know and nobody changes often. */
function isCacheable(route: string): boolean {
  return route === routes.jwks || route.startsWith('/.well-known/');
}

function setSafeFields(res: ServerResponse): void {
  res.setHeader('cache-control', 'no-store');
  res.setHeader('x-content-type-options', 'nosniff');
  res.setHeader('referrer-policy', 'no-referrer');
  res.setHeader('x-frame-options', 'DENY');
  // Our screens bring a policy of their own. oidc-provider's page that posts a form by itself adds the hash of its script to this one.
  res.setHeader('content-security-policy', "default-src 'none'; script-src; base-uri 'none'; frame-ancestors 'none'");
}

function refuse(res: ServerResponse, status: number, error: string, description: string): void {
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  res.end(JSON.stringify({ error, error_description: description }));
}
