import { configWithoutSecrets } from '../config/config-without-secrets.ts';
import { renderFaults } from '../config/faults.ts';
import { type Loaded, loadConfig } from '../config/load.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { createControlMetrics } from '../observe/control-metrics.ts';
import { createLog, type Log } from '../observe/log.ts';
import { CertificateStore, TicketKeys } from './certificate-store.ts';
import { ConfigRefused, faultsOf, keptOf, refuseFixedChanges } from './config-refused.ts';
import { ConfigWatch } from './config-watch.ts';
import { type ControlSocket, type GatewayStatus, openControlSocket, type ReloadOutcome } from './control-socket.ts';
import { IdentityApps } from './identity-apps.ts';
import { IdentityPlane } from './identity-plane.ts';
import { tellLastWords } from './last-words.ts';
import type { Blueprint, Materials } from './messages.ts';
import { type OwnAppServer, serveOwnApps } from './own-apps.ts';
import { ownPages } from './own-pages.ts';
import { describeListeners, fixPorts, workerCount } from './ports.ts';
import { storeFacts } from './store-facts.ts';
import { tellWeakSpots } from './weak-spots.ts';
import { WorkerPool } from './worker-pool.ts';

export interface SupervisorOptions {
  readonly configPath: string;
  /** Development: plain-text public listeners are allowed. */
  readonly dev: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** The program's entry point, which the worker threads run too. */
  readonly entry: URL;
  /** Shows the first credential of the admin API, once, to whoever started the gateway. */
  readonly showBootstrapKey: (key: string) => void;
}

export interface RunningGateway {
  readonly config: GatewayConfig;
  /** Listener name → port, for those that asked for any. */
  readonly ports: ReadonlyMap<string, number>;
  /** How a client trusts the development CA, where one is in use. */
  readonly trustHint: string | undefined;
  reload(): Promise<ReloadOutcome>;
  /** Lets requests in flight finish within the configured drain time, then ends everything. */
  stop(): Promise<void>;
}

/**
 * So often the configuration is put into force anew by itself: with new session ticket keys (a client with an older ticket makes
 * a full handshake), and with what has become of certificates that renew.
 */
const RENEWAL_MS = 12 * 60 * 60 * 1000;

/** The control plane: loads the file, owns certificates, keeps the workers running and puts new configurations into force. */
export async function startSupervisor(options: SupervisorOptions): Promise<RunningGateway> {
  const supervisor = new Supervisor(options);
  await supervisor.start();
  return supervisor;
}

class Supervisor implements RunningGateway {
  readonly #options: SupervisorOptions;
  readonly #watch = new ConfigWatch((changed) => {
    this.#running().log.info({ changed }, 'a file of the configuration changed');
    void this.reload();
  });
  readonly #startedAt = new Date();
  #state: State | undefined;
  #generation = 0;
  readonly #ticketKeys = new TicketKeys(RENEWAL_MS);
  #renewal: NodeJS.Timeout | undefined;
  /** Reloads happen one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #forgetLastWords = (): void => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get config(): GatewayConfig {
    return this.#running().loaded.config;
  }

  get ports(): ReadonlyMap<string, number> {
    return this.#running().ports;
  }

  get trustHint(): string | undefined {
    return this.#running().certificates.devCa?.trustHint.curl;
  }

  async start(): Promise<void> {
    const readAt = Date.now();
    const loaded = await this.#load();
    const log = createLog({ level: loaded.config.log.level, format: loaded.config.log.format });
    const metrics = createControlMetrics({ version: this.#options.version });
    const certificates = new CertificateStore(log, {
      onIssued: () => void this.reload(),
      onChallenges: async (challenges) => this.#state?.pool.publishChallenges(challenges),
    });
    const control = await openControlSocket(loaded.config.dataDir, {
      reload: () => this.reload(),
      status: () => this.#status(),
      administer: (request, response) => this.#running().identity.administer(request, response),
    });
    this.#forgetLastWords = tellLastWords(log);
    try {
      await this.#open({ loaded, log, metrics, certificates, control });
    } catch (error) {
      await Promise.allSettled([control.close(), certificates.close()]);
      this.#forgetLastWords();
      throw error;
    }
    metrics.generation.set(this.#generation);
    this.#renewal = setInterval(() => void this.reload(), RENEWAL_MS).unref();
    this.#noteExpiries();
    await this.#watch.follow(loaded.files, readAt);
    log.info(
      {
        pid: process.pid,
        version: this.#options.version,
        workers: this.#running().pool.size,
        listeners: describeListeners(this.config, this.ports),
      },
      'the gateway is ready',
    );
    tellWeakSpots(log, loaded);
  }

  /** Opens the stores, the gateway's own apps and the workers, each on top of the one before. */
  async #open(base: Pick<State, 'loaded' | 'log' | 'metrics' | 'certificates' | 'control'>): Promise<void> {
    const { loaded, log, metrics, certificates } = base;
    const { config, ports } = await fixPorts(loaded.config, undefined);
    const facts = await storeFacts(config);
    const plane = await IdentityPlane.open({ facts, log, metrics });
    const identity = new IdentityApps(plane, {
      log,
      version: this.#options.version,
      status: () => this.#status(),
      devCa: () => certificates.devCa?.caCert,
      showBootstrapKey: (key) => this.#options.showBootstrapKey(key),
    });
    const pool = new WorkerPool<GatewayConfig>({
      entry: this.#options.entry,
      size: workerCount(config.workers),
      stores: facts,
      onBorn: (tell) => plane.greet(tell),
      onQuestion: (question) => identity.answer(question),
      onReport: (report) => plane.report(report),
      onCrash: (worker, error, restartInMs) => {
        metrics.workerRestarts.inc();
        log.error({ worker, err: error, restartInMs }, 'a worker crashed; it is restarted');
      },
      onRestarted: (worker) => log.info({ worker }, 'the worker is back'),
    });
    let apps: OwnAppServer | undefined;
    try {
      apps = await serveOwnApps({
        ...identity.handlers,
        pages: ownPages({
          log,
          metrics,
          workers: pool,
          identityKeys: plane.identityKeys,
          isStopping: () => this.#stopped !== undefined,
          generation: () => this.#generation,
        }),
      });
      const state = { ...base, loaded: { ...loaded, config: keptOf(config) }, ports, apps, pool, identity };
      this.#state = state;
      const blueprint = await this.#blueprint(config, loaded, certificates, apps);
      plane.follow((news) => pool.tell(news));
      // The apps are there before the first request can be.
      await identity.apply(config, apps.sockets.authorizationServer, async () => {});
      await pool.start(blueprint);
      await certificates.follow(config);
      await identity.started();
    } catch (error) {
      await Promise.allSettled([pool.terminate(), apps?.close(), identity.close()]);
      throw error;
    }
  }

  reload(): Promise<ReloadOutcome> {
    const outcome = this.#queue.then(() => this.#reload());
    this.#queue = outcome.catch(() => undefined);
    return outcome;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #reload(): Promise<ReloadOutcome> {
    const { log, metrics, certificates, pool, apps, identity, ports, loaded: before } = this.#running();
    if (this.#stopped !== undefined)
      return { ok: false, generation: this.#generation, faults: ['the gateway is shutting down'] };
    try {
      const readAt = Date.now();
      const loaded = await this.#load();
      refuseFixedChanges(before.config, loaded.config);
      const fixed = await fixPorts(loaded.config, { config: before.config, ports });
      await identity.apply(fixed.config, apps.sockets.authorizationServer, async () =>
        pool.apply(await this.#blueprint(fixed.config, loaded, certificates, apps)),
      );
      this.#state = { ...this.#running(), loaded: { ...loaded, config: keptOf(fixed.config) }, ports: fixed.ports };
      await certificates.follow(fixed.config);
      this.#noteExpiries();
      await this.#watch.follow(loaded.files, readAt);
      identity.audit('config.applied', { generation: this.#generation });
      metrics.reloads.inc({ result: 'applied' });
      metrics.generation.set(this.#generation);
      log.info({ generation: this.#generation }, 'a new configuration is in force');
      tellWeakSpots(log, loaded);
      return { ok: true, generation: this.#generation, faults: [] };
    } catch (error) {
      const faults = faultsOf(error);
      identity.audit('config.refused', { faults: faults.length });
      metrics.reloads.inc({ result: 'refused' });
      log.error({ faults }, 'the new configuration was refused; the one before stays in force');
      return { ok: false, generation: this.#generation, faults };
    }
  }

  async #load(): Promise<Loaded> {
    const { configPath, env, dev } = this.#options;
    const loaded = await loadConfig(configPath, { env, dev });
    if (!loaded.ok) throw new ConfigRefused(renderFaults(configPath, loaded.faults).trimEnd().split('\n'));
    return loaded;
  }

  async #blueprint(
    config: GatewayConfig,
    loaded: Loaded,
    certificates: CertificateStore,
    apps: OwnAppServer,
  ): Promise<Blueprint<GatewayConfig>> {
    const materials: Materials = await certificates.materials(config);
    this.#generation += 1;
    return {
      generation: this.#generation,
      version: this.#options.version,
      config: configWithoutSecrets(config),
      policiesFrom: loaded.customPolicies.length > 0 ? this.#options.configPath : undefined,
      materials,
      files: Object.fromEntries(loaded.contents),
      challenges: certificates.challenges(),
      ticketKeys: this.#ticketKeys.current(),
      appSockets: apps.sockets,
    };
  }

  #noteExpiries(): void {
    const { certificates, metrics } = this.#running();
    metrics.certificateExpiry.reset();
    for (const [listener, notAfter] of certificates.expiries)
      metrics.certificateExpiry.set({ name: listener }, notAfter.getTime() / 1000);
  }

  #status(): GatewayStatus {
    const { pool } = this.#running();
    return {
      pid: process.pid,
      version: this.#options.version,
      generation: this.#generation,
      workers: { configured: pool.size, serving: pool.serving },
      startedAt: this.#startedAt.toISOString(),
    };
  }

  async #stop(): Promise<void> {
    const { log, pool, apps, control, certificates, identity, loaded } = this.#running();
    log.info({ drainMs: loaded.config.drain }, 'the gateway is shutting down');
    this.#watch.close();
    clearInterval(this.#renewal);
    await this.#queue;
    await pool.drain(loaded.config.drain);
    await Promise.allSettled([apps.close(), control.close(), certificates.close()]);
    await identity.close();
    this.#forgetLastWords();
    log.info({}, 'the gateway has stopped');
    await log.flush();
  }

  #running(): State {
    if (this.#state === undefined) throw new Error('the gateway has not started');
    return this.#state;
  }
}

interface State {
  readonly loaded: Loaded;
  readonly ports: ReadonlyMap<string, number>;
  readonly log: Log;
  readonly metrics: ReturnType<typeof createControlMetrics>;
  readonly certificates: CertificateStore;
  readonly control: ControlSocket;
  readonly apps: OwnAppServer;
  readonly identity: IdentityApps;
  readonly pool: WorkerPool<GatewayConfig>;
}
