import type { Revision, Store } from '@portolan/core';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { RegistryMetrics } from '../telemetry/registry-metrics.ts';
import type { KeyLock } from '../write/key-lock.ts';
import type { LockKey } from '../write/lock-keys.ts';
import type { Transition } from './transition.ts';

export interface CommitBatchDeps {
  readonly catalogue: Catalogue;
  readonly store: Pick<Store, 'commit'>;
  readonly metrics: RegistryMetrics;
  readonly lock: KeyLock;
}

/** Collects transitions into commits of bounded size, one after the other, so that callers' writes get in between. */
export class CommitBatch {
  readonly #deps: CommitBatchDeps;
  readonly #size: number;
  readonly #onConflict: (key: string) => void;
  #pending: (() => Transition | undefined)[] = [];
  /** What has to be held while the pending ones are made and written. */
  #locks: LockKey[] = [];
  #closed = false;
  #release: () => void = () => undefined;
  /** Whose removal is with the store now, and when that is decided. */
  #removing: { readonly keys: ReadonlySet<string>; readonly decided: Promise<void> } | undefined;
  conflicts = 0;

  constructor(deps: CommitBatchDeps, size: number, onConflict: (key: string) => void) {
    this.#deps = deps;
    // A restoration takes two operations.
    this.#size = Math.max(1, Math.floor(size / 2));
    this.#onConflict = onConflict;
  }

  /** Undefined while there is room: a promise for each instance would be most of the cost of a storm. */
  add(
    make: () => Transition | undefined,
    locks: readonly LockKey[] = [],
  ): Promise<void> | undefined {
    this.#locks.push(...locks);
    return this.#pending.push(make) >= this.#size ? this.flush() : undefined;
  }

  /** Looks again at each before it is written: a heartbeat, or a registration, that came meanwhile wins. */
  async flush(): Promise<void> {
    const making = this.#pending;
    const locks = this.#locks;
    this.#pending = [];
    this.#locks = [];
    const release = locks.length > 0 ? await this.#deps.lock.acquire(locks) : undefined;
    try {
      await this.#write(making);
    } finally {
      release?.();
    }
  }

  async #write(making: readonly (() => Transition | undefined)[]): Promise<void> {
    let transitions = making.map((make) => make()).filter((made) => made !== undefined);
    while (transitions.length > 0 && !this.#closed) {
      const lost = await this.#commit(transitions);
      if (!lost) return;
      this.conflicts++;
      this.#onConflict(lost.key);
      transitions = transitions.filter((transition) => transition !== lost);
    }
  }

  /** Resolves when the store has decided on a removal that it was given already; undefined when it was given none. */
  removalUnderWay(key: string): Promise<void> | undefined {
    return this.#removing?.keys.has(key) ? this.#removing.decided : undefined;
  }

  /** Ends the wait for a feed that may never come again. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  async #visible(revision: Revision): Promise<void> {
    const applied = this.#deps.catalogue.reached.wait(revision);
    await new Promise<void>((resolve, reject) => {
      this.#release = resolve;
      applied.then(resolve, reject);
    });
  }

  /** The transition that another write was faster than; then nothing of the batch was written. */
  async #commit(transitions: readonly Transition[]): Promise<Transition | undefined> {
    const { catalogue, store, metrics } = this.#deps;
    const removed = transitions.flatMap(({ key, removal: reason }) => {
      const record = reason && catalogue.record(key);
      return record ? [{ key, reason, record }] : [];
    });
    for (const removal of removed) catalogue.announceRemoval(removal);
    let written = false;
    let decide = (): void => undefined;
    if (removed.length > 0) {
      const decided = new Promise<void>((resolve) => {
        decide = resolve;
      });
      this.#removing = { keys: new Set(removed.map(({ key }) => key)), decided };
    }
    try {
      const result = await store.commit(
        transitions.flatMap((transition) => transition.ops),
        transitions.flatMap((transition) => transition.guards),
      );
      if (!result.ok) {
        return transitions.find(({ guards }) =>
          guards.some((guard) => guard.key === result.conflict.key),
        );
      }
      written = true;
      await this.#visible(result.revision);
      for (const { reason } of removed) {
        if (reason === 'expired' || reason === 'check') metrics.removed(reason);
      }
      return undefined;
    } finally {
      this.#removing = undefined;
      decide();
      if (!written) for (const removal of removed) catalogue.forgetRemoval(removal);
    }
  }
}
