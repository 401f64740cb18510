import type { Path } from './faults.ts';
import type { ConfigParts } from './parse.ts';
import type { Findings } from './semantic-findings.ts';
import type { UpstreamConfig } from './upstream-schema.ts';

/** Upstreams: the named ones and those written inside APIs and routes. */
export function checkUpstreams(parts: ConfigParts, findings: Findings): void {
  const used = new Set<string>();
  let complete = true;
  const visit = (
    upstream: { readonly named: string } | { readonly inline: UpstreamConfig } | undefined,
    path: Path,
  ): void => {
    if (upstream === undefined) return;
    if ('named' in upstream) used.add(upstream.named);
    else checkUpstream(upstream.inline, [...path, 'upstream'], findings);
  };
  for (const { value: api, path, routeIndexes } of parts.apis) {
    if (api === undefined) complete = false;
    visit(api?.upstream, path);
    for (const [at, route] of (api?.routes ?? []).entries())
      visit(route.upstream, [...path, 'routes', routeIndexes[at] ?? at]);
  }
  for (const { name, value, path } of parts.upstreams) {
    if (name !== undefined && !NAME.test(name)) {
      findings.faults.push({
        path,
        subject: name,
        message: 'is not a name',
        hint: 'write 1 to 64 of a-z, 0-9 and -',
        atKey: true,
      });
    }
    if (value !== undefined) checkUpstream(value, path, findings);
    if (name !== undefined && complete && !used.has(name)) {
      findings.warnings.push({
        path,
        message: `no API uses the upstream ${name}`,
        hint: 'remove it, or name it in an API',
        atKey: true,
      });
    }
  }
}

function checkUpstream(upstream: UpstreamConfig, path: Path, findings: Findings): void {
  const seen = new Set<string>();
  for (const [index, target] of upstream.targets.entries()) {
    if (seen.has(target)) {
      findings.faults.push({
        path: [...path, 'targets', index],
        subject: target,
        message: 'is listed twice',
        hint: 'list each target once',
      });
    }
    seen.add(target);
  }
  const tls = upstream.tls;
  if (tls === undefined) return;
  if (!upstream.targets.some((target) => target.startsWith('https:'))) {
    findings.faults.push({
      path: [...path, 'tls'],
      message: 'no target of this upstream speaks TLS',
      hint: 'write https:// targets, or remove `tls`',
    });
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const [present, absent] = tls.cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
    findings.faults.push({
      path: [...path, 'tls', present],
      message: `${present} is of no use without ${absent}`,
      hint: `add ${absent}`,
    });
  }
}

const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;
