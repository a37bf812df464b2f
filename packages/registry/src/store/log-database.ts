import type { Entry, Logger, Revision } from '@portolan/core';
import { nextTurn } from '../time/next-turn.ts';
import { writeBase } from './base-writer.ts';
import { byKeyBytes } from './by-key-bytes.ts';
import type { DataFolder, LogEnd } from './data-folder.ts';
import type { KeyRevisions } from './evaluate-commits.ts';
import { FrameFile } from './frame-file.ts';
import { basePath, createLog, logPath, removeFiles } from './log-files.ts';
import { FRAME_HEAD_BYTES } from './log-frame.ts';
import { LogWriter } from './log-writer.ts';
import { PlaceReader, readEntry } from './place-reader.ts';
import { type RecoveredStore, recoverStore } from './recover-store.ts';

/** Both files hold what is moved, so that others may have their turn meanwhile. */
const MOVED_AT_ONCE = 20_000;

export interface LogDatabaseOptions {
  /** Bytes of logs from which on a new base is written, if they are also more than the last base. */
  readonly compactFromBytes: number;
}

/** The logs and the base below them, with an index of all keys in memory. One write is under way at a time. */
export class LogDatabase {
  readonly #folder: DataFolder;
  readonly #options: LogDatabaseOptions;
  readonly #logger: Logger;
  readonly #store: Pick<RecoveredStore, 'table' | 'files'>;
  #writer: LogWriter;
  #revision: Revision;
  #logNumber: number;
  /** The newest log among the open files. */
  #logFile: number;
  #olderLogBytes: number;
  #baseBytes: number;
  #compaction: Promise<void> | undefined;
  /** Size of the logs from which on it is worth trying again. */
  #notBeforeBytes = 0;
  #closing = false;
  /** Whether nobody has read since recovery checked every byte: who loads everything at a start need not check it again. */
  #isJustChecked = true;

  private constructor(
    folder: DataFolder,
    options: LogDatabaseOptions,
    logger: Logger,
    store: RecoveredStore,
    writer: LogWriter,
  ) {
    this.#folder = folder;
    this.#options = options;
    this.#logger = logger;
    this.#store = store;
    this.#writer = writer;
    this.#revision = store.revision;
    this.#logNumber = store.logNumber;
    this.#logFile = store.logFile;
    this.#olderLogBytes = store.olderLogBytes;
    this.#baseBytes = store.baseBytes;
  }

  /** Reads everything once and checks it; rejects with STORE_CORRUPT, and has changed nothing, where it is damaged. */
  static async open(
    folder: DataFolder,
    closed: LogEnd | undefined,
    options: LogDatabaseOptions,
    logger: Logger,
  ): Promise<LogDatabase> {
    const store = await recoverStore(folder, closed, nextTurn);
    try {
      const path = logPath(folder.path, store.logNumber);
      const writer = await LogWriter.open(path, store.logEnd);
      if (store.tornBytes > 0) {
        logger.warn(
          { path, bytes: store.tornBytes },
          'a write was under way when the process ended; what there was of it is cut off, it was never acknowledged',
        );
        await writer.cut();
      }
      removeFiles(store.useless);
      return new LogDatabase(folder, options, logger, store, writer);
    } catch (error) {
      store.files.close();
      throw error;
    }
  }

  readRevision(): Revision {
    return this.#revision;
  }

  /** What a clean stop writes down. */
  get end(): LogEnd {
    return { log: this.#logNumber, bytes: this.#writer.end };
  }

  get(key: string): Entry | undefined {
    const { table, files } = this.#store;
    const place = table.find(key);
    return place && readEntry(files.at(place.file), place);
  }

  revisionsOf(key: string): KeyRevisions | undefined {
    return this.#store.table.revisions(key);
  }

  /** In the order of the keys' UTF-8 bytes, over several turns, as of the moment of the call. */
  async list(
    prefix: string,
    turn: () => Promise<void>,
  ): Promise<{ readonly entries: readonly Entry[]; readonly revision: Revision }> {
    const entries: Entry[] = [];
    const revision = await this.scan(prefix, (batch) => void entries.push(...batch), turn);
    return { entries: entries.sort(byKeyBytes), revision };
  }

  /** As `list`, in batches and in no order: for more than should be in memory at once. */
  async scan(
    prefix: string,
    take: (entries: readonly Entry[]) => void,
    turn: () => Promise<void>,
  ): Promise<Revision> {
    const revision = this.#revision;
    const { table, files } = this.#store;
    const isChecked = this.#isJustChecked;
    this.#isJustChecked = false;
    const reader = new PlaceReader(table.select(prefix), files.holdAll(), isChecked);
    try {
      for (let batch = reader.next(); batch; batch = reader.next()) {
        take(batch);
        await turn();
      }
      return revision;
    } finally {
      reader.close();
    }
  }

  /** Resolves when all of it is durable; rejects with the system's error when none of it is. */
  async write(
    finalEntries: ReadonlyMap<string, Entry | undefined>,
    revision: Revision,
  ): Promise<void> {
    const written = await this.#writer.append(finalEntries, revision);
    const { table } = this.#store;
    for (const { key, entry, offset, bytes } of written) {
      if (entry === undefined) table.delete(key);
      else {
        const place = { file: this.#logFile, offset, bytes };
        table.set(key, place, entry.createRevision, entry.modifyRevision);
      }
    }
    this.#revision = revision;
    if (this.#isLarge()) this.#compact();
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#compaction;
    this.#writer.close();
    this.#store.files.close();
  }

  #isLarge(): boolean {
    if (this.#compaction || this.#closing) return false;
    const bytes = this.#olderLogBytes + this.#writer.end;
    return bytes > Math.max(this.#options.compactFromBytes, this.#baseBytes, this.#notBeforeBytes);
  }

  /** Begins a new log, so that no write waits for longer, and copies what is live into a base below it meanwhile. */
  #compact(): void {
    const { files } = this.#store;
    const number = this.#logNumber + 1;
    const bytes = this.#olderLogBytes + this.#writer.end;
    // Also when it fails: a full disk is not tried again at every write.
    this.#notBeforeBytes = bytes * 1.25;
    try {
      const { descriptor, file } = createLog(this.#folder.path, number, this.#revision);
      const older = this.#writer;
      this.#writer = new LogWriter(descriptor, FRAME_HEAD_BYTES);
      this.#logNumber = number;
      this.#olderLogBytes = bytes;
      this.#logFile = files.add(file);
      older.close();
    } catch (error) {
      this.#warn(error);
      return;
    }
    this.#compaction = this.#copyBelow(number, this.#logFile).then(
      () => {
        this.#compaction = undefined;
      },
      (error: unknown) => {
        this.#compaction = undefined;
        if (!this.#closing) this.#warn(error);
      },
    );
  }

  async #copyBelow(number: number, log: number): Promise<void> {
    const { table, files } = this.#store;
    const path = basePath(this.#folder.path, number);
    const base = await writeBase(path, {
      table,
      fileOf: (file) => files.at(file),
      growing: log,
      revision: this.#revision,
      turn: async () => {
        if (this.#closing) throw new Error('The store is closing.');
        await nextTurn();
      },
    });
    const file = files.add(new FrameFile(path));
    for (let index = 0; index < base.size; index++) {
      const copy = base.copyAt(index);
      if (copy) table.move(copy, file);
      if (index % MOVED_AT_ONCE === MOVED_AT_ONCE - 1) await nextTurn();
    }
    this.#baseBytes = base.bytes;
    this.#olderLogBytes = 0;
    this.#notBeforeBytes = 0;
    removeFiles(files.dropAllBut([log, file]));
  }

  #warn(error: unknown): void {
    this.#logger.error(
      { err: error, path: this.#folder.path },
      'the logs could not be compacted; they grow until it succeeds',
    );
  }
}
