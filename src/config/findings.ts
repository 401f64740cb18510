import { isLoopback, isPrivate } from '../lib/network-address.ts';
import type { Finding } from './finding.ts';
import { identityFindings } from './identity-findings.ts';
import type { ApiConfig, GatewayConfig, ListenerConfig } from './schema.ts';

/** Reads a configuration that loaded for what a security review would ask about. Pure: it looks at the values only. */
export function securityFindings(config: GatewayConfig, literalSecrets: readonly string[]): Finding[] {
  return [
    ...literalSecrets.map(
      (path): Finding => ({
        code: 'literal-secret',
        severity: 'high',
        path,
        message: 'a secret is written into the file',
        remedy: 'take it from ${env:NAME} or ${file:/run/secrets/name}',
      }),
    ),
    ...config.listeners.flatMap(listenerFindings),
    ...identityFindings(config),
    ...config.apis.flatMap((api, index) => apiFindings(config, api, index)),
    ...Object.entries(config.upstreams).flatMap(([name, upstream]) => upstreamFindings(name, upstream.targets)),
  ];
}

function listenerFindings(listener: ListenerConfig, index: number): Finding[] {
  const path = `listeners[${index}]`;
  const findings: Finding[] = [];
  const reachable = !isLoopback(listener.address.host);
  if (listener.tls === 'none') {
    if (reachable)
      findings.push({
        code: 'plain-text-listener',
        severity: 'high',
        path: `${path}.tls`,
        message: `listener ${listener.name} speaks plain text beyond this machine`,
        remedy: 'leave tls out for a development certificate, or name certificates or acme',
      });
  } else if (reachable && listener.tls.certificates.length === 0 && listener.tls.acme === undefined) {
    findings.push({
      code: 'development-certificate',
      severity: 'medium',
      path: `${path}.tls`,
      message: `listener ${listener.name} serves a certificate of the local development CA`,
      remedy: 'set tls.acme or tls.certificates before others use it',
    });
  }
  for (const [at, cidr] of listener.trustedProxies.entries()) {
    if (cidr.endsWith('/0'))
      findings.push({
        code: 'trusts-everyone',
        severity: 'high',
        path: `${path}.trustedProxies[${at}]`,
        message: 'anyone may claim any client address',
        remedy: "list your proxies' own addresses",
      });
  }
  if (
    listener.exposure === 'internal' &&
    reachable &&
    listener.allow.length === 0 &&
    (listener.tls === 'none' || listener.tls.clientCa === undefined || listener.tls.clientCertificates === 'requested')
  ) {
    findings.push({
      code: 'open-internal-listener',
      severity: 'high',
      path,
      message: `internal listener ${listener.name} takes connections from anywhere`,
      remedy: 'set allow to your networks, or tls.clientCa to ask for client certificates',
    });
  }
  return findings;
}

function apiFindings(config: GatewayConfig, api: ApiConfig, index: number): Finding[] {
  if (api.exposure !== 'public') return [];
  const path = `apis[${index}]`;
  const findings: Finding[] = [];
  if (api.hosts.length === 0 && config.upstreams[api.upstream]?.preserveHost === true) {
    findings.push({
      code: 'any-host-preserved',
      severity: 'medium',
      path: `${path}.hosts`,
      message: `${api.name} takes any Host and passes it to the upstream`,
      remedy: 'list the hosts it answers to, or leave preserveHost off',
    });
  }
  for (const [at, place] of [api, ...api.routes].entries()) {
    const where = at === 0 ? path : `${path}.routes[${at - 1}]`;
    for (const [policy, why] of Object.entries(GUARDS)) {
      if (place.policies[policy] === false)
        findings.push({
          code: 'guard-off',
          severity: 'medium',
          path: `${where}.${policy}`,
          message: why,
          remedy: 'remove this line; the policy is on by default',
        });
    }
    if (allowsAnyOrigin(place.policies['cors'])) {
      findings.push({
        code: 'any-origin',
        severity: 'low',
        path: `${where}.cors.origins`,
        message: 'any web page may read the replies',
        remedy: 'list the origins of your own pages, unless the data is public',
      });
    }
  }
  return findings;
}

/** Policies that are on by default, and what is lost without them. */
const GUARDS: Readonly<Record<string, string>> = {
  errorMasking: 'errors of the upstream reach clients as they are, stack traces included',
  securityHeaders: 'replies carry no security headers',
  requestLimits: 'bodies of any size are passed on',
};

function allowsAnyOrigin(cors: unknown): boolean {
  return (
    typeof cors === 'object' &&
    cors !== null &&
    'origins' in cors &&
    (cors.origins === '*' || (Array.isArray(cors.origins) && cors.origins.includes('*')))
  );
}

function upstreamFindings(name: string, targets: readonly string[]): Finding[] {
  return targets.flatMap((target): Finding[] => {
    if (!target.startsWith('http://')) return [];
    const host = new URL(target).hostname.replace(/^\[|\]$/g, '');
    if (host === 'localhost' || isLoopback(host) || isPrivate(host) || !/^[0-9.:a-f]+$/.test(host)) return [];
    return [
      {
        code: 'plain-text-upstream',
        severity: 'high',
        path: `upstreams.${name}`,
        message: `requests to ${host} cross public networks in plain text`,
        remedy: 'use https',
      },
    ];
  });
}
