import { ecsFormat } from '@elastic/ecs-pino-format';
import { type LoggerOptions, pino } from 'pino';
import { errorFacts } from './error-facts.ts';
import { createLineWriter, MAX_LINE_BYTES } from './line-writer.ts';
import { wholeLine } from './whole-line.ts';

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'json' | 'ecs';
  /** A file descriptor or a path; standard output unless given. */
  readonly destination?: number | string;
}

export interface Log {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  readonly format: LogOptions['format'];
  /** The least severe lines that are written. */
  readonly level: LogOptions['level'];
  /** Lines that were dropped because their reader did not keep up or was gone. */
  readonly dropped: number;
  /** Settles when everything logged so far is written. */
  flush(): Promise<void>;
  /** Writes everything logged so far, giving up on a stuck reader after two seconds. */
  close(): Promise<void>;
}

/**
 * Opens the log of one thread: a JSON line an event, written whole and asynchronously, at the latest after a tenth of a second.
 * An error under the key `err` is told in full, with its credentials redacted.
 */
export function createLog(options: LogOptions): Log {
  const writer = createLineWriter(options.destination ?? 1);
  const logger = pino(settings(options), { write: (line) => writer.write(wholeLine(line, MAX_LINE_BYTES)) });
  const told = options.format === 'ecs' ? ecsFacts : plainFacts;
  return {
    debug: (facts, message) => logger.debug(told(facts), message),
    info: (facts, message) => logger.info(told(facts), message),
    warn: (facts, message) => logger.warn(told(facts), message),
    error: (facts, message) => logger.error(told(facts), message),
    format: options.format,
    level: options.level,
    get dropped() {
      return writer.dropped;
    },
    flush: writer.flush,
    close: writer.close,
  };
}

function settings(options: LogOptions): LoggerOptions {
  if (options.format === 'ecs') {
    // The format's own options are typed for a pino without exactOptionalPropertyTypes.
    const format = ecsFormat({
      convertErr: false,
      convertReqRes: false,
      apmIntegration: false,
      serviceName: 'sallyport',
    }) as LoggerOptions;
    return { ...format, level: options.level, timestamp: () => `,"@timestamp":"${isoNow()}"` };
  }
  return {
    level: options.level,
    base: null,
    timestamp: () => `,"time":"${isoNow()}"`,
    formatters: { level: (level) => ({ level }) },
    serializers: { err: (facts) => facts }, // pino's own would add to what errorFacts made
  };
}

function plainFacts(facts: object): object {
  return 'err' in facts ? { ...facts, err: errorFacts(facts.err) } : facts;
}

/** Facts of our own go under `sallyport`, so that none of them is taken for a field of the schema; a line of the access log is in it already. */
function ecsFacts(facts: object): object {
  if ('event' in facts) return facts;
  if (!('err' in facts)) return { sallyport: facts };
  const { err, ...own } = facts;
  const { type, message, code, stack, ...causes } = errorFacts(err);
  return { error: { type, message, code, stack_trace: stack }, sallyport: { ...own, ...causes } };
}

let writtenMs = 0;
let written = '';

/** A busy gateway writes many lines a millisecond, and writing out the time costs a fifth of a line. */
function isoNow(): string {
  const now = Date.now();
  if (now !== writtenMs) {
    writtenMs = now;
    written = new Date(now).toISOString();
  }
  return written;
}
