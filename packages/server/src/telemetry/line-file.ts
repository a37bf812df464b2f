import { type FileHandle, open } from 'node:fs/promises';
import type { Clock, TimerHandle } from '@portolan/core';

export interface LineFileOptions {
  /** Absolute, or undefined for standard output. */
  readonly path: string | undefined;
  /** Bytes that may wait to be written; further lines are dropped. Default 4 MiB. */
  readonly maxWaitingBytes?: number;
}

export interface LineFileDeps {
  readonly clock: Clock;
  /** Called once for each time that writing begins to fail. */
  onError(error: unknown): void;
  onLines(outcome: 'written' | 'dropped', lines: number): void;
}

/** Lines written behind their makers' backs: gathered, appended in one go, and dropped rather than waited for. */
export interface LineFile {
  /** The line ends with its LF. */
  write(line: string): void;
  /** Goes on in the file that has the path now; what was written before is in the one that had it. Rejects when it cannot be opened, and goes on in the old one. */
  reopen(): Promise<void>;
  /** Writes what waits and closes the file. */
  close(): Promise<void>;
}

const MAX_WAITING_BYTES = 4_194_304;
const FLUSH_EVERY_MS = 200;
const FLUSH_AT_BYTES = 65_536;

/** Opens the file for appending; rejects with the error of the system when that cannot be. */
export async function openLineFile(
  options: LineFileOptions,
  deps: LineFileDeps,
): Promise<LineFile> {
  const { clock, onError, onLines } = deps;
  const { path, maxWaitingBytes = MAX_WAITING_BYTES } = options;
  let handle = await openFile(path);
  let waiting = '';
  let waitingLines = 0;
  let timer: TimerHandle | undefined;
  let failing = false;
  let ended = false;
  /** One thing at a time is done to the file. */
  let queue: Promise<void> = Promise.resolve();
  let isFlushPlanned = false;

  async function flush(): Promise<void> {
    isFlushPlanned = false;
    timer?.cancel();
    timer = undefined;
    if (waitingLines === 0) return;
    const [text, lines] = [waiting, waitingLines];
    waiting = '';
    waitingLines = 0;
    try {
      await writeAll(handle, Buffer.from(text, 'utf8'));
      failing = false;
      onLines('written', lines);
    } catch (error) {
      onLines('dropped', lines);
      if (!failing) onError(error);
      failing = true;
    }
  }

  function planFlush(): void {
    if (isFlushPlanned) return;
    isFlushPlanned = true;
    queue = queue.then(flush);
  }

  return {
    write(line) {
      if (ended) return;
      if (waiting.length + line.length > maxWaitingBytes) {
        onLines('dropped', 1);
        return;
      }
      waiting += line;
      waitingLines += 1;
      if (waiting.length >= FLUSH_AT_BYTES) planFlush();
      else timer ??= clock.setTimer(FLUSH_EVERY_MS, planFlush);
    },
    reopen() {
      const done = queue.then(async () => {
        await flush();
        const next = await openFile(path);
        await handle?.close();
        handle = next;
      });
      queue = done.catch(() => undefined);
      return done;
    },
    async close() {
      ended = true;
      queue = queue.then(flush).then(() => handle?.close());
      await queue;
    },
  };
}

/** Undefined stands for standard output. */
async function openFile(path: string | undefined): Promise<FileHandle | undefined> {
  return path === undefined ? undefined : await open(path, 'a', 0o640);
}

async function writeAll(handle: FileHandle | undefined, bytes: Buffer): Promise<void> {
  if (handle !== undefined) {
    for (let at = 0; at < bytes.length; ) {
      at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
    }
    return;
  }
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
