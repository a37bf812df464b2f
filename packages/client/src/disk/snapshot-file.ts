import type { Clock, Logger, TimerHandle } from '@portolan/core';

export interface SnapshotFileOptions {
  readonly path: string;
  /** At most one write in this time; the newest state wins. */
  readonly minIntervalMs: number;
}

/** A document on disk that is always whole: written aside, flushed, then renamed. */
export interface SnapshotFile {
  /** Undefined when there is none or it cannot be read, which is logged. */
  load(): Promise<unknown>;
  /** Writes what `document` gives at the time of writing, soon. */
  save(document: () => unknown): void;
  /** Writes what is still waiting and stops. */
  close(): Promise<void>;
}

export function createSnapshotFile(
  options: SnapshotFileOptions,
  deps: { readonly clock: Clock; readonly logger: Logger },
): SnapshotFile {
  const { path, minIntervalMs } = options;
  let waiting: (() => unknown) | undefined;
  let timer: TimerHandle | undefined;
  let writing: Promise<void> = Promise.resolve();
  let lastMs = Number.NEGATIVE_INFINITY;

  function flush(): Promise<void> {
    timer?.cancel();
    timer = undefined;
    const document = waiting;
    waiting = undefined;
    if (!document) return writing;
    lastMs = deps.clock.now();
    writing = writing
      .then(() => writeWhole(path, JSON.stringify(document())))
      .catch((error: unknown) =>
        deps.logger.warn({ err: error, path }, 'the snapshot could not be written'),
      );
    return writing;
  }

  return {
    async load() {
      const { readFile } = await import('node:fs/promises');
      try {
        return JSON.parse(await readFile(path, 'utf8'));
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'ENOENT') {
          deps.logger.warn({ err: error, path }, 'the snapshot could not be read and is ignored');
        }
        return undefined;
      }
    },
    save(document) {
      waiting = document;
      const delayMs = Math.max(0, lastMs + minIntervalMs - deps.clock.now());
      timer ??= deps.clock.setTimer(delayMs, () => void flush());
    },
    close: flush,
  };
}

/** A reader sees the old file or the new one, also after a power cut. */
async function writeWhole(path: string, text: string): Promise<void> {
  const { mkdir, open, rename, unlink } = await import('node:fs/promises');
  const { dirname } = await import('node:path');
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(aside, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await unlink(aside).catch(() => undefined);
    throw error;
  }
}
