import type { Exchange, Reply } from '../exchange.ts';
import { ecsFacts } from './access-ecs.ts';
import { jsonMembers } from './access-json.ts';
import type { LineLevel, Log } from './log.ts';
import { createQueryRedactor, type QueryRedactor } from './redact.ts';

export interface AccessLogOptions {
  readonly enabled: boolean;
  /** The share of successful requests that are logged, 0 to 1; those answered with an error always are. */
  readonly sample: number;
  readonly redactQuery: readonly string[];
}

/** Makes the function that writes a line for a finished exchange. docs/observability.md lists the fields. */
export function createAccessLog(
  log: Log,
  options: AccessLogOptions,
): (exchange: Exchange, reply: Reply | undefined) => void {
  const tell = teller(log, createQueryRedactor(options.redactQuery));
  const informs = log.level === 'info' || log.level === 'debug';

  function logExchange(exchange: Exchange, reply: Reply | undefined): void {
    const failed = reply === undefined || reply.status >= 500 || exchange.internalDetail !== undefined;
    if (failed && reply?.problem?.blame !== 'client') {
      if (log.level !== 'error') tell('warn', exchange, reply);
      return;
    }
    if (!informs || !(failed || options.enabled)) return;
    if (!failed && options.sample < 1 && reply.status < 400 && Math.random() >= options.sample) return;
    tell('info', exchange, reply);
  }

  return logExchange;
}

type Teller = (level: LineLevel, exchange: Exchange, reply: Reply | undefined) => void;

function teller(log: Log, redactQuery: QueryRedactor): Teller {
  const { line } = log;
  return line === undefined
    ? (level, exchange, reply) => log[level](ecsFacts(exchange, reply, redactQuery), 'request')
    : (level, exchange, reply) => line(level, jsonMembers(exchange, reply, redactQuery), 'request');
}
