import type { Readable } from 'node:stream';
import type { Problem } from './errors/problem.ts';
import type { CanonicalTarget } from './lib/canonical-target.ts';
import { HeaderList } from './lib/header-list.ts';

export type Exposure = 'public' | 'internal';

/** What the road may know about the listener a request came in through. */
export interface ListenerFacts {
  readonly name: string;
  readonly exposure: Exposure;
}

/** What TLS established about the connection; `undefined` on the Exchange means plain text. */
export interface TlsFacts {
  readonly protocol: string;
  readonly cipher: string;
  readonly servername: string | undefined;
  readonly clientCertificate: ClientCertificate | undefined;
}

/** The certificate the client showed, of whose private key it has proved possession. */
export interface ClientCertificate {
  /** SHA-256 of the DER form, in hexadecimal with colons. */
  readonly fingerprint256: string;
  readonly subject: string;
  /** Whether it verified against the listener's `clientCa`. Where it did not, it proves nothing but the possession of its key. */
  readonly verified: boolean;
  /** DER. */
  readonly raw: Uint8Array;
}

/** Who is calling, once a policy of the `identify` phase has established it. */
export interface Principal {
  /** Unique over all issuers and methods, and the same for every request of the same caller: what is counted and cached by principal goes by this. */
  readonly id: string;
  readonly kind: 'user' | 'client' | 'consumer' | 'certificate';
  /** How it authenticated: the key of the alternative in `authenticate`. */
  readonly method: 'oauth' | 'apiKey' | 'login' | 'clientCertificate';
  /** The authority that named it: the issuer of a token; undefined for a key or a certificate. */
  readonly issuer: string | undefined;
  /** Its name at that authority: the `sub` of a token, the id of a consumer, the subject of a certificate. */
  readonly subject: string;
  /** The OAuth client that acts, where one does. */
  readonly clientId: string | undefined;
  /** The consumer's name, for a key. */
  readonly consumer: string | undefined;
  /** Names the credential without being it: the lookup id of a key, the `jti` of a token. */
  readonly credentialId: string | undefined;
  readonly scopes: readonly string[];
  /** The claims of a token, the metadata of a key and its consumer. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** The names of the matched API and route: config values, so their number is bounded and they may be metric labels. */
export interface RouteFacts {
  readonly api: string;
  readonly name: string;
}

/** The W3C trace context of this request (https://www.w3.org/TR/trace-context/). */
export interface TraceContext {
  readonly traceId: string;
  /** The span the gateway opens for this request; the upstream sees it as its parent. */
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly sampled: boolean;
  readonly traceState: string | undefined;
}

/**
 * Where a reply is written. The listeners implement it over HTTP/1.1 and HTTP/2, so that the road
 * knows neither. Calls come in the order `head`, `write`*, `end`; `abort` may replace any of them.
 */
export interface Wire {
  /** `headers` is a flat name-value list; framing headers other than Content-Length are the wire's own business. */
  head(status: number, headers: readonly string[]): void;
  /** False asks the caller to wait for `onDrain`. No bytes send the head, which otherwise leaves with the first of the body. */
  write(chunk: Uint8Array): boolean;
  end(last: Uint8Array | string | undefined, trailers: readonly string[] | undefined): void;
  /** Cuts the reply so that the client can see it is incomplete. */
  abort(): void;
  /** Hands over the raw connection after a 101; undefined where the protocol has no upgrade. */
  takeOver: ((head: readonly string[]) => import('node:stream').Duplex) | undefined;
  onDrain: (() => void) | undefined;
}

/** Takes the bytes of a reply as the upstream sends them. */
export interface ReplySink {
  write(chunk: Uint8Array): boolean;
  end(trailers: readonly string[] | undefined): void;
  fail(error: Error): void;
}

/** A reply body on its way: the source pushes, `resume` lifts the pause that a false `write` asked for. */
export interface ReplyStream {
  pipeTo(sink: ReplySink): void;
  pause(): void;
  resume(): void;
  cancel(): void;
}

/** Whose words a reply carries: ours, or an upstream's. */
export type ReplySource = 'gateway' | 'upstream';

/** The answer to an Exchange. Its head may be edited by reply hooks; its body is passed on or replaced whole. */
export class Reply {
  status: number;
  readonly headers: HeaderList;
  body: Uint8Array | string | ReplyStream | undefined;
  source: ReplySource;
  /** Set when the reply was made from the catalogue of problems. */
  problem: Problem | undefined;
  /** The raw connection to the upstream after a 101. */
  upgraded: { readonly socket: import('node:stream').Duplex } | undefined;

  constructor(status: number, headers: HeaderList, body: Reply['body'], source: ReplySource) {
    this.status = status;
    this.headers = headers;
    this.body = body;
    this.source = source;
    this.problem = undefined;
    this.upgraded = undefined;
  }
}

/** What a listener knows when the head of a request has been read and found sound. */
export interface RequestHead {
  readonly id: string;
  readonly listener: ListenerFacts;
  readonly httpVersion: '1.0' | '1.1' | '2';
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Canonical: lower case, no trailing dot, the port only where it is not the scheme's own. */
  readonly authority: string;
  /** `authority` without its port. */
  readonly host: string;
  readonly target: CanonicalTarget;
  readonly headers: HeaderList;
  /** Undefined where the request has no body. */
  readonly body: Readable | undefined;
  /** Bytes declared by Content-Length; undefined for none or for a chunked body. */
  readonly bodyLength: number | undefined;
  /** The trailer fields of the request as a flat list, once its body has ended; undefined for none. */
  readonly trailers: () => readonly string[] | undefined;
  readonly upgrade: 'websocket' | undefined;
  /** The address of the client, a trusted proxy's word included; IPv4-mapped IPv6 is written as IPv4. */
  readonly clientAddress: string;
  /** The address of the socket's other end. */
  readonly peerAddress: string;
  readonly tls: TlsFacts | undefined;
  readonly wire: Wire;
}

/**
 * One request on its way through the gateway. Every field is there from birth, so that V8 gives all
 * exchanges one shape; the head is never changed, what is found out on the road is written below it.
 */
export class Exchange {
  readonly id: string;
  readonly listener: ListenerFacts;
  readonly httpVersion: RequestHead['httpVersion'];
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly host: string;
  readonly target: CanonicalTarget;
  readonly headers: HeaderList;
  readonly body: Readable | undefined;
  readonly bodyLength: number | undefined;
  readonly trailers: () => readonly string[] | undefined;
  readonly upgrade: 'websocket' | undefined;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly tls: TlsFacts | undefined;
  readonly wire: Wire;

  /** Milliseconds of `performance.now()` at birth. */
  readonly startedAt: number;
  route: RouteFacts | undefined;
  /** The values of the matched pattern's parameters, percent-decoded. */
  params: Readonly<Record<string, string>>;
  principal: Principal | undefined;
  trace: TraceContext | undefined;
  /** The most bytes of body this route takes; set in the receive phase. */
  bodyLimit: number;
  /** Edits to the request the upstream gets, made in the prepare phase. */
  readonly upstreamHeaders: { readonly set: HeaderList; readonly remove: string[] };
  /** The query the upstream gets: that of the target, unless a policy takes a credential out of it. */
  upstreamQuery: string | undefined;
  /** Called when the client goes away before its reply is complete. */
  onAbort: (() => void) | undefined;
  aborted: boolean;

  /** For the log: the policy that denied, where the request went, when the upstream's head came (ms after birth), and the bytes of either body. */
  deniedBy: string | undefined;
  upstreamTarget: string | undefined;
  upstreamHeadAfter: number;
  requestBytes: number;
  replyBytes: number;
  /** Facts for the log under this request's id that no client sees. */
  internalDetail: string | undefined;

  constructor(head: RequestHead) {
    this.id = head.id;
    this.listener = head.listener;
    this.httpVersion = head.httpVersion;
    this.method = head.method;
    this.scheme = head.scheme;
    this.authority = head.authority;
    this.host = head.host;
    this.target = head.target;
    this.headers = head.headers;
    this.body = head.body;
    this.bodyLength = head.bodyLength;
    this.trailers = head.trailers;
    this.upgrade = head.upgrade;
    this.clientAddress = head.clientAddress;
    this.peerAddress = head.peerAddress;
    this.tls = head.tls;
    this.wire = head.wire;
    this.startedAt = performance.now();
    this.route = undefined;
    this.params = NO_PARAMS;
    this.principal = undefined;
    this.trace = undefined;
    this.bodyLimit = Number.POSITIVE_INFINITY;
    this.upstreamHeaders = { set: new HeaderList([]), remove: [] };
    this.upstreamQuery = head.target.query;
    this.onAbort = undefined;
    this.aborted = false;
    this.deniedBy = undefined;
    this.upstreamTarget = undefined;
    this.upstreamHeadAfter = -1;
    this.requestBytes = 0;
    this.replyBytes = 0;
    this.internalDetail = undefined;
  }
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
