import {
  type Cidr,
  cidrContains,
  formatSocketAddress,
  isLoopback,
  isWildcard,
  parseCidr,
  type SocketAddress,
} from '../lib/network-address.ts';
import { repeatedNames } from './check-names.ts';
import type { Path } from './faults.ts';
import type { ListenerConfig } from './listener-schema.ts';
import type { ConfigParts } from './parse.ts';
import type { Findings, SemanticOptions } from './semantic-findings.ts';

/** Listeners: their addresses, their TLS, and whom they admit. */
export function checkListeners(parts: ConfigParts, options: SemanticOptions, findings: Findings): void {
  findings.faults.push(...repeatedNames(parts.listeners, 'listener'));
  checkAddresses(parts, findings);
  for (const { value: listener, path } of parts.listeners) {
    if (listener === undefined) continue;
    if (listener.tls === 'none') checkPlainText(listener, path, options, findings);
    else checkTls(listener, listener.tls, path, findings);
    checkAdmission(listener, path, findings);
  }
}

function checkPlainText(listener: ListenerConfig, path: Path, options: SemanticOptions, findings: Findings): void {
  if (listener.exposure === 'public' && !isLoopback(listener.address.host) && !options.dev) {
    findings.faults.push({
      path: [...path, 'tls'],
      message: 'a public listener that others can reach must speak TLS',
      hint: 'leave `tls` out for a development certificate, give `certificates` or `acme`, listen on 127.0.0.1, or start with --dev',
    });
  }
  if (listener.redirectHttpFrom !== undefined) {
    findings.faults.push({
      path: [...path, 'redirectHttpFrom'],
      message: 'there is no HTTPS to redirect to: this listener has `tls: none`',
      hint: 'remove redirectHttpFrom, or give the listener TLS',
    });
  }
}

function checkTls(
  listener: ListenerConfig,
  tls: Exclude<ListenerConfig['tls'], 'none'>,
  path: Path,
  findings: Findings,
): void {
  if (tls.clientCertificates === 'required' && tls.clientCa === undefined) {
    findings.faults.push({
      path: [...path, 'tls', 'clientCertificates'],
      message: 'there are no roots to verify the required certificates against',
      hint: 'give clientCa, or write clientCertificates: requested',
    });
  }
  if (tls.acme === undefined) return;
  if (tls.certificates.length > 0) {
    findings.faults.push({
      path: [...path, 'tls', 'acme'],
      message: 'a listener has either `certificates` or `acme`',
      hint: 'remove one of them, or make a second listener',
    });
  }
  if (tls.acme.challenge === 'http-01' && listener.redirectHttpFrom === undefined) {
    findings.faults.push({
      path: [...path, 'tls', 'acme', 'challenge'],
      message: 'http-01 is answered over plain HTTP, which this listener does not take',
      hint: 'add redirectHttpFrom: 0.0.0.0:80, or use tls-alpn-01',
    });
  }
}

function checkAdmission(listener: ListenerConfig, path: Path, findings: Findings): void {
  const denied = readAll(listener.deny);
  for (const [index, allowed] of readAll(listener.allow).entries()) {
    const around = denied.find((block) => cidrContains(block, allowed));
    if (around === undefined) continue;
    findings.faults.push({
      path: [...path, 'allow', index],
      subject: allowed.text,
      message: `admits nobody: \`deny\` has ${around.text}, and goes first`,
      hint: 'remove one of the two, or deny smaller blocks',
    });
  }
  for (const [index, proxy] of readAll(listener.trustedProxies).entries()) {
    if (proxy.prefix > 0) continue;
    findings.warnings.push({
      path: [...path, 'trustedProxies', index],
      subject: proxy.text,
      message: 'lets every client choose the address it is known by',
      hint: 'name the addresses of your own proxies',
    });
  }
}

function readAll(blocks: readonly string[]): Cidr[] {
  return blocks.map(parseCidr).filter((block) => block !== undefined);
}

function checkAddresses(parts: ConfigParts, findings: Findings): void {
  const byPort = new Map<number, { readonly address: SocketAddress; readonly where: string }[]>();
  for (const { value: listener, path } of parts.listeners) {
    if (listener === undefined) continue;
    for (const option of ['address', 'redirectHttpFrom'] as const) {
      const address = listener[option];
      if (address === undefined || address.port === 0) continue;
      const others = byPort.get(address.port) ?? [];
      const clash = others.find((other) => overlap(other.address.host, address.host));
      if (clash !== undefined) {
        findings.faults.push({
          path: [...path, option],
          subject: formatSocketAddress(address),
          message: `is taken by ${clash.where}`,
          hint: 'listen on another port or address',
        });
      }
      others.push({ address, where: `${option} of the listener ${listener.name}` });
      byPort.set(address.port, others);
    }
  }
}

/** Whether two hosts to listen on share an address. With SO_REUSEPORT the system would let both bind, and deal out connections between them. */
function overlap(a: string, b: string): boolean {
  if (canonicalHost(a) === canonicalHost(b) || bothFamilies(a) || bothFamilies(b)) return true;
  if (a === 'localhost') return isLoopback(b) || isWildcard(b);
  if (b === 'localhost') return isLoopback(a) || isWildcard(a);
  return (isWildcard(a) || isWildcard(b)) && a.includes(':') === b.includes(':');
}

/** `::` takes IPv4 connections as well. */
function bothFamilies(host: string): boolean {
  return host.includes(':') && isWildcard(host);
}

function canonicalHost(host: string): string {
  return parseCidr(host)?.text ?? host;
}
