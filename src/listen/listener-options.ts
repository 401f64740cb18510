import type { Problem } from '../errors/problem.ts';
import type { Exchange, Exposure, Wire } from '../exchange.ts';

/** Everything one listener is made of. All of it may be sent to a worker thread. */
export interface ListenerOptions {
  readonly name: string;
  readonly exposure: Exposure;
  /** An IP address or `localhost`. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Connections the system may hold before they are accepted. */
  readonly backlog?: number | undefined;
  /** Lets every worker thread bind the same port; the system spreads the connections. */
  readonly reusePort: boolean;
  /** Undefined: plain text. */
  readonly tls: TlsMaterial | undefined;
  /** Undefined: the listener serves. */
  readonly redirect: RedirectOptions | undefined;
  /** CIDR blocks that may connect; empty means all. */
  readonly allow: readonly string[];
  /** CIDR blocks that may not connect; it goes before `allow`. */
  readonly deny: readonly string[];
  /** CIDR blocks of proxies whose Forwarded, X-Forwarded-For, X-Forwarded-Proto and X-Request-Id are believed. */
  readonly trustedProxies: readonly string[];
  /** Peers that must begin each connection with a PROXY v2 header. */
  readonly proxyProtocol?: { readonly trusted: readonly string[] } | undefined;
  readonly limits: ListenerLimits;
}

/** A plain port that sends browsers to the TLS listener beside it, and serves nothing else. */
export interface RedirectOptions {
  readonly httpsPort: number;
  /** Answers to http-01 challenges under way (RFC 8555 §8.3): token → key authorization. */
  readonly challenges: ReadonlyMap<string, string>;
}

/** PEM texts; `names` are those a certificate is valid for. */
export interface TlsMaterial {
  /** At least one; the first is the default. */
  readonly certificates: readonly { readonly cert: string; readonly key: string; readonly names: readonly string[] }[];
  /** Roots that client certificates are verified against; they are then required. */
  readonly clientCa: string | undefined;
  /** `requested`: a client may come without a certificate, or with one that `clientCa` does not verify. */
  readonly clientCertificates: 'required' | 'requested' | 'none';
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly acmeAlpn: readonly AcmeChallengeCertificate[];
  /** 48 secret bytes that all workers share, so that a session resumes in any of them. */
  readonly ticketKeys: Uint8Array | undefined;
}

/** The certificate that answers a tls-alpn-01 challenge under way (RFC 8737). */
export interface AcmeChallengeCertificate {
  readonly domain: string;
  readonly cert: string;
  readonly key: string;
}

/** Durations in milliseconds, sizes in bytes. */
export interface ListenerLimits {
  readonly headerBytes: number;
  readonly headerCount: number;
  readonly targetBytes: number;
  /** For the head of a request, the TLS handshake and a PROXY header alike. */
  readonly headerTimeout: number;
  readonly idleTimeout: number;
  readonly bodyIdleTimeout: number;
  readonly writeIdleTimeout: number;
  readonly connections: number;
  readonly connectionsPerAddress: number;
  readonly requestsPerConnection: number;
  readonly http2Streams: number;
  readonly http2ResetsPerSecond: number;
  readonly http2ResetBurst: number;
}

/** What the listener hands on. The functions are called often and must not block. */
export interface ListenerHandlers {
  exchange(exchange: Exchange): void | Promise<void>;
  /** Renders a problem for a request that never became an Exchange. */
  refuse(wire: Wire, problem: Problem, requestId: string): void;
  connectionOpened(listener: string): void;
  connectionClosed(listener: string): void;
}
