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

/** What a running process cannot change; saying so beats pretending. */
export function refuseFixedChanges(before: GatewayConfig, after: GatewayConfig): void {
  if (before.dataDir !== after.dataDir)
    throw new ConfigRefused([
      `dataDir: it cannot change while the gateway runs (it is ${before.dataDir}); restart to use ${after.dataDir}`,
    ]);
  if (before.workers !== after.workers)
    throw new ConfigRefused([
      `workers: their number cannot change while the gateway runs (it is ${before.workers}); restart to use ${after.workers}`,
    ]);
}
