import { Cluster, Redis } from 'ioredis';
import { StoreUnavailable } from '../stores.ts';
import { withinDeadline } from '../within-deadline.ts';
import { isUnknownScript, translateFault } from './faults.ts';
import type { ValkeyLocation } from './location.ts';
import type { Script } from './scripts.ts';

/** A connection to a Valkey or Redis server or cluster that waits for nothing longer than its deadline. */
export interface ValkeyClient {
  readonly connection: Connection;
  /** Runs commands; rejects with StoreUnavailable where they are not done within the deadline. */
  ask<Answer>(commands: (connection: Connection) => Promise<Answer>): Promise<Answer>;
  run(script: Script, key: string, ...args: readonly number[]): Promise<unknown>;
  close(): void;
}

export type Connection = Redis | Cluster;

/**
 * Connects, and keeps connecting for ever. Resolves once connected, or when the deadline is over: a gateway that starts while
 * the server is away refuses what needs it and does the rest.
 */
export async function connectValkey(
  location: ValkeyLocation,
  options: { readonly cluster: boolean; readonly deadline: number },
): Promise<ValkeyClient> {
  const { deadline } = options;
  const connection = options.cluster ? clusterClient(location, deadline) : client(location, deadline);
  connection.on('error', () => undefined); // whoever asks is told; without a listener the process would end
  let pending = 0;

  const ask: ValkeyClient['ask'] = async (commands) => {
    if (pending >= PENDING_BOUND) throw new StoreUnavailable('Too many wait for Valkey.');
    pending += 1;
    try {
      return await withinDeadline(commands(connection), deadline, 'Valkey');
    } catch (error) {
      throw translateFault(error);
    } finally {
      pending -= 1;
    }
  };

  await withinDeadline(connection.connect(), deadline, 'Valkey').catch(() => undefined);
  return {
    connection,
    ask,
    run: async ({ digest, text }, key, ...args) =>
      await ask(async () => {
        try {
          return await connection.evalsha(digest, 1, key, ...args);
        } catch (error) {
          if (!isUnknownScript(error)) throw error;
          return await connection.eval(text, 1, key, ...args);
        }
      }),
    close: () => connection.disconnect(),
  };
}

function client(location: ValkeyLocation, deadline: number): Redis {
  const { host, port, database } = location;
  return new Redis({
    ...connectionOptions(location, deadline),
    host,
    port,
    db: database,
    lazyConnect: true,
    // What cannot be sent now is refused now: a queue would answer to callers that have gone.
    enableOfflineQueue: false,
    retryStrategy: backOff,
  });
}

function clusterClient(location: ValkeyLocation, deadline: number): Cluster {
  return new Cluster([{ host: location.host, port: location.port }], {
    redisOptions: connectionOptions(location, deadline),
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: backOff,
    clusterNodeRetryStrategy: backOff,
    slotsRefreshTimeout: deadline,
    maxRedirections: 4,
    retryDelayOnFailover: 50,
    // Certificates are for names: those of the nodes are not looked up beforehand.
    ...(location.tls === undefined ? {} : { dnsLookup: (address, callback) => callback(null, address) }),
  });
}

function connectionOptions(location: ValkeyLocation, deadline: number) {
  return {
    username: location.username,
    password: location.password,
    ...(location.tls === undefined ? {} : { tls: location.tls }),
    connectionName: 'sallyport',
    connectTimeout: deadline,
    // A server that hangs: the connection is given up with all that waits on it, and made anew.
    socketTimeout: deadline,
    // A count that was sent and not answered may have been counted: sending it again could count it twice.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableAutoPipelining: true,
  };
}

/** Milliseconds before the next attempt to connect. */
function backOff(attempts: number): number {
  return Math.min(20 * 2 ** Math.min(attempts, 10), 1_000);
}

/** Each holds memory until it is answered or its deadline is over. */
const PENDING_BOUND = 20_000;
