import type { Change, CommitResult, Entry, Guard, Op, Revision, Store } from '@portolan/core';

/** A commit that changed instances: registered, registered again, or removed. */
export interface InstanceChange {
  readonly revision: Revision;
  readonly keys: readonly string[];
}

const INSTANCE = 'instance/';

/**
 * A store that writes down what every commit was answered, over all openings of the store behind it: what the readers of the
 * registry were told is held against it.
 */
export class RevisionLedger implements Store {
  #inner: Store;
  #newest: Revision = 0;
  readonly #given = new Set<Revision>();
  readonly #present = new Set<string>();
  readonly #changes: InstanceChange[] = [];
  #underWay = 0;
  readonly faults: string[] = [];

  constructor(inner: Store) {
    this.#inner = inner;
  }

  /** Goes on with the same store, opened again. */
  reopened(inner: Store): void {
    this.#inner = inner;
    if (inner.revision < this.#newest) {
      this.faults.push(`opened at revision ${inner.revision}, after ${this.#newest} was given`);
    }
  }

  get capabilities(): Store['capabilities'] {
    return this.#inner.capabilities;
  }

  get revision(): Revision {
    return this.#inner.revision;
  }

  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  /** In order; greater than `from`, not greater than `to`. */
  instanceChanges(from: Revision, to: Revision): readonly InstanceChange[] {
    let low = this.#changes.length;
    while (low > 0 && (this.#changes[low - 1]?.revision ?? 0) > from) low--;
    return this.#changes.slice(low).filter(({ revision }) => revision <= to);
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#inner.get(key);
  }

  scan(prefix: string, take: (entries: readonly Entry[]) => void): Promise<Revision> {
    return this.#inner.scan(prefix, take);
  }

  list(
    prefix: string,
  ): Promise<{ readonly entries: readonly Entry[]; readonly revision: Revision }> {
    return this.#inner.list(prefix);
  }

  async commit(ops: readonly Op[], guards?: readonly Guard[]): Promise<CommitResult> {
    const before = this.#newest;
    this.#underWay++;
    try {
      const result = await this.#inner.commit(ops, guards);
      if (result.ok && ops.length > 0) this.#note(result.revision, before, ops);
      return result;
    } finally {
      this.#underWay--;
    }
  }

  watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<readonly Change[]> {
    return this.#inner.watch(prefix, from, signal);
  }

  /** Stays open, as what it stands for does. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  #note(revision: Revision, before: Revision, ops: readonly Op[]): void {
    if (this.#given.has(revision)) this.faults.push(`revision ${revision} was given twice`);
    if (revision <= before) this.faults.push(`revision ${revision} was given after ${before}`);
    this.#given.add(revision);
    this.#newest = Math.max(this.#newest, revision);
    const last = new Map(ops.map((op) => [op.key, op.type]));
    const keys: string[] = [];
    for (const [key, type] of last) {
      if (!key.startsWith(INSTANCE)) continue;
      if (type === 'put') this.#present.add(key);
      else if (!this.#present.delete(key)) continue;
      keys.push(key.slice(INSTANCE.length));
    }
    if (keys.length > 0) this.#changes.push({ revision, keys });
  }
}
