import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** The control plane's own metrics, and the sum of the workers'. */
export interface ControlMetrics {
  readonly workerRestarts: Counter;
  readonly reloads: Counter<'result'>;
  readonly generation: Gauge;
  /** Seconds since the epoch at which the first certificate of a listener ends. */
  readonly certificateExpiry: Gauge<'name'>;
  /** Prometheus text (version 0.0.4) of the control plane and these snapshots. */
  aggregate(snapshots: readonly unknown[]): Promise<string>;
}

export function createControlMetrics(facts: { readonly version: string }): ControlMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({ name: 'sallyport_build_info', help: 'Always 1; the version is a label.', labelNames: ['version', 'node'], registers }).set({ version: facts.version, node: process.versions.node }, 1);
  return {
    workerRestarts: new Counter({ name: 'sallyport_worker_restarts_total', help: 'Workers that crashed and were started again.', registers }),
    reloads: new Counter({ name: 'sallyport_config_reloads_total', help: 'Configurations that were loaded again, by result.', labelNames: ['result'], registers }),
    generation: new Gauge({ name: 'sallyport_config_generation', help: 'The configuration in force; each reload counts one up.', registers }),
    certificateExpiry: new Gauge({ name: 'sallyport_certificate_expiry_seconds', help: 'When the first certificate of a listener ends, in seconds since the epoch.', labelNames: ['name'], registers }),
    async aggregate(snapshots) {
      const sound = snapshots.filter((snapshot) => Array.isArray(snapshot));
      const workers = sound.length === 0 ? '' : await AggregatorRegistry.aggregate(sound).metrics();
      return `${await registry.metrics()}\n${workers}`;
    },
  };
}
