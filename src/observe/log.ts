import { ecsFormat } from '@elastic/ecs-pino-format';
import { type DestinationStream, type LoggerOptions, pino } from 'pino';
import { errorFacts } from './error-facts.ts';

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
  /** Lines that were dropped because their reader did not keep up. */
  readonly dropped: number;
  /** Settles when everything logged so far is written. */
  flush(): Promise<void>;
  /** Writes everything logged so far; nothing may be logged after it. */
  close(): Promise<void>;
}

/** A pipe takes a write of this size whole (POSIX PIPE_BUF), so the lines of several threads never mix. */
const MAX_WRITE_BYTES = 4096;
const FLUSH_EVERY_MS = 100;
/** Bytes of log kept for a reader that is behind; more are dropped and counted. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;

/** Opens the log of one thread. Lines are gathered and written asynchronously, at the latest after a tenth of a second. */
export function createLog(options: LogOptions): Log {
  const destination = pino.destination({
    dest: options.destination ?? 1,
    sync: false,
    minLength: MAX_WRITE_BYTES - 1,
    maxWrite: MAX_WRITE_BYTES,
    maxLength: MAX_BACKLOG_BYTES,
  });
  let dropped = 0;
  destination.on('drop', () => {
    dropped += 1;
  });
  destination.on('error', () => {
    dropped += 1; // a closed pipe must not end the gateway
  });
  const flusher = setInterval(() => destination.flush(), FLUSH_EVERY_MS).unref();

  const flush = (): Promise<void> => new Promise((resolve) => destination.flush(() => resolve()));
  const logger = pino(settings(options), destination as DestinationStream); // pino.destination is one; its type lacks the name
  return {
    debug: (facts, message) => logger.debug(facts, message),
    info: (facts, message) => logger.info(facts, message),
    warn: (facts, message) => logger.warn(facts, message),
    error: (facts, message) => logger.error(facts, message),
    format: options.format,
    get dropped() {
      return dropped;
    },
    flush,
    async close() {
      clearInterval(flusher);
      await flush();
    },
  };
}

function settings(options: LogOptions): LoggerOptions {
  if (options.format === 'ecs') {
    // The format's own options are typed for a pino without exactOptionalPropertyTypes.
    return { ...(ecsFormat({ convertErr: true, apmIntegration: false, serviceName: 'sallyport' }) as LoggerOptions), level: options.level };
  }
  return {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level) => ({ level }) },
    serializers: { err: errorFacts },
  };
}
