/** Where is counted. Plain values and shared memory: the main thread hands them to its workers. */
export type CountersSettings =
  | { readonly driver: 'memory'; readonly memory: SharedArrayBuffer }
  | {
      readonly driver: 'valkey';
      /** `redis://user:password@host:port/0`, or `rediss://` for TLS; of any node where it is a cluster. */
      readonly url: string;
      readonly cluster: boolean;
      /** PEM text of the authorities that may sign the server's certificate; the system's where undefined. */
      readonly ca: string | undefined;
      /** How long one call may take, in milliseconds, before it rejects with StoreUnavailable. */
      readonly deadline: number;
    };
