/** The gateway's own pages, which every internal listener carries for any host; GET only. No API can publish them there. */
export const INTERNAL_PAGES = ['/healthz', '/readyz', '/metrics', '/.well-known/jwks.json'] as const;
