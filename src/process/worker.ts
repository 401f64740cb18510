import type { MessagePort } from 'node:worker_threads';
import { compileGateway } from '../config/compile.ts';
import type { GatewayConfig, ListenerConfig } from '../config/schema.ts';
import { readTypescript } from '../config/typescript-source.ts';
import type { Exchange } from '../exchange.ts';
import { type Gateway, serve } from '../gateway.ts';
import { SharedCounts } from '../lib/shared-counts.ts';
import { type Listener, openListener } from '../listen/listener.ts';
import type { ListenerOptions } from '../listen/listener-options.ts';
import { refuse } from '../respond/refuse.ts';
import type { Blueprint, Challenges, FromWorker, ToWorker, WorkerFacts } from './messages.ts';
import { createObservers, type Observers } from './observers.ts';
import { canSharePorts } from './ports.ts';
import { UpstreamShelf } from './upstream-shelf.ts';
import { openWorkerIdentity, type WorkerIdentity } from './worker-identity.ts';

/** A worker thread of the data plane: it runs whatever Gateway the control plane put into force last. */
export async function runWorker(port: MessagePort, facts: WorkerFacts): Promise<void> {
  const tell = (message: FromWorker) => port.postMessage(message);
  const counts = new SharedCounts(facts.counts, facts.number);
  const identity = await openWorkerIdentity(facts.stores, tell);
  const worker = new DataPlane(tell, counts, identity);
  port.on('message', (message: ToWorker<GatewayConfig>) => void worker.obey(message));
  port.postMessage({ type: 'ready' } satisfies FromWorker);
}

/** A listener and the Gateway its requests are served by; a commit changes the latter. */
interface Post {
  readonly listener: Listener;
  options: ListenerOptions;
  gateway: Gateway;
}

interface Prepared {
  readonly blueprint: Blueprint<GatewayConfig>;
  readonly gateway: Gateway;
  readonly observers: Observers;
  /** Listeners the present configuration does not have; already bound, so that a taken port is a refusal. */
  readonly opened: ReadonlyMap<string, Post>;
}

class DataPlane {
  readonly #tell: (message: FromWorker) => void;
  readonly #counts: SharedCounts;
  readonly #identity: WorkerIdentity;
  readonly #upstreams = new UpstreamShelf();
  #posts = new Map<string, Post>();
  #prepared: Prepared | undefined;
  #observers: Observers | undefined;
  #blueprint: Blueprint<GatewayConfig> | undefined;
  /** Listeners a reload has removed, until their last request is answered. */
  readonly #leaving = new Set<Listener>();

  constructor(tell: (message: FromWorker) => void, counts: SharedCounts, identity: WorkerIdentity) {
    this.#tell = tell;
    this.#identity = identity;
    this.#counts = counts;
  }

  async obey(message: ToWorker<GatewayConfig>): Promise<void> {
    switch (message.type) {
      case 'prepare':
        return this.#prepare(message.blueprint);
      case 'commit':
        return this.#commit(message.generation);
      case 'abandon':
        return this.#abandon();
      case 'challenges':
        this.#answerChallenges(message.challenges);
        return this.#tell({ type: 'challenged', id: message.id });
      case 'metrics':
        return this.#tell({ type: 'metrics', id: message.id, snapshot: await this.#observers?.snapshot() });
      case 'news':
        return this.#identity.hear(message.news);
      case 'answer':
        return this.#identity.answered(message);
      case 'drain':
        await Promise.all(
          [...[...this.#posts.values()].map(({ listener }) => listener), ...this.#leaving].map((listener) =>
            listener.drain(message.deadlineMs),
          ),
        );
        await this.#observers?.close(undefined);
        await this.#identity.close();
        return this.#tell({ type: 'drained' });
    }
  }

  async #prepare(blueprint: Blueprint<GatewayConfig>): Promise<void> {
    const { generation, config } = blueprint;
    const opened = new Map<string, Post>();
    try {
      const observers = await createObservers(config, blueprint.version, this.#observers);
      const customPolicies =
        blueprint.policiesFrom === undefined ? [] : (await readTypescript(blueprint.policiesFrom)).customPolicies;
      this.#upstreams.prepare(generation, blueprint);
      const gateway = compileGateway({
        config,
        generation,
        customPolicies,
        identity: this.#identity.services,
        upstream: (name) => this.#upstreams.get(generation, name),
        begin: observers.begin,
        done: observers.done,
      });
      for (const options of socketsOf(blueprint)) {
        if (!this.#isOpen(options)) opened.set(options.name, await this.#open(options, gateway, observers));
      }
      this.#prepared = { blueprint, gateway, observers, opened };
      this.#tell({ type: 'prepared', generation, refusal: undefined });
    } catch (error) {
      for (const post of opened.values()) post.listener.close();
      this.#upstreams.abandon(generation);
      this.#tell({ type: 'prepared', generation, refusal: error instanceof Error ? error.message : String(error) });
    }
  }

  #commit(generation: number): void {
    const prepared = this.#prepared;
    if (prepared === undefined || prepared.gateway.generation !== generation) return;
    const { blueprint, gateway, observers, opened } = prepared;
    const posts = new Map<string, Post>();
    for (const options of socketsOf(blueprint)) {
      const post = opened.get(options.name) ?? this.#posts.get(options.name);
      if (post === undefined) throw new Error(`listener ${options.name} was not prepared`);
      post.gateway = gateway;
      post.options = options;
      post.listener.update(options);
      posts.set(options.name, post);
    }
    for (const [name, post] of this.#posts) {
      if (posts.get(name) !== post) this.#leave(post.listener, blueprint.config.drain);
    }
    this.#posts = posts;
    observers.metrics.forgetRoutes(blueprint.config.apis);
    // Requests in flight still write to the log before; it is written out once they are done.
    const before = this.#observers;
    if (before !== undefined) setTimeout(() => void before.close(observers), blueprint.config.drain).unref();
    this.#observers = observers;
    this.#blueprint = blueprint;
    this.#prepared = undefined;
    this.#upstreams.commit(generation);
    this.#tell({ type: 'committed', generation });
  }

  #leave(listener: Listener, deadlineMs: number): void {
    this.#leaving.add(listener);
    void listener.drain(deadlineMs).finally(() => this.#leaving.delete(listener));
  }

  #abandon(): void {
    if (this.#prepared === undefined) return;
    for (const post of this.#prepared.opened.values()) post.listener.close();
    this.#upstreams.abandon(this.#prepared.gateway.generation);
    this.#prepared = undefined;
  }

  #answerChallenges(challenges: Challenges): void {
    if (this.#blueprint === undefined) return;
    this.#blueprint = { ...this.#blueprint, challenges };
    for (const options of socketsOf(this.#blueprint)) {
      const post = this.#posts.get(options.name);
      if (post === undefined) continue;
      post.options = options;
      post.listener.update(options);
    }
  }

  #isOpen(options: ListenerOptions): boolean {
    const post = this.#posts.get(options.name);
    return post !== undefined && sameSockets(post.options, options);
  }

  async #open(options: ListenerOptions, gateway: Gateway, observers: Observers): Promise<Post> {
    const listener = await openListener(
      options,
      {
        exchange: (exchange: Exchange) => serve(post.gateway, exchange),
        refuse(wire, problem, requestId) {
          observers.metrics.refused(problem);
          refuse(wire, problem, requestId);
        },
        connectionOpened: observers.metrics.connectionOpened,
        connectionClosed: observers.metrics.connectionClosed,
      },
      this.#counts,
    );
    const post: Post = { listener, options, gateway };
    return post;
  }
}

/** What cannot change while a socket is open: its address, and whether it speaks TLS at all. */
function sameSockets(a: ListenerOptions, b: ListenerOptions): boolean {
  return (
    a.host === b.host &&
    a.port === b.port &&
    a.exposure === b.exposure &&
    (a.tls === undefined) === (b.tls === undefined)
  );
}

/** Every socket a configuration asks for: its listeners, and the redirecting ports beside them. */
function socketsOf(blueprint: Blueprint<GatewayConfig>): ListenerOptions[] {
  return blueprint.config.listeners.flatMap((listener) => {
    const own = listenerOptions(listener, blueprint);
    const redirect = listener.redirectHttpFrom;
    if (redirect === undefined) return [own];
    const challenges = new Map(Object.entries(blueprint.challenges.http));
    // No listener's name has a space.
    const name = `${listener.name} redirect`;
    return [
      own,
      { ...own, ...redirect, name, tls: undefined, redirect: { httpsPort: listener.address.port, challenges } },
    ];
  });
}

function listenerOptions(listener: ListenerConfig, blueprint: Blueprint<GatewayConfig>): ListenerOptions {
  const { challenges } = blueprint;
  const material = blueprint.materials[listener.name];
  return {
    name: listener.name,
    exposure: listener.exposure,
    host: listener.address.host,
    port: listener.address.port,
    reusePort: canSharePorts,
    tls:
      material === undefined ? undefined : { ...material, acmeAlpn: challenges.alpn, ticketKeys: blueprint.ticketKeys },
    redirect: undefined,
    allow: listener.allow,
    deny: listener.deny,
    trustedProxies: listener.trustedProxies,
    proxyProtocol: listener.proxyProtocol,
    limits: listener.limits,
  };
}
