import type { Revision } from '../model/revision.ts';

export interface Entry {
  readonly key: string;
  readonly value: string;
  readonly createRevision: Revision;
  readonly modifyRevision: Revision;
  /** What its writer gave with the value. A store may hand it to watchers in the same process; it never stores it. */
  readonly known?: unknown;
}

export type Op =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly value: string;
      /** What the value says, for a watcher that would otherwise have to read it. */
      readonly known?: unknown;
    }
  | { readonly type: 'delete'; readonly key: string };

/** Holds when the key's modify revision equals `modifyRevision`; 0 means "does not exist". */
export interface Guard {
  readonly key: string;
  readonly modifyRevision: Revision;
}

export type CommitResult =
  | { readonly ok: true; readonly revision: Revision }
  | { readonly ok: false; readonly conflict: Guard; readonly actual: Revision };

/** `entry` is absent for a deletion (also of a key that did exist). */
export interface Change {
  readonly key: string;
  readonly revision: Revision;
  readonly entry?: Entry;
}

/**
 * Ordered, revisioned key-value store. Leases, health and indexes live above it, never inside it.
 *
 * A losing commit is an outcome and is returned; only faults (I/O, corruption, closed) are thrown, as
 * `RegistryError` with a `STORE_*` code. Any method may be called concurrently with any other.
 */
export interface Store {
  readonly capabilities: {
    readonly durable: boolean;
    /** Other processes may write too. */
    readonly shared: boolean;
    readonly nativeWatch: boolean;
  };
  /** Revision of the newest commit; 0 for an empty, never written store. */
  readonly revision: Revision;
  get(key: string): Promise<Entry | undefined>;
  /** All entries whose key starts with `prefix`, in the order of the keys' UTF-8 bytes, as of one revision. */
  list(
    prefix: string,
  ): Promise<{ readonly entries: readonly Entry[]; readonly revision: Revision }>;
  /**
   * As `list`, handed over in batches and in no order, so that nobody has to hold all of it. Resolves to the revision that it is
   * as of; rejects with what `take` throws.
   */
  scan(prefix: string, take: (entries: readonly Entry[]) => void): Promise<Revision>;
  /**
   * The only write path: all of it or nothing. Resolves when the write would survive `kill -9` and a power cut.
   * Commits are applied in call order; each gets its own revision, greater than every earlier one, also across
   * restarts. An empty `ops` with guards only tests the guards and consumes no revision.
   */
  commit(ops: readonly Op[], guards?: readonly Guard[]): Promise<CommitResult>;
  /**
   * Changes with a revision greater than `from`, in order, without gaps, batched by what became durable together;
   * a change is seen here before its `commit` resolves to its caller's next microtask or soon after, never before it
   * is durable. Throws `STORE_COMPACTED` when changes after `from` are no longer held. Ends when `signal` aborts.
   */
  watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<readonly Change[]>;
  /** Makes every later commit's revision greater than `atLeast`. Absent where a store cannot: a snapshot's numbers then stay behind. */
  raiseRevision?(atLeast: Revision): Promise<void>;
  /** Accepted commits become durable first; then watches end and every other call fails with STORE_CLOSED. */
  close(): Promise<void>;
}
