/** A proxy that takes part in the comparison. */
export interface Peer {
  /** As given to `--only`. */
  readonly name: string;
  readonly title: string;
  /** Whether it takes part in the table of idle TLS connections. */
  readonly tls: boolean;
  /** Looks whether the peer is there, without starting it. */
  find(): Promise<Found | Missing>;
  /** Writes what the peer reads into `job.directory` and says how it is started. */
  prepare(job: Job): Promise<Launch>;
}

export interface Found {
  readonly version: string;
}

export interface Missing {
  readonly missing: string;
  readonly install: string;
}

export interface Job {
  /** An empty directory of this instance alone; absolute. */
  readonly directory: string;
  /** Where to listen, on 127.0.0.1. */
  readonly port: number;
  /** Where to send every request, on 127.0.0.1, in plain HTTP/1.1. */
  readonly upstreamPort: number;
  /** PEM files to serve TLS with; undefined for plain HTTP. */
  readonly tls: Certificate | undefined;
  /** The most client connections that will be open at a time. */
  readonly connections: number;
}

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A command that stays in the foreground and ends on SIGTERM. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}
