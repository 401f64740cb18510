import { createServer, type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Problem } from '../errors/problem.ts';
import type { Connection, HttpSocket } from './connection.ts';
import { Http1Connection } from './http1-connection.ts';
import { Http1Request } from './http1-request.ts';
import type { ListenerLimits } from './listener-options.ts';
import type { Post } from './post.ts';
import { fieldLines, statusLine } from './raw-wire.ts';

/** Speaks HTTP/1.0 and 1.1 on connections that are given to it. */
export interface Http1 {
  adopt(connection: Connection, socket: HttpSocket): void;
  update(limits: ListenerLimits): void;
  close(): void;
}

/** `sweepInterval`: milliseconds between two looks for heads that take too long. */
export function createHttp1(post: Post, sweepInterval: number): Http1 {
  const sessions = new WeakMap<Duplex, Http1Connection>();
  const server = createServer({
    IncomingMessage: Http1Request,
    httpValidation: 'strict',
    requireHostHeader: false, // refused with a problem of ours
    optimizeEmptyRequests: true,
    connectionsCheckingInterval: sweepInterval,
    requestTimeout: 0, // a body may take its time; its pauses are bounded by the sweep
    keepAliveTimeout: 0, // likewise the sweep's: a timer for each reply costs more
    shouldUpgradeCallback: decideUpgrade,
  });
  server.maxHeadersCount = 0; // Node would drop the surplus silently; the count is checked with the fields
  applyLimits(server, post.limits);
  // The server never listens, and Node begins to check heads when a server does.
  server.emit('listening');

  server.on('request', (request: Http1Request, response: ServerResponse) => {
    sessions.get(request.socket)?.arrive(request, response);
  });
  server.on('upgrade', (request: Http1Request, socket: HttpSocket, surplus: Buffer) => {
    const session = sessions.get(socket);
    if (session === undefined || session.isBusy) socket.destroy();
    else upgrade(session, request, socket, surplus);
  });
  server.on('connect', (_request: Http1Request, socket: HttpSocket) => sessions.get(socket)?.refuseOutside(NO_CONNECT));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const session = sessions.get(socket);
    if (session === undefined) socket.destroy();
    else session.unreadable(error);
  });

  return {
    adopt(connection, socket): void {
      const session = new Http1Connection(post, connection, socket);
      connection.session = session;
      sessions.set(socket, session);
      server.emit('connection', socket);
    },
    update: (limits) => applyLimits(server, limits),
    close: () => {
      server.close(ignore); // stops the checks; without the callback's `not running` error nothing is to be told
    },
  };
}

function applyLimits(server: Server<typeof Http1Request>, limits: ListenerLimits): void {
  server.headersTimeout = limits.headerTimeout;
  // Read by Node for each connection; the types know it as an option only.
  Object.assign(server, { maxHeaderSize: limits.headerBytes });
}

/** Any other protocol in Upgrade is ignored, as RFC 9110 §7.8 allows: the request is served as if it did not ask. */
function decideUpgrade(request: Http1Request): boolean {
  request.ignoresUpgrade = !asksForWebSocket(request);
  return !request.ignoresUpgrade;
}

/** A body would come between the request and the new protocol (attack 21). */
function asksForWebSocket(request: Http1Request): boolean {
  if (request.method !== 'GET' || request.httpVersion !== '1.1' || request.announcesBody) return false;
  let asked = false;
  const raw = request.rawHeaders;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string; // at < length
    if (name.length !== 7 || name.toLowerCase() !== 'upgrade') continue;
    if (asked || raw[at + 1]?.toLowerCase() !== 'websocket') return false;
    asked = true;
  }
  return asked;
}

/** Node has let go of the socket. An answer other than 101 is written by a response of its own, and ends the connection. */
function upgrade(session: Http1Connection, request: Http1Request, socket: HttpSocket, surplus: Buffer): void {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.on('finish', () => {
    socket.resume();
    socket.end();
    session.linger();
  });
  session.arriveForUpgrade(request, response, (fields) => {
    const head = `${statusLine(101)}${fieldLines(fields)}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    response.detachSocket(socket);
    if (surplus.length > 0) socket.unshift(surplus);
    socket.write(head, 'latin1');
    return socket;
  });
}

function ignore(): void {}

const NO_CONNECT = new Problem('not-implemented', { detail: 'CONNECT is not offered here.' });
