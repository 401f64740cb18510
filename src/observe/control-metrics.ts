import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { DepartedWorkers } from './departed-workers.ts';
import type { MetricsSnapshot } from './metric-families.ts';

/** The control plane's own metrics, and the sum of the workers'. */
export interface ControlMetrics {
  readonly workerRestarts: Counter;
  readonly reloads: Counter<'result'>;
  readonly generation: Gauge;
  /** Seconds since the epoch at which the first certificate of a listener ends. */
  readonly certificateExpiry: Gauge<'name'>;
  /** A finding of unusual use of an API key. */
  anomaly(reason: string): void;
  /** Security events that were lost, since the store did not take them in time. */
  auditDropped(count: number): void;
  /** Uses of API keys that no key's count has, since too many keys were used at a time. */
  keyUsesDropped(count: number): void;
  /** A store did not answer within its deadline, or failed. */
  storeFailed(count: number): void;
  /** Prometheus text (version 0.0.4) of the control plane and these snapshots; what is no snapshot is left out. */
  aggregate(snapshots: readonly unknown[]): Promise<string>;
}

export function createControlMetrics(facts: { readonly version: string }): ControlMetrics {
  const registry = new Registry();
  const registers = [registry];
  const departed = new DepartedWorkers();
  collectDefaultMetrics({ register: registry });
  const buildInfo = new Gauge({
    name: 'sallyport_build_info',
    help: 'Always 1; the versions are labels.',
    labelNames: ['version', 'node'],
    registers,
  });
  buildInfo.set({ version: facts.version, node: process.versions.node }, 1);
  const workerRestarts = new Counter({
    name: 'sallyport_worker_restarts_total',
    help: 'Workers that crashed and were started again.',
    registers,
  });
  const reloads = new Counter({
    name: 'sallyport_config_reloads_total',
    help: 'Configurations that were loaded again, by result.',
    labelNames: ['result'],
    registers,
  });
  // A counter that first appears at 1 has no increase to alert on.
  for (const result of ['applied', 'refused']) reloads.inc({ result }, 0);
  const generation = new Gauge({
    name: 'sallyport_config_generation',
    help: 'The configuration in force; each reload counts one up.',
    registers,
  });
  const certificateExpiry = new Gauge({
    name: 'sallyport_certificate_expiry_seconds',
    help: 'When the first certificate of a listener ends, in seconds since the epoch.',
    labelNames: ['name'],
    registers,
  });
  const anomalies = new Counter({
    name: 'sallyport_key_anomalies_total',
    help: 'Findings of unusual use of API keys, by reason.',
    labelNames: ['reason'],
    registers,
  });
  for (const reason of ['new-network', 'sudden-rate', 'many-refusals', 'long-sleep']) anomalies.inc({ reason }, 0);
  const auditDropped = new Counter({
    name: 'sallyport_audit_events_dropped_total',
    help: 'Security events that did not get into the audit log.',
    registers,
  });
  const keyUsesDropped = new Counter({
    name: 'sallyport_key_uses_dropped_total',
    help: 'Uses of API keys that were not counted.',
    registers,
  });
  const storeFailures = new Counter({
    name: 'sallyport_store_failures_total',
    help: 'Times a store did not answer within its deadline, or failed.',
    registers,
  });

  return {
    workerRestarts,
    reloads,
    generation,
    certificateExpiry,
    anomaly: (reason) => anomalies.inc({ reason }),
    auditDropped: (count) => auditDropped.inc(count),
    keyUsesDropped: (count) => keyUsesDropped.inc(count),
    storeFailed: (count) => storeFailures.inc(count),
    async aggregate(snapshots) {
      const present = snapshots.filter(isSnapshot);
      const families = [...present.map((snapshot) => snapshot.families), ...departed.follow(present)];
      const workers = AggregatorRegistry.aggregate(families);
      const texts = await Promise.all([registry.metrics(), workers.metrics()]);
      return `${texts
        .map((text) => text.trim())
        .filter((text) => text !== '')
        .join('\n\n')}\n`;
    },
  };
}

function isSnapshot(value: unknown): value is MetricsSnapshot {
  return (
    typeof value === 'object' &&
    value !== null &&
    'source' in value &&
    'families' in value &&
    Array.isArray(value.families)
  );
}
