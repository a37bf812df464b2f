import { isAbsolute, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
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
import { ChangeWindow, type ChangeWindowOptions } from './change-window.ts';
import {
  CommitQueue,
  type CommitQueueLimits,
  DEFAULT_COMMIT_QUEUE_LIMITS,
} from './commit-queue.ts';
import { type CommitRequest, evaluateCommits } from './evaluate-commits.ts';
import type { LmdbDatabase } from './lmdb-database.ts';
import { openDataFolder } from './open-data-folder.ts';
import { storeClosed, toStoreError } from './store-fault.ts';
import { checkOps } from './store-limits.ts';

export interface LmdbStoreOptions {
  /** Data folder; made when missing. */
  readonly path: string;
  readonly commits?: Partial<CommitQueueLimits>;
  readonly window?: Partial<ChangeWindowOptions>;
  /** Also opens a store whose last snapshot restore did not finish: only for restoring again. */
  readonly allowInterruptedRestore?: boolean;
  /** Refuses a folder that holds no store, and makes nothing. */
  readonly mustExist?: boolean;
}

const NO_SPACE = Object.assign(new Error('No space left'), { code: 'ENOSPC' });

const DEFAULT_WINDOW: ChangeWindowOptions = {
  maxChanges: 50_000,
  maxBytes: 32 * 1024 * 1024,
  maxQueuedChanges: 50_000,
};

/** Opens the embedded store, alone on its folder; fails with a `STORE_*` error that names the path and what to do. */
export async function openLmdbStore(
  options: LmdbStoreOptions,
  deps: { readonly logger: Logger },
): Promise<Store> {
  const path = isAbsolute(options.path) ? options.path : resolve(options.path);
  const { database, release } = await openDataFolder(path, options);
  return new LmdbStore(path, database, release, options, deps.logger);
}

class LmdbStore implements Store {
  readonly capabilities = { durable: true, shared: false, nativeWatch: true };
  readonly #path: string;
  readonly #database: LmdbDatabase;
  readonly #release: () => void;
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
    database: LmdbDatabase,
    release: () => void,
    options: LmdbStoreOptions,
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

  async commit(ops: readonly Op[], guards: readonly Guard[] = []): Promise<CommitResult> {
    this.#assertOpen();
    if (this.#failure !== undefined) throw this.#failure;
    checkOps(ops);
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
    // A list over several turns still holds a read transaction.
    while (this.#reading > 0) await nextTurn();
    try {
      await this.#database.close();
    } finally {
      this.#release();
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
      const full = this.#database.failedForSpace(error);
      const fault = toStoreError(full ? NO_SPACE : error, this.#path, 'writing');
      // After anything but a full disk the database's own state is unknown: the next write might not even return.
      if (!full) this.#failure = fault;
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
