import type { TargetAddress } from './target-address.ts';
import { type ConnectionPurpose, UpstreamConnection } from './upstream-connection.ts';

export interface PoolOptions {
  /** The most connections this worker opens to the target. */
  readonly connections: number;
  /** The most requests that wait for one of them. */
  readonly waiting: number;
  /** Milliseconds: to establish a connection or to wait for a free one; to the head of a response; between two signs of life of a body. */
  readonly timeouts: { readonly connect: number; readonly head: number; readonly idle: number };
}

/** Why a request got no connection; `kind` is a metric label. */
export class NoConnection extends Error {
  override readonly name = 'NoConnection';
  readonly kind: 'connect' | 'busy';
  constructor(kind: NoConnection['kind'], message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** The upstream kept silent for longer than its timeout. */
export class UpstreamTimeout extends Error {
  override readonly name = 'UpstreamTimeout';
}

interface Waiter {
  readonly resolve: (connection: UpstreamConnection) => void;
  readonly reject: (error: Error) => void;
  readonly since: number;
}

/** Unused connections are closed after this, so that one seldom meets an upstream that is about to close it. */
const IDLE_MS = 4_000;

/** The connections to one target of one worker: last used first, bounded, with one clock for all their timeouts. */
export class ConnectionPool {
  readonly address: TargetAddress;
  readonly #options: PoolOptions;
  readonly #all = new Set<UpstreamConnection>();
  readonly #idle: UpstreamConnection[] = [];
  readonly #waiting: Waiter[] = [];
  readonly #tick: number;
  #sweeper: NodeJS.Timeout | undefined;
  #retired = false;

  constructor(address: TargetAddress, options: PoolOptions) {
    this.address = address;
    this.#options = options;
    const { connect, head, idle } = options.timeouts;
    this.#tick = Math.min(1_000, Math.max(20, Math.min(connect, head, idle) / 4));
  }

  get open(): number {
    return this.#all.size;
  }

  /** An idle connection, or undefined; it never waits. */
  takeIdle(): UpstreamConnection | undefined {
    return this.#idle.pop();
  }

  /** A new connection, or the next free one where no more may be opened. Rejects with NoConnection. */
  take(): Promise<UpstreamConnection> {
    if (this.#all.size < this.#options.connections) return this.#open('requests');
    if (this.#waiting.length >= this.#options.waiting) {
      return Promise.reject(
        new NoConnection('busy', `all ${this.#options.connections} connections to ${this.address.label} are busy`),
      );
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject, since: performance.now() }));
  }

  /** A connection of its own for a request that asks to switch protocols; it counts towards no limit but the listener's. */
  openForUpgrade(): Promise<UpstreamConnection> {
    return this.#open('upgrade');
  }

  /** Closes what is idle, and the rest as it becomes free: requests under way are not disturbed. */
  retire(): void {
    this.#retired = true;
    for (const connection of this.#idle.splice(0)) connection.destroy(new Error('the pool is closed'));
  }

  onFree(connection: UpstreamConnection): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) waiter.resolve(connection);
    else if (this.#retired) connection.destroy(new Error('the pool is closed'));
    else this.#idle.push(connection);
  }

  onGone(connection: UpstreamConnection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) this.#open('requests').then(waiter.resolve, waiter.reject);
    if (this.#all.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  async #open(purpose: ConnectionPurpose): Promise<UpstreamConnection> {
    const connection = new UpstreamConnection(this.address, this, purpose);
    this.#all.add(connection);
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#tick).unref();
    try {
      await connection.connected();
      return connection;
    } catch (error) {
      throw new NoConnection('connect', `cannot connect to ${this.address.label}: ${messageOf(error)}`, error);
    }
  }

  /** Compares every connection's last progress with the timeout of its phase. */
  #sweep(): void {
    const now = performance.now();
    const { connect, head, idle } = this.#options.timeouts;
    for (const connection of this.#all) {
      const silent = now - connection.progressAt;
      if (connection.phase === 'connecting' && silent > connect)
        connection.destroy(new UpstreamTimeout(`no connection within ${connect} ms`));
      else if (connection.phase === 'awaiting-head' && silent > head)
        connection.destroy(new UpstreamTimeout(`no response head within ${head} ms`));
      else if (connection.phase === 'body' && silent > idle && !connection.patient && !connection.socket.isPaused())
        connection.destroy(new UpstreamTimeout(`no byte of the body within ${idle} ms`));
      else if (connection.phase === 'idle' && silent > Math.min(IDLE_MS, connection.idleFor))
        connection.destroy(new Error('idle'));
    }
    while (this.#waiting[0] !== undefined && now - this.#waiting[0].since > connect) {
      this.#waiting
        .shift()
        ?.reject(new NoConnection('busy', `no connection to ${this.address.label} became free within ${connect} ms`));
    }
  }
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
