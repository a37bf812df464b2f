import {
  type Change,
  type CommitResult,
  type Entry,
  type Guard,
  type Op,
  RegistryError,
  type Revision,
  type Store,
} from '@portolan/core';

export interface MemoryStoreOptions {
  /** Changes held for watchers that resume; older ones are answered with `STORE_COMPACTED`. */
  readonly historyLimit?: number;
}

interface PendingCommit {
  readonly ops: readonly Op[];
  readonly guards: readonly Guard[];
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Watcher {
  readonly prefix: string;
  readonly batches: (readonly Change[])[];
  failure?: unknown;
  ended: boolean;
  wake?: () => void;
}

const SCAN_BATCH = 100;

/** A `Store` in memory with group commit: commits of one turn are applied together, as one batch for watchers. */
export class MemoryStore implements Store {
  readonly capabilities = { durable: false, shared: false, nativeWatch: true } as const;
  #revision: Revision = 0;
  #compacted: Revision = 0;
  #closed = false;
  #fault: unknown;
  #scheduled = false;
  #pending: PendingCommit[] = [];
  readonly #entries = new Map<string, Entry>();
  readonly #history: Change[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #historyLimit: number;

  constructor(options: MemoryStoreOptions = {}) {
    this.#historyLimit = options.historyLimit ?? 100_000;
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** Entries held now: tests look at what was written. */
  get size(): number {
    return this.#entries.size;
  }

  /** From now on every commit fails with this, as on a full disk; `undefined` ends it. */
  failCommitsWith(error: unknown): void {
    this.#fault = error;
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#assertOpen();
    return this.#entries.get(key);
  }

  async list(
    prefix: string,
  ): Promise<{ readonly entries: readonly Entry[]; readonly revision: Revision }> {
    this.#assertOpen();
    const entries = [...this.#entries.values()].filter((entry) => entry.key.startsWith(prefix));
    entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { entries, revision: this.#revision };
  }

  async scan(prefix: string, take: (entries: readonly Entry[]) => void): Promise<Revision> {
    const { entries, revision } = await this.list(prefix);
    // Back to front, so that whoever counts on an order finds out.
    for (let end = entries.length; end > 0; end -= SCAN_BATCH) {
      take(entries.slice(Math.max(0, end - SCAN_BATCH), end).reverse());
    }
    return revision;
  }

  commit(ops: readonly Op[], guards: readonly Guard[] = []): Promise<CommitResult> {
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#pending.push({ ops, guards, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      queueMicrotask(() => this.#flush());
    });
  }

  async *watch(
    prefix: string,
    from: Revision,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Change[]> {
    this.#assertOpen();
    if (signal.aborted) return;
    if (from < this.#compacted) throw compactedError(from, this.#compacted);
    const watcher: Watcher = { prefix, batches: [], ended: false };
    const missed = this.#history.filter(
      (change) => change.revision > from && change.key.startsWith(prefix),
    );
    if (missed.length > 0) watcher.batches.push(missed);
    this.#watchers.add(watcher);
    const end = () => {
      watcher.ended = true;
      watcher.wake?.();
    };
    signal.addEventListener('abort', end, { once: true });
    try {
      while (!watcher.ended) {
        const batch = watcher.batches.shift();
        if (batch) yield batch;
        else if (watcher.failure !== undefined) throw watcher.failure;
        else await new Promise<void>((wake) => (watcher.wake = wake));
      }
    } finally {
      signal.removeEventListener('abort', end);
      this.#watchers.delete(watcher);
    }
  }

  /** Forgets the changes up to the present revision: a watcher from before it has to read everything again. */
  compact(): void {
    this.#history.length = 0;
    this.#compacted = this.#revision;
  }

  /** Ends every watch with this fault, as when the connection to a remote store breaks. */
  breakWatches(error: unknown): void {
    for (const watcher of this.#watchers) {
      watcher.failure = error;
      watcher.wake?.();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.breakWatches(closedError());
  }

  #flush(): void {
    this.#scheduled = false;
    const pending = this.#pending;
    this.#pending = [];
    const changes: Change[] = [];
    const settled: (() => void)[] = [];
    for (const commit of pending) {
      const fault = this.#fault;
      if (fault !== undefined) settled.push(() => commit.reject(fault));
      else {
        const result = this.#apply(commit, changes);
        settled.push(() => commit.resolve(result));
      }
    }
    this.#publish(changes);
    for (const settle of settled) settle();
  }

  #apply(commit: PendingCommit, changes: Change[]): CommitResult {
    for (const guard of commit.guards) {
      const actual = this.#entries.get(guard.key)?.modifyRevision ?? 0;
      if (actual !== guard.modifyRevision) return { ok: false, conflict: guard, actual };
    }
    if (commit.ops.length === 0) return { ok: true, revision: this.#revision };
    const revision = ++this.#revision;
    // A key may stand in several ops: the last one counts and is the one change.
    const lastOps = new Map(commit.ops.map((op) => [op.key, op]));
    for (const op of lastOps.values()) {
      const present = this.#entries.get(op.key);
      if (op.type === 'put') {
        const entry: Entry = {
          key: op.key,
          value: op.value,
          createRevision: present?.createRevision ?? revision,
          modifyRevision: revision,
        };
        this.#entries.set(op.key, entry);
        changes.push({ key: op.key, revision, entry });
      } else if (present) {
        this.#entries.delete(op.key);
        changes.push({ key: op.key, revision });
      }
    }
    return { ok: true, revision };
  }

  #publish(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    for (const change of changes) this.#history.push(change);
    if (this.#history.length > this.#historyLimit * 2) {
      const dropped = this.#history.splice(0, this.#history.length - this.#historyLimit);
      this.#compacted = dropped.at(-1)?.revision ?? this.#compacted;
    }
    for (const watcher of this.#watchers) {
      const wanted =
        watcher.prefix === ''
          ? changes
          : changes.filter((change) => change.key.startsWith(watcher.prefix));
      if (wanted.length === 0) continue;
      watcher.batches.push(wanted);
      watcher.wake?.();
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
}

function closedError(): RegistryError {
  return new RegistryError('STORE_CLOSED', { detail: 'The memory store was closed.' });
}

function compactedError(from: Revision, compacted: Revision): RegistryError {
  return new RegistryError('STORE_COMPACTED', {
    detail: `Changes after revision ${from} were asked for; those up to ${compacted} are no longer held.`,
  });
}
