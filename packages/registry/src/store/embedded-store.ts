import { isAbsolute, resolve } from 'node:path';
import type {
  Change,
  CommitResult,
  Entry,
  Guard,
  Logger,
  Op,
  RegistryError,
  Revision,
  Store,
} from '@portolan/core';
import { nextTurn } from '../time/next-turn.ts';
import { ChangeWindow, type ChangeWindowOptions } from './change-window.ts';
import {
  CommitQueue,
  type CommitQueueLimits,
  DEFAULT_COMMIT_QUEUE_LIMITS,
} from './commit-queue.ts';
import { type CommitRequest, evaluateCommits } from './evaluate-commits.ts';
import type { LogDatabase } from './log-database.ts';
import { type OpenedFolder, openDataFolder } from './open-data-folder.ts';
import { isDiskFull, storeClosed, toStoreError } from './store-fault.ts';
import { checkOps } from './store-limits.ts';

export interface EmbeddedStoreOptions {
  /** Data folder; made when missing. */
  readonly path: string;
  readonly commits?: Partial<CommitQueueLimits>;
  readonly window?: Partial<ChangeWindowOptions>;
  /** Bytes of logs from which on what is live may be copied into a new base. */
  readonly compactFromBytes?: number;
  /** Also opens a store whose last snapshot restore did not finish: only for restoring again. */
  readonly allowInterruptedRestore?: boolean;
  /** Refuses a folder that holds no store, and makes nothing. */
  readonly mustExist?: boolean;
}

const COMPACT_FROM_BYTES = 64 * 1024 * 1024;

const DEFAULT_WINDOW: ChangeWindowOptions = {
  maxChanges: 1_000,
  maxBytes: 16 * 1024 * 1024,
  maxQueuedChanges: 50_000,
};

/** Opens the embedded store, alone on its folder; fails with a `STORE_*` error that names the path and what to do. */
export async function openEmbeddedStore(
  options: EmbeddedStoreOptions,
  deps: { readonly logger: Logger },
): Promise<Store> {
  const path = isAbsolute(options.path) ? options.path : resolve(options.path);
  const opened = await openDataFolder(
    path,
    { ...options, compactFromBytes: options.compactFromBytes ?? COMPACT_FROM_BYTES },
    deps.logger,
  );
  return new EmbeddedStore(path, opened, options, deps.logger);
}

class EmbeddedStore implements Store {
  readonly capabilities = { durable: true, shared: false, nativeWatch: true };
  readonly #path: string;
  readonly #database: LogDatabase;
  readonly #release: (clean: boolean) => void;
  readonly #logger: Logger;
  readonly #queue: CommitQueue;
  readonly #window: ChangeWindow;
  #revision: Revision;
  /** The newest revision ever given to a commit, also to one that failed: numbers are never given twice. */
  #assigned: Revision;
  #failure: RegistryError | undefined;
  #closing: Promise<void> | undefined;
  #reading = 0;

  constructor(
    path: string,
    { database, release }: OpenedFolder,
    options: EmbeddedStoreOptions,
    logger: Logger,
  ) {
    this.#path = path;
    this.#database = database;
    this.#release = release;
    this.#logger = logger;
    this.#revision = database.readRevision();
    this.#assigned = this.#revision;
    this.#window = new ChangeWindow({ ...DEFAULT_WINDOW, ...options.window }, this.#revision);
    this.#queue = new CommitQueue((requests) => this.#write(requests), {
      ...DEFAULT_COMMIT_QUEUE_LIMITS,
      ...options.commits,
    });
  }

  get revision(): Revision {
    return this.#revision;
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#assertOpen();
    return this.#read(() => this.#database.get(key));
  }

  async list(prefix: string) {
    this.#assertOpen();
    this.#reading++;
    try {
      return await this.#database.list(prefix, nextTurn);
    } catch (error) {
      throw toStoreError(error, this.#path, 'reading');
    } finally {
      this.#reading--;
    }
  }

  async scan(prefix: string, take: (entries: readonly Entry[]) => void): Promise<Revision> {
    this.#assertOpen();
    this.#reading++;
    try {
      return await this.#database.scan(prefix, take, nextTurn);
    } catch (error) {
      throw toStoreError(error, this.#path, 'reading');
    } finally {
      this.#reading--;
    }
  }

  commit(ops: readonly Op[], guards: readonly Guard[] = []): Promise<CommitResult> {
    try {
      this.#assertOpen();
      if (this.#failure !== undefined) throw this.#failure;
      checkOps(ops);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#queue.commit(ops, guards);
  }

  watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<readonly Change[]> {
    this.#assertOpen();
    return this.#window.watch(prefix, from, signal);
  }

  async raiseRevision(atLeast: Revision): Promise<void> {
    this.#assertOpen();
    await this.#queue.exclusive(async () => {
      if (atLeast <= this.#assigned) return;
      await this.#toDisk(new Map(), atLeast);
      this.#assigned = atLeast;
      this.#revision = atLeast;
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#queue.idle();
    this.#window.close();
    // A list over several turns still reads.
    while (this.#reading > 0) await nextTurn();
    let isClosed = false;
    try {
      await this.#database.close();
      isClosed = true;
    } finally {
      this.#release(isClosed && this.#failure === undefined);
    }
  }

  async #write(requests: readonly CommitRequest[]): Promise<readonly CommitResult[]> {
    if (this.#failure !== undefined) throw this.#failure;
    const evaluated = this.#read(() =>
      evaluateCommits(requests, { durable: this.#revision, assigned: this.#assigned }, (key) =>
        this.#database.revisionsOf(key),
      ),
    );
    // A commit that deleted only what was not there took a revision all the same.
    if (evaluated.revision === this.#revision) return evaluated.results;
    this.#assigned = evaluated.revision;
    await this.#toDisk(evaluated.finalEntries, evaluated.revision);
    this.#revision = evaluated.revision;
    this.#window.publish(evaluated.changes);
    return evaluated.results;
  }

  async #toDisk(
    finalEntries: ReadonlyMap<string, Entry | undefined>,
    revision: Revision,
  ): Promise<void> {
    try {
      await this.#database.write(finalEntries, revision);
    } catch (error) {
      const fault = toStoreError(error, this.#path, 'writing');
      // After anything but a full disk nobody knows what the kernel kept: what is acknowledged after it might not be there.
      if (!isDiskFull(error)) this.#failure = fault;
      this.#logger.error({ err: error, code: fault.code, path: this.#path }, 'commit failed');
      throw fault;
    }
  }

  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw toStoreError(error, this.#path, 'reading');
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw storeClosed(this.#path);
  }
}
