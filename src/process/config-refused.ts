import { configWithoutSecrets } from '../config/config-without-secrets.ts';
import type { GatewayConfig } from '../config/schema.ts';

/** The file does not load; `faults` are printable lines. */
export class ConfigRefused extends Error {
  override readonly name = 'ConfigRefused';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** What to tell of a configuration that could not be put into force, whatever stopped it. */
export function faultsOf(error: unknown): readonly string[] {
  if (error instanceof ConfigRefused) return error.faults;
  return [error instanceof Error ? error.message : String(error)];
}

/** What is looked at once a configuration is in force: its secrets are not, and the next one may not change its stores. */
export function keptOf(config: GatewayConfig): GatewayConfig {
  return { ...configWithoutSecrets(config), stores: config.stores };
}

/** What a running process cannot change; saying so beats pretending. */
export function refuseFixedChanges(before: GatewayConfig, after: GatewayConfig): void {
  if (before.dataDir !== after.dataDir)
    throw new ConfigRefused([
      `dataDir: it cannot change while the gateway runs (it is ${before.dataDir}); restart to use ${after.dataDir}`,
    ]);
  if (JSON.stringify(before.stores) !== JSON.stringify(after.stores))
    throw new ConfigRefused(['stores: they cannot change while the gateway runs; restart to use the new ones']);
  if (before.workers !== after.workers)
    throw new ConfigRefused([
      `workers: their number cannot change while the gateway runs (it is ${before.workers}); restart to use ${after.workers}`,
    ]);
}
