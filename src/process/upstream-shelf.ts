import { ownUpstream } from '../config/compile.ts';
import { OWN_APPS } from '../config/own-routes.ts';
import type { GatewayConfig, UpstreamConfig } from '../config/schema.ts';
import { openUpstream, type Upstream, type UpstreamOptions } from '../forward/upstream.ts';
import type { Blueprint } from './messages.ts';

/** Requests that may wait for a connection of an upstream, for each connection it may have. */
const WAITING_PER_CONNECTION = 16;

/**
 * The upstreams of the generations a worker holds. One whose settings did not change keeps its connections over a reload;
 * one that is gone closes them as they become free.
 */
export class UpstreamShelf {
  readonly #open = new Map<string, Upstream>();
  readonly #generations = new Map<number, ReadonlyMap<string, string>>();

  prepare(generation: number, blueprint: Blueprint<GatewayConfig>): void {
    const names = new Map<string, string>();
    for (const [name, config] of Object.entries(blueprint.config.upstreams))
      names.set(name, this.#shelve(optionsOf(config, blueprint.files)));
    for (const app of OWN_APPS) names.set(ownUpstream(app), this.#shelve(ownApp(blueprint.appSockets[app])));
    this.#generations.set(generation, names);
  }

  get(generation: number, name: string): Upstream {
    const key = this.#generations.get(generation)?.get(name);
    const upstream = key === undefined ? undefined : this.#open.get(key);
    if (upstream === undefined) throw new Error(`no upstream is called ${name}`);
    return upstream;
  }

  /** Only this generation is needed from now on. */
  commit(generation: number): void {
    for (const other of [...this.#generations.keys()]) if (other !== generation) this.#generations.delete(other);
    this.#clear();
  }

  abandon(generation: number): void {
    this.#generations.delete(generation);
    this.#clear();
  }

  #shelve(options: UpstreamOptions): string {
    const key = JSON.stringify(options);
    if (!this.#open.has(key)) this.#open.set(key, openUpstream(options));
    return key;
  }

  #clear(): void {
    const wanted = new Set([...this.#generations.values()].flatMap((names) => [...names.values()]));
    for (const [key, upstream] of this.#open) {
      if (wanted.has(key)) continue;
      this.#open.delete(key);
      upstream.retire();
    }
  }
}

function optionsOf(config: UpstreamConfig, files: Readonly<Record<string, string>>): UpstreamOptions {
  const read = (path: string | undefined): string | undefined => (path === undefined ? undefined : files[path]);
  return {
    targets: config.targets,
    connections: config.connections,
    waiting: config.connections * WAITING_PER_CONNECTION,
    timeouts: config.timeouts,
    tls:
      config.tls === undefined
        ? undefined
        : {
            ca: read(config.tls.ca),
            cert: read(config.tls.cert),
            key: read(config.tls.key),
            servername: config.tls.servername,
          },
  };
}

function ownApp(socketPath: string): UpstreamOptions {
  return {
    targets: [`unix:${socketPath}`],
    connections: 16,
    waiting: 1024,
    timeouts: { connect: 2_000, head: 30_000, idle: 60_000 },
    tls: undefined,
  };
}
