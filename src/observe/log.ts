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

export type LineLevel = 'info' | 'warn';

export interface Log {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  /**
   * Writes a line whose members are JSON already: printable ASCII, each with a comma before it. What every request logs goes this way,
   * as it costs a quarter of an object. Undefined in the ECS format, where members have other names.
   */
  readonly line: ((level: LineLevel, members: string, message: 'request') => void) | undefined;
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
  const timeMember = createTimeMember(options.format === 'ecs' ? '@timestamp' : 'time');
  const logger = pino(settings(options, timeMember), {
    write: (line) => writer.write(wholeLine(line, MAX_LINE_BYTES)),
  });
  const enabled = { info: logger.isLevelEnabled('info'), warn: logger.isLevelEnabled('warn') };
  const told = options.format === 'ecs' ? ecsFacts : plainFacts;

  function line(level: LineLevel, members: string, message: string): void {
    if (!enabled[level]) return;
    const text = `{"level":"${level}"${timeMember()}${members},"msg":"${message}"}\n`;
    writer.write(text.length <= MAX_LINE_BYTES ? text : wholeLine(text, MAX_LINE_BYTES));
  }

  return {
    debug: (facts, message) => logger.debug(told(facts), message),
    info: (facts, message) => logger.info(told(facts), message),
    warn: (facts, message) => logger.warn(told(facts), message),
    error: (facts, message) => logger.error(told(facts), message),
    line: options.format === 'ecs' ? undefined : line,
    level: options.level,
    get dropped() {
      return writer.dropped;
    },
    flush: writer.flush,
    close: writer.close,
  };
}

function settings(options: LogOptions, timeMember: () => string): LoggerOptions {
  if (options.format === 'ecs') {
    // The format's own options are typed for a pino without exactOptionalPropertyTypes.
    const format = ecsFormat({
      convertErr: false,
      convertReqRes: false,
      apmIntegration: false,
      serviceName: 'sallyport',
    }) as LoggerOptions;
    return { ...format, level: options.level, timestamp: timeMember };
  }
  return {
    level: options.level,
    base: null,
    timestamp: timeMember,
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

/** Makes the member that says when. A busy gateway writes many lines a millisecond, and writing out the time costs a fifth of a line. */
function createTimeMember(name: 'time' | '@timestamp'): () => string {
  let writtenMs = 0;
  let written = '';
  return function timeMember() {
    const now = Date.now();
    if (now !== writtenMs) {
      writtenMs = now;
      written = `,"${name}":"${new Date(now).toISOString()}"`;
    }
    return written;
  };
}
