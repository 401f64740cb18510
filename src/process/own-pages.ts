import type { RequestListener } from 'node:http';
import type { SigningKeys } from '../identity/signing-keys.ts';
import type { ControlMetrics } from '../observe/control-metrics.ts';
import type { Log } from '../observe/log.ts';
import { type Page, pagesApp } from './own-apps.ts';

export interface OwnPagesParts {
  readonly log: Pick<Log, 'error'>;
  readonly metrics: ControlMetrics;
  readonly workers: { readonly size: number; readonly serving: number; metrics(): Promise<unknown[]> };
  readonly identityKeys: Pick<SigningKeys, 'published'>;
  readonly isStopping: () => boolean;
  readonly generation: () => number;
}

/** The pages of internal listeners; `INTERNAL_PAGES` in the configuration publishes them. */
export function ownPages(parts: OwnPagesParts): RequestListener {
  const { log, metrics, workers, identityKeys } = parts;
  const pages = {
    '/healthz': () => ({ status: 200, contentType: 'text/plain', body: 'ok\n' }),
    '/readyz': () => readiness(parts),
    '/metrics': async () => ({
      status: 200,
      contentType: 'text/plain; version=0.0.4',
      body: await metrics.aggregate(await workers.metrics()),
    }),
    '/.well-known/jwks.json': () => ({
      status: 200,
      contentType: 'application/jwk-set+json',
      body: JSON.stringify(identityKeys.published()),
    }),
  };
  return pagesApp(pages, (path, err) => log.error({ path, err }, 'a page of the gateway could not be made'));
}

function readiness({ workers, isStopping, generation }: OwnPagesParts): Page {
  const ready = !isStopping() && workers.serving > 0;
  const facts = { ready, workers: { configured: workers.size, serving: workers.serving }, generation: generation() };
  return { status: ready ? 200 : 503, contentType: 'application/json', body: `${JSON.stringify(facts)}\n` };
}
