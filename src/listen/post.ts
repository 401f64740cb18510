import type { ListenerFacts } from '../exchange.ts';
import { type CidrMatcher, compileCidrs } from '../lib/cidr.ts';
import type { ListenerHandlers, ListenerLimits, ListenerOptions } from './listener-options.ts';

/** What all connections of a listener share. An update changes it in place: it holds for whatever comes next on any connection. */
export class Post {
  readonly facts: ListenerFacts;
  readonly handlers: ListenerHandlers;
  limits: ListenerLimits;
  isTrustedProxy: CidrMatcher;
  isPermitted: CidrMatcher;
  /** Undefined where the listener takes no PROXY protocol. */
  speaksProxyProtocol: CidrMatcher | undefined;
  /** Replies carry `Connection: close` and nothing new is begun. */
  draining = false;

  constructor(options: ListenerOptions, handlers: ListenerHandlers) {
    this.facts = { name: options.name, exposure: options.exposure };
    this.handlers = handlers;
    this.limits = options.limits;
    this.isTrustedProxy = compileCidrs(options.trustedProxies);
    this.isPermitted = permission(options);
    this.speaksProxyProtocol = proxyPeers(options);
  }

  /** Throws where a block is none, and then has changed nothing. */
  update(options: ListenerOptions): void {
    const isTrustedProxy = compileCidrs(options.trustedProxies);
    const isPermitted = permission(options);
    this.speaksProxyProtocol = proxyPeers(options);
    this.isTrustedProxy = isTrustedProxy;
    this.isPermitted = isPermitted;
    this.limits = options.limits;
  }
}

function permission(options: ListenerOptions): CidrMatcher {
  const denied = compileCidrs(options.deny);
  const allowed = options.allow.length === 0 ? anybody : compileCidrs(options.allow);
  return (address) => !denied(address) && allowed(address);
}

function anybody(): boolean {
  return true;
}

function proxyPeers(options: ListenerOptions): CidrMatcher | undefined {
  return options.proxyProtocol === undefined ? undefined : compileCidrs(options.proxyProtocol.trusted);
}
