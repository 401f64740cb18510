import { once } from 'node:events';
import { Agent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { request as requestTls } from 'node:https';
import type { PemPair } from './certificate-authority.ts';

export interface Call {
  readonly port: number;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Without one each request gets a connection of its own. */
  readonly agent?: Agent;
  /** The CA to trust; plain text where it is missing. */
  readonly ca?: string;
  readonly servername?: string;
  /** What the client shows of itself, over TLS. */
  readonly certificate?: PemPair;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request with Node's own client; rejects where no whole reply came. */
export async function ask(call: Call): Promise<Answered> {
  const sent = openCall(call);
  sent.end(call.body);
  const reply = await replyTo(sent);
  return { status: reply.statusCode ?? 0, headers: reply.headers, body: await textOf(reply) };
}

/** A request whose body the test writes itself. */
export function openCall({
  port,
  path = '/',
  method = 'GET',
  headers = {},
  agent,
  ca,
  servername = 'localhost',
  certificate,
}: Call): ClientRequest {
  const options = { host: '127.0.0.1', port, path, method, headers, agent: agent ?? false };
  const call = ca === undefined ? request(options) : requestTls({ ...options, ca, servername, ...certificate });
  call.on('error', () => {}); // who awaits the reply hears of it
  return call;
}

/** The head of the reply; its body is still to be read. */
export async function replyTo(call: ClientRequest): Promise<IncomingMessage> {
  const [reply]: IncomingMessage[] = await once(call, 'response');
  if (reply === undefined) throw new Error('no reply');
  return reply;
}

export async function textOf(reply: IncomingMessage): Promise<string> {
  let text = '';
  reply.setEncoding('utf8');
  for await (const part of reply) text += part;
  return text;
}

/** A client that keeps one connection, so that its requests all meet the same worker. */
export function oneConnection(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 });
}
