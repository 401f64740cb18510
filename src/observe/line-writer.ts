import { close, fstatSync, openSync, readFileSync, write, writeSync } from 'node:fs';

/** Writes lines to a file descriptor without ever waiting for its reader. */
export interface LineWriter {
  /** Takes a line of ASCII with its line feed, at most `MAX_LINE_BYTES` long. */
  write(line: string): void;
  /** Lines given up: the backlog was full, or the reader was gone. */
  readonly dropped: number;
  /** Settles when every line taken so far is written or given up; never, while a reader neither reads nor goes away. */
  flush(): Promise<void>;
  /** Like `flush`, for two seconds at most. A file that was opened by its path is closed; lines that come later are dropped. */
  close(): Promise<void>;
}

/** A pipe takes a write of this size whole (POSIX PIPE_BUF on Linux), so the lines of several threads never mix. */
export const MAX_LINE_BYTES = 4096;
/** A file takes any write whole; larger ones cost less a line. */
const MAX_FILE_WRITE_BYTES = 1024 * 1024;
const FLUSH_EVERY_MS = 100;
/** What a reader that is behind may cost in memory; lines beyond it are dropped and counted. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;
/** How long to leave a full pipe alone. */
const FULL_PIPE_MS = 20;
const CLOSE_DEADLINE_MS = 2000;
/** How long to believe that a descriptor does not block: another process may share it, and change that. */
const BELIEVE_MS = 1000;

/** Lines that go out in one write. */
interface Batch {
  text: string;
  lines: number;
}

/** Opens a writer on a descriptor, or on a file that is appended to. Lines go out once they fill a write, at the latest after 100 ms. */
export function createLineWriter(destination: number | string): LineWriter {
  const fd = typeof destination === 'string' ? openSync(destination, 'a', 0o640) : destination;
  const stat = fstatSync(fd);
  const isPipe = stat.isFIFO() || stat.isSocket();
  const maxWrite = isPipe ? MAX_LINE_BYTES : MAX_FILE_WRITE_BYTES;
  const waiting: Batch[] = [];
  const idle: (() => void)[] = [];
  let backlogBytes = 0;
  let dropped = 0;
  let writing = false;
  let closed = false;
  let hasTimer = false;
  let retry: NodeJS.Timeout | undefined;
  /** Whether the last write broke off within a line. */
  let torn = false;
  let nonBlocking = false;
  let believedUntil = 0;

  function take(line: string): void {
    if (closed || backlogBytes + line.length > MAX_BACKLOG_BYTES) {
      dropped += 1;
      return;
    }
    backlogBytes += line.length;
    const last = waiting.at(-1);
    if (last !== undefined && last.text.length + line.length <= maxWrite) {
      last.text += line;
      last.lines += 1;
    } else {
      waiting.push({ text: line, lines: 1 });
    }
    proceed();
  }

  /** Full batches go out at once; one that may still grow waits a while, unless somebody waits for it. */
  function proceed(): void {
    if (writing) return;
    if (waiting.length > 1 || idle.length > 0) {
      writeNext();
    } else if (waiting.length > 0 && !hasTimer) {
      hasTimer = true;
      setTimeout(onTimer, FLUSH_EVERY_MS).unref();
    }
  }

  function onTimer(): void {
    hasTimer = false;
    writeNext();
  }

  function writeNext(): void {
    while (!writing) {
      const batch = waiting.shift();
      if (batch === undefined) {
        for (const settle of idle.splice(0)) settle();
        return;
      }
      writing = true;
      writeOut(batch, Buffer.from(torn ? `\n${batch.text}` : batch.text, 'latin1'), 0);
      if (waiting.length === 1 && idle.length === 0) break;
    }
    proceed();
  }

  /**
   * A pipe that does not block is written to directly: a detour over the thread pool costs several times the write, and allows but one
   * write of 4 KiB a turn of the event loop, which is less than a busy worker logs. All else could hold the thread up.
   */
  function writeOut(batch: Batch, bytes: Buffer, from: number): void {
    if (!isPipe || !cannotBlock()) {
      write(fd, bytes, from, bytes.length - from, null, (error, written) => {
        settle(batch, bytes, from, error, written);
        proceed();
      });
      return;
    }
    let written = 0;
    let error: NodeJS.ErrnoException | null = null;
    try {
      written = writeSync(fd, bytes, from);
    } catch (failure) {
      error = failure as NodeJS.ErrnoException; // fs throws nothing else
    }
    settle(batch, bytes, from, error, written);
  }

  function settle(
    batch: Batch,
    bytes: Buffer,
    from: number,
    error: NodeJS.ErrnoException | null,
    written: number,
  ): void {
    if (error !== null && (error.code === 'EAGAIN' || error.code === 'EBUSY')) {
      retry = setTimeout(() => {
        writeOut(batch, bytes, from);
        proceed();
      }, FULL_PIPE_MS);
      if (idle.length === 0) retry.unref(); // a thread lives on for a flush only
      return;
    }
    if (error === null && from + written < bytes.length) {
      writeOut(batch, bytes, from + written);
      return;
    }
    // The reader is gone or the disk is full: that must not end the gateway, and the next batch may fare better.
    if (error !== null) dropped += batch.lines;
    torn = error === null ? false : torn || from > 0;
    backlogBytes -= batch.text.length;
    writing = false;
  }

  function cannotBlock(): boolean {
    const now = performance.now();
    if (now >= believedUntil) {
      nonBlocking = isNonBlocking(fd);
      believedUntil = now + BELIEVE_MS;
    }
    return nonBlocking;
  }

  function flush(): Promise<void> {
    return new Promise((resolve) => {
      idle.push(resolve);
      retry?.ref();
      writeNext();
    });
  }

  function giveUp(): void {
    for (const { text, lines } of waiting.splice(0)) {
      dropped += lines;
      backlogBytes -= text.length;
    }
    for (const resolve of idle.splice(0)) resolve();
    retry?.unref();
  }

  /** The last words of a thread that ends without `close`, an uncaught error's above all. A stuck reader is not waited for. */
  function onExit(): void {
    if (writing) return;
    try {
      for (const { text } of waiting.splice(0)) writeSync(fd, text, null, 'latin1');
    } catch {
      // Nobody is left to tell.
    }
  }
  process.on('exit', onExit);

  return {
    write: take,
    flush,
    get dropped() {
      return dropped;
    },
    async close() {
      let deadline: NodeJS.Timeout | undefined;
      await Promise.race([
        flush(),
        new Promise((resolve) => {
          deadline = setTimeout(resolve, CLOSE_DEADLINE_MS);
        }),
      ]);
      clearTimeout(deadline);
      process.off('exit', onExit);
      giveUp();
      if (typeof destination !== 'string') return;
      closed = true;
      if (!writing) close(fd);
    },
  };
}

/** Node makes the pipe of standard output non-blocking when it starts its first worker thread. Only Linux tells; elsewhere the answer is no. */
function isNonBlocking(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & O_NONBLOCK) !== 0;
  } catch {
    return false;
  }
}

const O_NONBLOCK = 0o4000;
